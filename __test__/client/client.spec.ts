// The client against the daemon's server in this process.
import { once } from 'node:events'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { connect, createEngine, definePlugin, type Engine, type Plugin, Secret, SecretsError } from '../../src/index.js'
import { createFolder, startServer } from '../helpers/daemon-server.js'
import { startFake, startHanging } from '../helpers/fake-daemon.js'

const onUnix = process.platform === 'win32' ? test.skip : test

/** A plugin that has these secrets. */
function having(name: string, pattern: string, values: Readonly<Record<string, string>>): Plugin {
  const ids = Object.keys(values)
  return definePlugin({
    name,
    version: 'v1.2.3',
    pattern,
    getSecrets: (asked) =>
      ids
        .filter((id) => asked.matches(id))
        .map((id) => ({
          id,
          value: values[id] as string,
          version: `${name}-1`,
          metadata: { owner: 'ada', 'ä "\\': '\n' },
          createdAt: new Date(1_700_000_000_123),
          expiresAt: new Date(4_000_000_000_000),
        })),
    listIds: () => ids,
  })
}

/** A client of a server whose engine has these plugins. */
async function start(t: ExecutionContext, plugins: readonly Plugin[], more: Parameters<typeof startServer>[2] = {}) {
  const server = await startServer(t.teardown, plugins, more)
  const client = await connect({ socket: server.path })
  t.teardown(() => client.close())
  return { client, ...server }
}

async function failureOf(promise: Promise<unknown>): Promise<SecretsError> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!SecretsError.is(error)) throw new Error(`no SecretsError: ${error}`)
  return error
}

/** All that is told about a batch, with values, but for times that differ from call to call. */
async function told(engine: Engine, patterns: readonly string[], options: Parameters<Engine['getBatch']>[1] = {}) {
  const results = await engine.getBatch(patterns, options)
  return results.map(({ pattern, secrets, outcomes }) => ({
    pattern,
    secrets: secrets.map((secret) => {
      const { id, plugin, version, metadata, createdAt, expiresAt, byteLength } = secret
      const isResolved = secret.resolvedAt instanceof Date
      return { id, plugin, version, metadata, createdAt, expiresAt, byteLength, isResolved, value: secret.text() }
    }),
    outcomes: outcomes.map(({ latencyMs, failure, ...outcome }) => ({
      ...outcome,
      timed: typeof latencyMs,
      failure: failure?.toJSON(),
    })),
  }))
}

onUnix('a secret comes with its value and all its facts', async (t) => {
  const { client } = await start(t, [having('vault', 'vault/**', { 'vault/a': 'hunter2' })])
  const [secret] = await client.getSecrets('vault/*')
  t.is(secret?.text(), 'hunter2')
  t.is(secret?.plugin, 'vault')
  t.is(secret?.version, 'vault-1')
  t.deepEqual(secret?.metadata, { owner: 'ada', 'ä "\\': '\n' })
  t.deepEqual(secret?.createdAt, new Date(1_700_000_000_123))
  t.deepEqual(secret?.expiresAt, new Date(4_000_000_000_000))
  t.true(secret?.resolvedAt instanceof Date)
})

onUnix('what is not known of a secret stays unknown, and empty values and bytes come as they are', async (t) => {
  const bytes = Buffer.from([0, 255, 10, 128])
  const bare = definePlugin({
    name: 'bare',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () => [
      { id: 'bytes', value: bytes },
      { id: 'empty', value: '' },
    ],
  })
  const { client } = await start(t, [bare])
  const [first, second] = await client.getSecrets('*')
  t.deepEqual(Buffer.from(first?.bytes() ?? []), bytes)
  t.is(second?.text(), '')
  for (const name of ['version', 'createdAt', 'expiresAt'] as const) t.is(first?.[name], undefined)
  t.deepEqual(first?.metadata, {})
})

