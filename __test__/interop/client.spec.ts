// Docker's published Go client, unchanged, against our daemon.
import { join } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import {
  buildGoFirst,
  type GoAnswer,
  type GoSecret,
  goClient,
  goMissing,
  startGo,
  writeSecrets,
} from '../helpers/go.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

/** A daemon with a Go plugin `vault` that has these secrets, and the client that asks it. */
async function startBoth(
  t: ExecutionContext,
  secrets: readonly GoSecret[],
  flags: readonly string[] = [],
): Promise<{ daemon: Daemon; ask(...args: string[]): Promise<GoAnswer> }> {
  const daemon = await startDaemon(t)
  const file = writeSecrets(daemon.home.folder, secrets)
  const args = ['-socket', daemon.socket, '-name', 'vault', '-pattern', 'vault/**', '-secrets', file, ...flags]
  const plugin = await startGo('plugin', args, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  return { daemon, ask: (...args) => goClient(['-socket', daemon.socket, ...args]) }
}

test('one id is answered with all that the plugin told', async (t) => {
  const { ask } = await startBoth(t, [
    {
      id: 'vault/prod:eu/db_1',
      value: Buffer.from('päss\n'),
      version: '42',
      provider: 'a name of its own',
      metadata: { owner: 'Zoë', '': 'empty name', 'a b': '' },
      createdAt: '2020-01-02T03:04:05.678Z',
      expiresAt: '2999-12-31T23:59:59.999Z',
    },
    { id: 'vault/other', value: Buffer.from('other') },
  ])
  const before = new Date().toISOString()
  const { envelopes, error } = await ask('get', 'vault/prod:eu/db_1')
  t.is(error, undefined)
  t.is(envelopes?.length, 1)
  const [envelope] = envelopes ?? []
  t.deepEqual(
    { ...envelope, resolvedAt: undefined },
    {
      id: 'vault/prod:eu/db_1',
      value: Buffer.from('päss\n').toString('base64'),
      length: 6,
      provider: 'vault',
      version: '42',
      metadata: { owner: 'Zoë', '': 'empty name', 'a b': '' },
      createdAt: '2020-01-02T03:04:05.678Z',
      resolvedAt: undefined,
      expiresAt: '2999-12-31T23:59:59.999Z',
    },
  )
  const resolved = envelope?.resolvedAt ?? ''
  t.true(Date.parse(resolved) >= Date.parse(before) && Date.parse(resolved) <= Date.now(), resolved)
})

test("times that nobody knows are Go's zero time, and a value of the store has its own", async (t) => {
  const { daemon, ask } = await startBoth(t, [{ id: 'vault/a', value: Buffer.from('a') }])
  await daemon.home.ok(['set', 'app/db'], { stdin: 'from the store' })
  const [plain] = (await ask('get', 'vault/a')).envelopes ?? []
  t.like(plain, { createdAt: '', expiresAt: '', version: '' })
  const [stored] = (await ask('get', 'app/db')).envelopes ?? []
  t.like(stored, { value: Buffer.from('from the store').toString('base64'), provider: 'docker-pass', expiresAt: '' })
  t.true(Math.abs(Date.parse(stored?.createdAt ?? '') - Date.now()) < 60_000)
})

test('a pattern is answered by every plugin that has some of it, in order', async (t) => {
  const { daemon, ask } = await startBoth(t, [
    { id: 'vault/b', value: Buffer.from('b') },
    { id: 'vault/a', value: Buffer.from('a') },
    { id: 'vault/deep/c', value: Buffer.from('c') },
  ])
  await daemon.home.ok(['set', 'vault/z'], { stdin: 'z' })
  const found = async (pattern: string): Promise<string[] | undefined> =>
    (await ask('get', pattern)).envelopes?.map(({ provider, id }) => `${provider} ${id}`)
  t.deepEqual(await found('**'), ['docker-pass vault/z', 'vault vault/a', 'vault vault/b', 'vault vault/deep/c'])
  t.deepEqual(await found('vault/*'), ['docker-pass vault/z', 'vault vault/a', 'vault vault/b'])
  t.deepEqual(await found('*/deep/**'), ['vault vault/deep/c'])
})

test('nothing found is ErrSecretNotFound', async (t) => {
  const { ask } = await startBoth(t, [])
  t.like(await ask('get', 'vault/none'), { error: 'secret not found', notFound: true, notAvailable: false })
  t.like(await ask('get', 'elsewhere/**'), { error: 'secret not found', notFound: true })
})

test('a bad pattern is invalid_argument', async (t) => {
  const { ask } = await startBoth(t, [])
  for (const pattern of ['vault*', '***', '/', 'a//b', 'a b', '']) {
    const { code, error, notFound } = await ask('-raw-pattern', 'get', pattern)
    t.deepEqual({ code, notFound }, { code: 'invalid_argument', notFound: false }, `${pattern}: ${error}`)
  }
})

test('1,000 envelopes come whole', async (t) => {
  const secrets = Array.from({ length: 1000 }, (_, n) => ({ id: `vault/${n}`, value: Buffer.from(`value ${n}`) }))
  const { ask } = await startBoth(t, secrets)
  const { envelopes } = await ask('get', 'vault/*')
  t.deepEqual(
    envelopes?.map(({ id, value }) => [id, value]),
    secrets.map(({ id, value }) => [id, value.toString('base64')]).sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  )
})

test('values of every byte, of 1 MiB and of none come as they are', async (t) => {
  const { ask } = await startBoth(t, [
    { id: 'vault/binary', size: 256 },
    { id: 'vault/big', size: 1 << 20 },
    { id: 'vault/empty' },
  ])
  const bytes = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_, n) => n & 255))
  const { envelopes } = await ask('get', 'vault/**')
  t.deepEqual(
    envelopes?.map(({ id, length }) => [id, length]),
    [
      ['vault/big', 1 << 20],
      ['vault/binary', 256],
      ['vault/empty', 0],
    ],
  )
  t.is(envelopes?.[0]?.value, bytes(1 << 20).toString('base64'))
  t.is(envelopes?.[1]?.value, bytes(256).toString('base64'))
  t.is(envelopes?.[2]?.value ?? '', '')
})

