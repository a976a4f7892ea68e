import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { definePlugin, type Plugin, type PluginDefinition } from '../../src/engine/plugin.js'
import { createError } from '../../src/errors/secrets-error.js'
import { GetVersionResponseSchema } from '../../src/gen/health/v1/health_pb.js'
import { ListPluginsResponseSchema, RunStatus } from '../../src/gen/plugins/v1/plugins_pb.js'
import { AuthorizeRequestSchema, AuthorizeResponseSchema, Decision } from '../../src/gen/resolver/v1/authorizer_pb.js'
import { Secret } from '../../src/secret.js'
import { VERSION } from '../../src/version.js'
import { errorFromConnectBody } from '../../src/wire/failure-detail.js'
import { ask, JSON_TYPE, send, startServer } from '../helpers/daemon-server.js'

const PROTO_TYPE = { 'content-type': 'application/proto' }
const AT = new Date('2026-11-25T20:00:00Z')

function plugin(
  name: string,
  getSecrets: PluginDefinition['getSecrets'],
  more: Partial<PluginDefinition> = {},
): Plugin {
  return definePlugin({ name, version: 'v1.2.3', pattern: '**', getSecrets, ...more })
}

const good = plugin('good', (pattern) =>
  ['a/b', 'a/c'].filter((id) => pattern.matches(id)).map((id) => Secret.from(id, `value of ${id}`, { resolvedAt: AT })),
)
const failing = (error: unknown, more: Partial<PluginDefinition> = {}): Plugin =>
  plugin(
    'bad',
    () => {
      throw error
    },
    more,
  )

const CASES: readonly [error: unknown, status: number, connect: string, code: string][] = [
  [createError('SE_LOCKED', 'the store is locked'), 400, 'failed_precondition', 'SE_LOCKED'],
  [createError('SE_ACCESS_DENIED', 'refused'), 403, 'permission_denied', 'SE_ACCESS_DENIED'],
  [createError('SE_STORE_UNAVAILABLE', 'no keyring'), 503, 'unavailable', 'SE_STORE_UNAVAILABLE'],
  [createError('SE_PLUGIN_UNAVAILABLE', 'crashed'), 503, 'unavailable', 'SE_PLUGIN_UNAVAILABLE'],
  [createError('SE_TIMEOUT', 'too slow'), 504, 'deadline_exceeded', 'SE_TIMEOUT'],
  [createError('SE_CORRUPT', 'torn'), 500, 'data_loss', 'SE_CORRUPT'],
  [createError('SE_NO_PLUGIN', 'its own plugin'), 500, 'internal', 'SE_PLUGIN_FAILURE'],
  [createError('SE_COMMAND_NOT_FOUND', 'no helper'), 500, 'internal', 'SE_PLUGIN_FAILURE'],
  [new Error('canary'), 500, 'internal', 'SE_PLUGIN_FAILURE'],
  ['canary', 500, 'internal', 'SE_PLUGIN_FAILURE'],
]
for (const [error, status, connect, code] of CASES) {
  test(`a failure is told as what it is, never as not_found: ${connect}, ${String((error as Error).message)}`, async (t) => {
    const { path, requests } = await startServer(t.teardown, [failing(error)])
    for (const body of ['{"pattern":"a/b"}', '{"unusual":1,"pattern":"a/b"}']) {
      const answer = await send(path, { body })
      t.is(answer.status, status)
      t.is(answer.headers['content-type'], 'application/json')
      t.is(JSON.parse(answer.body.toString()).code, connect)
      t.is(errorFromConnectBody(answer.status, answer.body.toString()).code, code as never)
      t.false(answer.body.includes('canary'))
    }
    t.like(requests, [
      { outcome: 'failed', code, patterns: ['a/b'] },
      { outcome: 'failed', code, patterns: ['a/b'] },
    ] as never)
  })
}