onUnix('many patterns are one request, repeated ones too, and a secret that several match is one object', async (t) => {
  const { client, requests } = await start(t, [having('vault', '**', { a: '1', 'b/c': '2' })])
  const before = requests.length
  const results = await client.getBatch(['a', '**', 'a', 'none'])
  t.is(requests.length, before + 1)
  t.deepEqual(
    results.map(({ pattern, secrets }) => [pattern, secrets.map(({ id }) => id)]),
    [
      ['a', ['a']],
      ['**', ['a', 'b/c']],
      ['a', ['a']],
      ['none', []],
    ],
  )
  t.is(results[0]?.secrets[0], results[1]?.secrets[0])
})

onUnix('for any plugins and patterns the answer is that of the engine in process', async (t) => {
  const segment = fc.constantFrom('a', 'b', 'c:d', 'x.y')
  const id = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
  const part = fc.oneof(segment, fc.constantFrom('*', '**'))
  const pattern = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
  const values = fc.dictionary(id, fc.string({ unit: 'grapheme', maxLength: 8 }), { maxKeys: 6, noNullPrototype: true })
  const contents = fc.array(fc.record({ pattern, values, fails: fc.boolean() }), { minLength: 1, maxLength: 4 })
  const batch = fc.uniqueArray(pattern, { minLength: 1, maxLength: 4 })
  const server = await startServer(t.teardown)
  const client = await connect({ socket: server.path })
  t.teardown(() => client.close())
  await fc.assert(
    fc.asyncProperty(contents, batch, fc.boolean(), async (contents, patterns, times) => {
      const plugins = contents.map(({ pattern, values, fails }, index) =>
        fails ? failing(`p${index}`, pattern) : having(`p${index}`, pattern, values),
      )
      const engine = await createEngine({ plugins })
      for (const plugin of plugins) server.engine.addPlugin(plugin)
      try {
        t.deepEqual(await told(client, patterns, { times }), await told(engine, patterns, { times }))
      } finally {
        for (const { name } of plugins) await server.engine.removePlugin(name)
        await engine.close()
      }
    }),
    { numRuns: 150 },
  )
})

function failing(name: string, pattern: string): Plugin {
  return definePlugin({
    name,
    version: 'v1.0.0',
    pattern,
    getSecrets: () =>
      Promise.reject(new SecretsError('SE_LOCKED', 'it is locked', { hint: 'open it', details: { door: 2 } })),
  })
}

onUnix('a failure of a plugin keeps its code, message, hint and details', async (t) => {
  const { client } = await start(t, [failing('vault', 'vault/**'), having('other', '**', { 'vault/a': 'x' })])
  const [result] = await client.getBatch(['vault/a'])
  const failure = result?.outcomes.find(({ plugin }) => plugin === 'vault')?.failure
  t.is(failure?.code, 'SE_LOCKED')
  t.is(failure?.message, 'vault: it is locked')
  t.is(failure?.hint, 'open it')
  t.deepEqual(failure?.details, { door: 2, plugin: 'vault' })
  const told: string[] = []
  await client.getSecrets('vault/a', { onFailure: ({ code }) => told.push(code) })
  t.deepEqual(told, ['SE_LOCKED'])
  t.is((await failureOf(client.getSecrets('vault/a', { strict: true }))).code, 'SE_LOCKED')
  t.is((await failureOf(client.getSecrets('vault/b'))).code, 'SE_LOCKED')
})

onUnix('an error of the whole request is the engine’s own', async (t) => {
  const plugins = [having('vault', '**', {})]
  const { client } = await start(t, plugins)
  const engine = await createEngine({ plugins })
  for (const [pattern, plugin] of [
    ['a*', undefined],
    ['', undefined],
    ['a', 'valt'],
  ] as const) {
    const there = await failureOf(client.getBatch([pattern], { plugin }))
    const here = await failureOf(engine.getBatch([pattern], { plugin }))
    t.deepEqual(there.toJSON(), here.toJSON())
  }
})