test('ListPlugins shows all plugins; Disable and Enable change what is asked', async (t) => {
  const { daemon, ask } = await startBoth(t, [{ id: 'vault/a', value: Buffer.from('a') }], ['-version', 'v1.2.3-rc.1'])
  const listed = async () => (await ask('list')).plugins ?? []
  t.deepEqual(
    (await listed()).map(({ statusMessage: _, ...plugin }) => plugin),
    [
      {
        name: 'docker-pass',
        version: (await listed())[0]?.version ?? '',
        disabled: false,
        external: false,
        configurable: false,
        runStatus: 'RUN_STATUS_RUNNING',
        kind: 'secrets',
        pattern: '**',
      },
      {
        name: 'vault',
        version: 'v1.2.3-rc.1',
        disabled: false,
        external: true,
        configurable: true,
        runStatus: 'RUN_STATUS_RUNNING',
        kind: 'secrets',
        pattern: 'vault/**',
      },
    ],
  )

  t.is((await ask('disable', 'vault')).error, undefined)
  t.like((await listed())[1], { name: 'vault', disabled: true })
  t.true((await ask('get', 'vault/a')).notFound)
  t.regex(await daemon.home.ok(['plugins', 'ls']), /vault/)

  t.is((await ask('enable', 'vault')).error, undefined)
  t.like((await listed())[1], { name: 'vault', disabled: false })
  t.is((await ask('get', 'vault/a')).envelopes?.length, 1)

  t.is((await ask('disable', 'nobody')).code, 'not_found')
  t.is((await ask('enable', 'nobody')).code, 'not_found')
})

test('Version is a semantic version with a v', async (t) => {
  const { ask } = await startBoth(t, [])
  const { version, error } = await ask('version')
  t.is(error, undefined)
  t.regex(version ?? '', /^v\d+\.\d+\.\d+/)
})

test('an answer that takes longer than its head may is deadline_exceeded, and without that limit an answer', async (t) => {
  const { ask } = await startBoth(t, [{ id: 'vault/a', value: Buffer.from('a') }], ['-delay', '1500ms'])
  t.like(await ask('-response-timeout', '1s', 'get', 'vault/a'), { code: 'deadline_exceeded', notFound: false })
  t.is((await ask('get', 'vault/a')).envelopes?.length, 1)
  t.like(await ask('-timeout', '300ms', 'get', 'vault/a'), {
    notFound: false,
    envelopes: undefined,
  })
})

test('one client asks again and again over the same connections', async (t) => {
  const { daemon } = await startBoth(t, [{ id: 'vault/a', value: Buffer.from('a') }])
  const client = await startGo('client', ['-socket', daemon.socket, '-response-timeout', '0'], (fn) => t.teardown(fn))
  for (let n = 0; n < 200; n++) t.is((await client.ask<GoAnswer>('get vault/a')).envelopes?.length, 1)
  t.true((await client.ask<GoAnswer>('get vault/none')).notFound)
})

test('without a daemon the client says that the engine is not available', async (t) => {
  const { daemon, ask } = await startBoth(t, [])
  t.is(await daemon.stop(), 0)
  t.like(await ask('get', 'vault/a'), { notAvailable: true, notFound: false })
  t.like(await goClient(['-socket', join(daemon.home.folder, 'none.sock'), 'list']), { notAvailable: true })
})