test('a failure beside an answer is logged, and the answer comes', async (t) => {
  const { path, events } = await startServer(t.teardown, [
    good,
    failing(createError('SE_LOCKED', 'the store is locked')),
  ])
  const { status, body } = await send(path, { body: '{"pattern":"a/b"}' })
  t.is(status, 200)
  t.is(JSON.parse(body.toString()).envelopes.length, 1)
  t.like(events, [
    { level: 'warn', message: 'a plugin failed while others answered', facts: { plugin: 'bad', code: 'SE_LOCKED' } },
  ])
})

test('the caller’s time limit ends a request with deadline_exceeded, usual or not', async (t) => {
  const never = plugin('never', () => new Promise(() => undefined))
  const { path, requests } = await startServer(t.teardown, [never])
  for (const body of ['{"pattern":"a/b"}', '{"unusual":1,"pattern":"a/b"}']) {
    const { status, body: text } = await send(path, { headers: { ...JSON_TYPE, 'connect-timeout-ms': '5' }, body })
    t.is(status, 504)
    t.is(JSON.parse(text.toString()).code, 'deadline_exceeded')
  }
  t.deepEqual(
    requests.map(({ code }) => code),
    ['SE_TIMEOUT', 'SE_TIMEOUT'],
  )
})

test('the version is told in JSON and protobuf, and to unusual requests', async (t) => {
  const { path } = await startServer(t.teardown)
  const procedure = '/health.v1.VersionService/GetVersion'
  for (const body of ['{}', '{"x":1}', ' { } ']) {
    const { body: text } = await send(path, { path: procedure, body })
    t.deepEqual(JSON.parse(text.toString()), { version: `v${VERSION}` })
  }
  for (const body of [Buffer.alloc(0), Buffer.from([0x10, 1])]) {
    const answer = await send(path, { path: procedure, headers: PROTO_TYPE, body })
    t.is(fromBinary(GetVersionResponseSchema, answer.body).version, `v${VERSION}`)
  }
  t.is((await send(path, { path: procedure, method: 'GET', headers: {} })).status, 405)
  t.is((await send(path, { path: procedure, headers: { 'content-type': 'text/plain' } })).status, 415)
})

const MANAGEMENT = '/plugins.v1.PluginManagementService'

test('plugins are listed, disabled and enabled, and a request sees the difference', async (t) => {
  const { path } = await startServer(t.teardown, [good, plugin('other', () => [], { pattern: 'x/*' })])
  const list = async () => {
    const { body } = await send(path, { path: `${MANAGEMENT}/ListPlugins`, headers: PROTO_TYPE })
    return fromBinary(ListPluginsResponseSchema, body).plugins
  }
  t.like(await list(), [
    {
      name: 'good',
      version: 'v1.2.3',
      disabled: false,
      external: true,
      configurable: true,
      runStatus: RunStatus.RUNNING,
    },
    { name: 'other', metadata: { case: 'secretsProvider', value: { pattern: 'x/*' } } },
  ] as never)
  const set = (name: string, procedure: string) =>
    send(path, { path: `${MANAGEMENT}/${procedure}`, body: JSON.stringify({ name }) })
  t.is((await set('good', 'DisablePlugin')).status, 200)
  t.like(await list(), [
    { name: 'good', disabled: true },
    { name: 'other', disabled: false },
  ] as never)
  t.is((await send(path, { body: '{"pattern":"a/b"}' })).status, 404)
  t.is((await set('good', 'EnablePlugin')).status, 200)
  t.is((await send(path, { body: '{"pattern":"a/b"}' })).status, 200)
  const unknown = await set('nobody', 'EnablePlugin')
  t.is(unknown.status, 404)
  t.is(errorFromConnectBody(404, unknown.body.toString()).code, 'SE_NO_PLUGIN')
  const inJson = await send(path, { path: `${MANAGEMENT}/ListPlugins`, body: '{}' })
  t.like(JSON.parse(inJson.body.toString()).plugins[0], {
    name: 'good',
    disabled: false,
    runStatus: 'RUN_STATUS_RUNNING',
  })
})