onUnix('explain is that of the engine, and has no value', async (t) => {
  const plugins = [
    having('a', '**', { x: '1' }),
    having('b', 'x', { x: '2' }),
    failing('c', 'x'),
    having('d', 'y/**', {}),
  ]
  const { client } = await start(t, plugins)
  const engine = await createEngine({ plugins })
  const still = ({ outcomes, problem, ...others }: Awaited<ReturnType<Engine['explain']>>) => ({
    ...others,
    problem: problem?.toJSON(),
    outcomes: outcomes.map(({ latencyMs, failure, ...outcome }) => ({ ...outcome, failure: failure?.toJSON() })),
  })
  for (const policy of [undefined, 'first', 'newest'] as const) {
    t.deepEqual(still(await client.explain('x', { policy })), still(await engine.explain('x', { policy })))
  }
  const error = await failureOf(client.explain('x', { policy: 'last' as never }))
  t.is(error.code, 'SE_INVALID_OPTION')
})

onUnix('an aborted request ends in the daemon', async (t) => {
  const { plugin, asked, ended } = hanging()
  const { client } = await start(t, [plugin])
  const controller = new AbortController()
  const failure = failureOf(client.getSecrets('a', { signal: controller.signal }))
  await asked
  controller.abort(new Error('enough'))
  const error = await failure
  t.is(error.code, 'SE_ABORTED')
  t.is((error.cause as Error).message, 'enough')
  await ended
  t.pass()
})

onUnix('a request whose time is over ends in the daemon', async (t) => {
  const { plugin, ended } = hanging()
  const { client } = await start(t, [plugin])
  const error = await failureOf(client.getSecrets('a', { timeoutMs: 50 }))
  t.is(error.code, 'SE_TIMEOUT')
  await ended
})

/** A plugin that answers never. `asked` and `ended` settle when it is asked, and when nobody waits any more. */
function hanging() {
  let ask = (): void => {}
  let end = (): void => {}
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const plugin = definePlugin({
    name: 'hangs',
    version: 'v1.0.0',
    pattern: '**',
    timeoutMs: 60_000,
    getSecrets: async (_, { signal }) => {
      ask()
      if (!signal.aborted) await once(signal, 'abort')
      end()
      return []
    },
  })
  return { plugin, asked, ended }
}

onUnix('the limit of connect is that of requests without one', async (t) => {
  const { plugin } = hanging()
  const { path } = await startServer(t.teardown, [plugin])
  const client = await connect({ socket: path, timeoutMs: 1000 })
  t.teardown(() => client.close())
  t.is((await failureOf(client.getSecrets('a'))).code, 'SE_TIMEOUT')
})

onUnix('a similar id is suggested, and a failure suggests nothing', async (t) => {
  const { client } = await start(t, [having('vault', '**', { 'postgres/password': 'x' })])
  t.is(await client.suggest('postgres/pasword'), 'postgres/password')
  t.is(await client.suggest('nothing/like/it/at/all'), undefined)
  t.is(await client.suggest('postgres/pasword', { plugin: 'none' }), undefined)
  await client.close()
  t.is(await client.suggest('postgres/pasword'), undefined)
})

onUnix('plugins are listed, disabled and enabled, for everybody', async (t) => {
  const { client, engine } = await start(t, [having('vault', 'vault/**', { 'vault/a': 'x' })])
  t.deepEqual(await client.listPlugins(), await engine.listPlugins())
  await client.disablePlugin('vault')
  t.false((await engine.listPlugins())[0]?.enabled)
  t.deepEqual(await client.getSecrets('vault/a'), [])
  await client.enablePlugin('vault')
  t.is((await client.getSecrets('vault/a')).length, 1)
  const there = await failureOf(client.disablePlugin('valt'))
  const here = await failureOf(engine.disablePlugin('valt'))
  t.deepEqual(there.toJSON(), here.toJSON())
})

