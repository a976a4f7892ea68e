import { fromBinary } from '@bufbuild/protobuf'
import test from 'ava'
import { createError } from '../../src/errors/secrets-error.js'
import { RegisterPluginResponseSchema } from '../../src/gen/plugins/v1/plugins_pb.js'
import { acceptSession } from '../../src/session/plugin-session.js'
import { VERSION } from '../../src/version.js'
import { registered, socketPair, TestPlugin } from '../helpers/plugin-session.js'

const provider = (pattern: string) => ({ case: 'secretsProvider', value: { pattern } }) as const
const good = { name: 'test', version: 'v1.0.0', metadata: provider('**') }

test('a plugin registers, and is told who the engine is and how long it may take', async (t) => {
  const [here, there] = await socketPair(t)
  const plugin = new TestPlugin(there)
  const [session, answer] = await Promise.all([acceptSession(here, { requestTimeoutMs: 2500 }), plugin.register()])
  t.is(answer.status, 200)
  const response = fromBinary(RegisterPluginResponseSchema, answer.body)
  t.like(response, { engineName: 'se-native', engineVersion: `v${VERSION}` })
  t.like(response.requestTimeout, { seconds: 2n, nanos: 500_000_000 })
  t.like(session, { name: 'test', version: 'v1.2.3', kind: 'secrets' })
  t.is(session.pattern?.text, 'a/**')
  session.close()
  t.is(await session.closed, undefined)
})

test('a plugin may register in JSON, with what we do not know yet', async (t) => {
  const [here, there] = await socketPair(t)
  const plugin = new TestPlugin(there)
  const body = Buffer.from('{"name":"j","version":"v1","accessControlModule":{},"hat":1}')
  const [session, answer] = await Promise.all([
    acceptSession(here),
    plugin.send('application/json; charset=utf-8', body),
  ])
  t.like(session, { name: 'j', version: 'v1.0.0', kind: 'access control', pattern: undefined })
  t.is(answer.contentType, 'application/json')
  t.like(JSON.parse(answer.body.toString()), { engineName: 'se-native', requestTimeout: '10s' })
})

test('registering twice is refused, and the session goes on', async (t) => {
  const { session, plugin } = await registered(t, (request, response) => {
    response.statusCode = request.url === '/health' ? 200 : 500
    response.end()
  })
  const again = await plugin.register()
  t.is(again.status, 409)
  t.like(JSON.parse(again.body.toString()), { code: 'already_exists' })
  await t.notThrowsAsync(session.health())
})

test('a plugin that is not admitted is told why', async (t) => {
  const [here, there] = await socketPair(t)
  const plugin = new TestPlugin(there)
  const admit = async ({ name }: { name: string }) => {
    throw createError('SE_PLUGIN_DUPLICATE', `there is a plugin ${name} already`)
  }
  const accepted = t.throwsAsync(acceptSession(here, { admit }), { code: 'SE_PLUGIN_DUPLICATE' })
  const answer = await plugin.register()
  t.is(answer.status, 409)
  t.like(JSON.parse(answer.body.toString()), { code: 'already_exists', message: 'there is a plugin test already' })
  await accepted
  await plugin.session.closed
})

const REFUSED: Record<string, Parameters<TestPlugin['register']>[0]> = {
  'an empty name': { ...good, name: '' },
  'a name with a slash': { ...good, name: 'a/b' },
  'a name that is too long': { ...good, name: 'a'.repeat(129) },
  'another name than it was launched with': { ...good, name: 'other' },
  'no version': { ...good, version: '' },
  'a version without a v': { ...good, version: '1.0.0' },
  'a version with a leading zero': { ...good, version: 'v01.0.0' },
  'a version of four numbers': { ...good, version: 'v1.0.0.0' },
  'an endless version': { ...good, version: `v1.0.0-${'a'.repeat(200)}` },
  'a bad pattern': { ...good, metadata: provider('a/b*') },
  'no pattern': { ...good, metadata: provider('') },
  'neither secrets nor access control': { name: 'test', version: 'v1.0.0' },
}

for (const [what, registration] of Object.entries(REFUSED))
  test(`a plugin is refused as an invalid argument: ${what}`, async (t) => {
    const [here, there] = await socketPair(t)
    const plugin = new TestPlugin(there)
    const accepted = t.throwsAsync(acceptSession(here, { expectName: 'test' }), {
      code: what.includes('pattern') ? 'SE_INVALID_PATTERN' : 'SE_PLUGIN_INVALID',
    })
    const answer = await plugin.register(registration)
    t.is(answer.status, 400)
    t.like(JSON.parse(answer.body.toString()), { code: 'invalid_argument' })
    await accepted
    await plugin.session.closed
  })

for (const version of ['v1', 'v1.2', 'v0.0.0', 'v1.2.3-rc.1+build.5'])
  test(`the version ${version} is taken, as Go takes it`, async (t) => {
    const { session } = await registered(t, undefined, {}, { ...good, version })
    t.true(session.version.startsWith(version))
    t.regex(session.version, /^v\d+\.\d+\.\d+/)
  })

test('a registration that is none is refused', async (t) => {
  for (const [type, body, status] of [
    ['application/proto', 'garbage', 400],
    ['application/json', '{"name":1}', 400],
    ['application/json', 'x'.repeat(70_000), 429],
    ['text/plain', 'hello', 501],
  ] as const) {
    const [here, there] = await socketPair(t)
    const plugin = new TestPlugin(there)
    const accepted = acceptSession(here, { registrationTimeoutMs: 300 })
    const refused = t.throwsAsync(accepted)
    t.is((await plugin.send(type, Buffer.from(body))).status, status, type)
    there.destroy()
    await refused
  }
})

test('a plugin that does not register in time is cut off', async (t) => {
  const [here, there] = await socketPair(t)
  const plugin = new TestPlugin(there)
  await t.throwsAsync(acceptSession(here, { registrationTimeoutMs: 1 }), {
    code: 'SE_TIMEOUT',
    message: 'the plugin did not register within 1 ms',
  })
  t.truthy(await plugin.session.closed)
})

test('a plugin that leaves before it has registered is noticed at once', async (t) => {
  const [here, there] = await socketPair(t)
  const accepted = acceptSession(here)
  there.destroy()
  await t.throwsAsync(accepted, { code: 'SE_PLUGIN_UNAVAILABLE' })
})

test('what does not speak yamux is cut off', async (t) => {
  const [here, there] = await socketPair(t)
  const accepted = acceptSession(here)
  there.write('GET / HTTP/1.1\r\n\r\n')
  await t.throwsAsync(accepted, { code: 'SE_PLUGIN_FAILURE', message: /broke the yamux protocol/ })
})

test('what was read before the session began is a part of it', async (t) => {
  const [here, there] = await socketPair(t)
  const plugin = new TestPlugin(there)
  const answering = plugin.register()
  const head = await new Promise<Buffer>((resolve) => here.once('data', resolve))
  here.pause()
  const session = await acceptSession(here, { head })
  t.is((await answering).status, 200)
  t.is(session.name, 'test')
})