test('whoever is let in may read what a pattern matches; no pattern, or a bad one, is refused', async (t) => {
  const { path } = await startServer(t.teardown, [good])
  const authorize = async (...patterns: string[]) => {
    const body = Buffer.from(toBinary(AuthorizeRequestSchema, create(AuthorizeRequestSchema, { patterns })))
    return send(path, { path: '/resolver.v1.AuthorizerService/Authorize', headers: PROTO_TYPE, body })
  }
  t.is(fromBinary(AuthorizeResponseSchema, (await authorize('a/*', 'b')).body).decision, Decision.ALLOW)
  for (const patterns of [[], ['a', 'a*']]) {
    const { status, body } = await authorize(...patterns)
    t.is(status, 400)
    t.is(JSON.parse(body.toString()).code, 'invalid_argument')
  }
})

test('what decides about access is asked by Authorize, and may refuse', async (t) => {
  const { path } = await startServer(t.teardown, [good], {
    authorize: async ([pattern], { requester }) => {
      if (pattern?.text === 'b') throw createError('SE_ACCESS_DENIED', `${requester.pid} may not read b`)
    },
  })
  const authorize = (pattern: string) =>
    send(path, { path: '/resolver.v1.AuthorizerService/Authorize', body: JSON.stringify({ patterns: [pattern] }) })
  t.deepEqual(JSON.parse((await authorize('a')).body.toString()), { decision: 'DECISION_ALLOW' })
  const { status, body } = await authorize('b')
  t.is(status, 403)
  t.like(JSON.parse(body.toString()), { code: 'permission_denied', message: `${process.pid} may not read b` })
})

test('GetBatch answers each pattern with places in one list of secrets', async (t) => {
  const { path, requests } = await startServer(t.teardown, [
    good,
    failing(createError('SE_LOCKED', 'locked', { hint: 'unlock' }), { pattern: 'z' }),
  ])
  const { json } = await ask(path, 'GetBatch', { patterns: ['a/b', 'a/*', 'none', 'z'] })
  t.like(json.envelopes, [
    {
      id: 'a/b',
      value: Buffer.from('value of a/b').toString('base64'),
      provider: 'good',
      version: '',
      resolvedAt: AT.toISOString(),
      createdAt: '0001-01-01T00:00:00Z',
    },
    { id: 'a/c' },
  ])
  t.deepEqual(
    json.results.map(({ envelopes }: { envelopes: number[] }) => envelopes),
    [[0], [0, 1], [], []],
  )
  t.like(json.results[0].outcomes[1], { plugin: 'good', pattern: '**', status: 'answered', ids: ['a/b'], dropped: [] })
  const { code, message, hint, details } = json.results[3].outcomes.find(
    ({ plugin: name }: { plugin: string }) => name === 'bad',
  ).failure
  t.like(
    { code, hint, details: JSON.parse(details) },
    { code: 'SE_LOCKED', hint: 'unlock', details: { plugin: 'bad' } },
  )
  t.regex(message, /locked/)
  t.like(requests, [{ outcome: 'answered', secrets: 2, patterns: ['a/b', 'a/*', 'none', 'z'] }])
})

test('a batch without a secret is logged as failed, with the reason', async (t) => {
  const error = createError('SE_LOCKED', 'the store is locked')
  const { path, requests } = await startServer(t.teardown, [failing(error, { pattern: 'locked/**' }), good])
  for (const patterns of [['a/b'], ['locked/x', 'a/b'], ['locked/x']]) await ask(path, 'GetBatch', { patterns })
  await ask(path, 'GetBatch', { patterns: ['nothing/here'] })
  t.like(requests, [
    { outcome: 'answered', code: undefined, secrets: 1 },
    { outcome: 'answered', code: undefined, secrets: 1 },
    { outcome: 'failed', code: 'SE_LOCKED', secrets: 0 },
    { outcome: 'failed', code: 'SE_NOT_FOUND', secrets: 0 },
  ])
})