onUnix('unlock gives the passphrase, and lock takes it', async (t) => {
  const told: string[] = []
  const { client } = await start(t, [], {
    unlock: async (passphrase) => {
      told.push(`unlock ${passphrase.text()}`)
      if (passphrase.text() === '') throw new SecretsError('SE_WRONG_KEY', 'that is not it', { hint: 'again' })
    },
    lock: async () => void told.push('lock'),
  })
  await client.unlock(Secret.from('passphrase', 'pass "\\\n wörd'))
  await client.lock()
  t.deepEqual(told, ['unlock pass "\\\n wörd', 'lock'])
  const error = await failureOf(client.unlock(Secret.from('passphrase', '')))
  t.deepEqual([error.code, error.message, error.hint], ['SE_WRONG_KEY', 'that is not it', 'again'])
})

onUnix('a client says what the daemon is, and after close nothing', async (t) => {
  const { client, path } = await start(t, [])
  const { pid, storeKind, addresses } = await client.describe()
  t.deepEqual([pid, storeKind, addresses], [process.pid, 'memory', [path]])
  t.is(client.address, path)
  await client.close()
  await client.close()
  t.is((await failureOf(client.describe())).code, 'SE_DISPOSED')
})

onUnix('without a daemon connect says so', async (t) => {
  const path = join(createFolder(t.teardown), 'none.sock')
  const error = await failureOf(connect({ socket: path }))
  t.is(error.code, 'SE_DAEMON_UNREACHABLE')
  t.true(error.message.includes(path))
  t.is(error.hint, 'start one with: se daemon start')
})

onUnix('what listens and does not answer is told to hang, whatever the limit', async (t) => {
  const socket = await startHanging(t.teardown)
  const error = await failureOf(connect({ socket, timeoutMs: 60_000 }))
  t.is(error.code, 'SE_DAEMON_UNREACHABLE')
  t.is(error.message, `the daemon at ${socket} is there and does not answer`)
})

onUnix('a daemon of another program, or of another version, is told', async (t) => {
  const version = '/health.v1.VersionService/GetVersion'
  for (const [answers, message] of [
    [{}, /is not one of se-native$/],
    [{ [version]: '{"version":"v0.1.5"}' }, /is not one of se-native$/],
    [{ [version]: '{"version":"v9.0.0"}' }, /is v9\.0\.0, and this is v/],
    [{ [version]: '{"version":"\\u001b[31m"}' }, /is another version, and this is v/],
    [{ [version]: '[]' }, /cannot be understood$/],
  ] as const) {
    const error = await failureOf(connect({ socket: await startFake(t.teardown, answers) }))
    t.is(error.code, 'SE_DAEMON_INCOMPATIBLE', error.message)
    t.regex(error.message, message)
    t.truthy(error.hint)
  }
})

onUnix('an answer of another shape is no answer', async (t) => {
  const ours = '/senative.engine.v1.EngineService/'
  for (const batch of ['{"results":[]}', '{"results":[{"envelopes":[3]}]}', '{}', '[1]']) {
    const answers = {
      '/health.v1.VersionService/GetVersion': '{"version":"v0.1.0"}',
      [`${ours}Describe`]: '{}',
      [`${ours}GetBatch`]: batch,
    }
    const client = await connect({ socket: await startFake(t.teardown, answers) })
    t.is((await failureOf(client.getBatch(['a']))).code, 'SE_DAEMON_INCOMPATIBLE', batch)
  }
})

onUnix('options that do not exist are refused', async (t) => {
  t.is((await failureOf(connect({ path: 'x' } as never))).code, 'SE_INVALID_OPTION')
  t.is((await failureOf(connect({ socket: 1 } as never))).code, 'SE_INVALID_OPTION')
  t.is((await failureOf(connect({ timeoutMs: 0 }))).code, 'SE_INVALID_OPTION')
})