test('GetBatch leaves values out for those who explain, and asks one plugin alone', async (t) => {
  const { path } = await startServer(t.teardown, [good, plugin('other', () => [{ id: 'a/b', value: 'o' }])])
  const { json, body } = await ask(path, 'GetBatch', { patterns: ['a/b'], withoutValues: true, plugin: 'good' })
  t.is(json.envelopes.length, 1)
  t.false('value' in json.envelopes[0])
  t.false(body.includes(Buffer.from('value of a/b').toString('base64')))
  t.is(json.results[0].outcomes.length, 1)
  const { status } = await ask(path, 'GetBatch', { patterns: ['a/b'], plugin: 'nobody' })
  t.is(status, 404)
})

const WRONG: readonly [body: string, code: string][] = [
  ['', 'SE_INVALID_OPTION'],
  ['[]', 'SE_INVALID_OPTION'],
  ['{"patterns":', 'SE_INVALID_OPTION'],
  ['{"patterns":"a"}', 'SE_INVALID_OPTION'],
  ['{"patterns":[1]}', 'SE_INVALID_OPTION'],
  ['{"patterns":["a"],"plugin":1}', 'SE_INVALID_OPTION'],
  ['{"patterns":["a"],"times":"yes"}', 'SE_INVALID_OPTION'],
  ['{"patterns":["a*"]}', 'SE_INVALID_PATTERN'],
  ['{"patterns":["\\ud800"]}', 'SE_INVALID_PATTERN'],
]
test('GetBatch refuses what is no request', async (t) => {
  const { path } = await startServer(t.teardown, [good])
  const procedure = '/senative.engine.v1.EngineService/GetBatch'
  for (const [body, code] of WRONG) {
    const answer = await send(path, { path: procedure, body })
    t.is(answer.status, 400, body)
    t.is(errorFromConnectBody(400, answer.body.toString()).code, code as never, body)
  }
  const binary = await send(path, { path: procedure, body: Buffer.from([0x7b, 0xff, 0x7d]) })
  t.is(binary.status, 400)
  t.is((await send(path, { path: procedure, headers: PROTO_TYPE })).status, 415)
  t.is((await send(path, { path: procedure, method: 'GET', headers: {} })).status, 405)
  t.deepEqual((await ask(path, 'GetBatch', {})).json, { envelopes: [], results: [] })
})

test('EngineService suggests, lists, describes, unlocks and locks', async (t) => {
  const seen: string[] = []
  const listing = plugin('listing', () => [], { listIds: () => ['team/password'] })
  const { path, requests } = await startServer(t.teardown, [listing], {
    unlock: async (passphrase) => {
      seen.push(passphrase.text())
    },
    lock: async () => {
      seen.push('locked')
    },
  })
  t.deepEqual((await ask(path, 'Suggest', { id: 'team/pasword' })).json, { id: 'team/password' })
  t.deepEqual((await ask(path, 'Suggest', { id: 'unlike' })).json, { id: '' })
  const [info] = (await ask(path, 'ListPlugins', {})).json.plugins
  t.like(info, {
    name: 'listing',
    version: 'v1.2.3',
    pattern: '**',
    enabled: true,
    builtIn: false,
    configurable: true,
    status: 'running',
  })
  t.like((await ask(path, 'Describe', {})).json, {
    pid: process.pid,
    startedAt: '1970-01-01T00:00:00.000Z',
    addresses: [path],
  })
  t.deepEqual((await ask(path, 'Unlock', { passphrase: Buffer.from('open, sesame').toString('base64') })).json, {})
  t.deepEqual((await ask(path, 'Lock', {})).json, {})
  t.deepEqual(seen, ['open, sesame', 'locked'])
  t.false(JSON.stringify(requests).includes('sesame'))
  const { status } = await ask(path, 'Unlock', { passphrase: 'not base64!' })
  t.true(status >= 400)
})

test('health is told to whoever asks, and other paths are not found', async (t) => {
  const { path } = await startServer(t.teardown)
  const health = await send(path, { path: '/health', method: 'GET', headers: {} })
  t.is(health.status, 200)
  t.is(health.body.toString(), 'ok')
  t.is((await send(path, { path: '/health' })).status, 405)
  const nothing = await send(path, { path: '/nothing', method: 'GET', headers: {} })
  t.is(nothing.status, 404)
  t.is(nothing.body.toString(), '404 page not found\n')
})
