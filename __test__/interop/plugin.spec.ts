// Plugins of Docker's published Go module, unchanged, that dial our daemon.
import { basename } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { getSecrets, type JsonEnvelope, type JsonError } from '../helpers/ask.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import {
  buildGoFirst,
  type GoPlugin,
  type GoSecret,
  goClient,
  goMissing,
  type LineProgram,
  startGo,
  writeSecrets,
} from '../helpers/go.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

const SECRETS: readonly GoSecret[] = [
  { id: 'vault/a', value: Buffer.from('a') },
  { id: 'vault/b', value: Buffer.from('b') },
]

/** Starts a Go plugin `vault` that dials, and waits until it has registered. */
async function dial(t: ExecutionContext, daemon: Daemon, flags: readonly string[] = []): Promise<LineProgram> {
  const file = writeSecrets(daemon.home.folder, SECRETS)
  const args = ['-socket', daemon.socket, '-name', 'vault', '-pattern', 'vault/**', '-secrets', file, ...flags]
  const plugin = await startGo('plugin', args, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  return plugin
}

/** Registers by hand, and answers with what the daemon says to it. */
async function register(t: ExecutionContext, daemon: Daemon, ...flags: string[]): Promise<LineProgram> {
  return startGo('register', ['-socket', daemon.socket, ...flags], (fn) => t.teardown(fn))
}

async function ids(daemon: Daemon, pattern: string): Promise<string[]> {
  const reply = await getSecrets(daemon.socket, pattern)
  if (reply.status !== 200) return [reply.json<JsonError>().code]
  return reply.json<{ envelopes: JsonEnvelope[] }>().envelopes.map(({ id }) => id)
}

async function listed(daemon: Daemon): Promise<readonly GoPlugin[]> {
  const { plugins = [] } = await goClient(['-socket', daemon.socket, 'list'])
  return plugins.filter(({ name }) => name !== 'docker-pass')
}

/** Waits until the daemon has noticed what happened to a plugin, which nothing else tells. */
async function until(daemon: Daemon, what: (plugins: readonly GoPlugin[]) => boolean): Promise<void> {
  while (!what(await listed(daemon)));
}

test('a plugin that dials is listed, asked for what its pattern overlaps, and gone when it ends', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await dial(t, daemon)
  t.like((await listed(daemon))[0], { name: 'vault', external: true, pattern: 'vault/**', version: 'v1.0.0' })
  t.deepEqual(await ids(daemon, '**'), ['vault/a', 'vault/b'])
  t.deepEqual(await ids(daemon, '*/a'), ['vault/a'])
  t.deepEqual(await ids(daemon, 'other/a'), ['not_found'])
  t.deepEqual(plugin.lines, ['asked vault/**', 'asked */a'])

  t.is(await plugin.stop('SIGTERM'), 0)
  await until(daemon, (plugins) => plugins.length === 0)
  t.deepEqual(await ids(daemon, 'vault/a'), ['not_found'])

  await dial(t, daemon)
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
})

test('the answer to a registration names the engine, its version and the time limit', async (t) => {
  const daemon = await startDaemon(t)
  const answer = JSON.parse(await (await register(t, daemon, '-name', 'one')).line(/./))
  t.like(answer, { engine: 'se-native', error: undefined })
  t.regex(answer.version, /^v\d+\.\d+\.\d+/)
  t.regex(answer.timeout, /^\d+s$/)
})

test('a name that is taken is refused with the reason, and the first plugin stays', async (t) => {
  const daemon = await startDaemon(t)
  await dial(t, daemon)
  for (const name of ['vault', 'docker-pass']) {
    const second = await register(t, daemon, '-name', name)
    const { code, error } = JSON.parse(await second.line(/./))
    t.is(code, 'already_exists')
    t.true(error.includes(name), error)
    t.like(JSON.parse(await second.line(/./)), { ended: true })
  }
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
  t.is((await listed(daemon)).length, 1)
})

test('a plugin of the published module with a taken name ends with the reason', async (t) => {
  const daemon = await startDaemon(t)
  await dial(t, daemon)
  const args = ['-socket', daemon.socket, '-name', 'vault', '-pattern', '**']
  const second = await startGo('plugin', args, (fn) => t.teardown(fn))
  t.regex(await second.line(/^ended/), /already_exists.*vault/)
  t.is(await second.ended(), 1)
})

test('registering a second time in one session is refused, and the plugin stays registered', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await register(t, daemon, '-name', 'twice', '-times', '2')
  t.like(JSON.parse(await plugin.line(/./)), { engine: 'se-native' })
  t.like(JSON.parse(await plugin.line(/./)), { code: 'already_exists' })
  t.is((await listed(daemon)).length, 1)
})

const bad: readonly [title: string, ...flags: string[]][] = [
  ['a bad pattern', '-name', 'bad', '-pattern', 'x*'],
  ['an empty pattern', '-name', 'bad', '-pattern', ''],
  ['a bad version', '-name', 'bad', '-version', '1.0'],
  ['an empty name', '-name', ''],
  ['a name with a space and a newline', '-name', 'a b\n'],
  ['neither secrets nor access control', '-name', 'bad', '-kind', 'none'],
]
for (const [title, ...flags] of bad) {
  test(`registering with ${title} is refused with the reason`, async (t) => {
    const daemon = await startDaemon(t)
    const plugin = await register(t, daemon, ...flags)
    const { code, error } = JSON.parse(await plugin.line(/./))
    t.is(code, 'invalid_argument', error)
    t.like(JSON.parse(await plugin.line(/./)), { ended: true })
    t.is((await listed(daemon)).length, 0)
  })
}

test('a session in which nobody registers is closed', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await register(t, daemon, '-times', '0')
  t.like(JSON.parse(await plugin.line(/./)), { ended: true })
  t.is((await getSecrets(daemon.socket, 'vault/a')).status, 404)
})

test('a plugin that fails gives its failure when it is alone, and hides nobody else', async (t) => {
  const daemon = await startDaemon(t)
  await dial(t, daemon, ['-fail', 'the vault is on fire'])
  const alone = await getSecrets(daemon.socket, 'vault/a')
  t.not(alone.status, 200)
  t.regex(alone.json<JsonError>().message, /vault/)
  t.not(alone.json<JsonError>().code, 'not_found')

  await daemon.home.ok(['set', 'vault/a'], { stdin: 'of the store' })
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
  t.regex(await daemon.home.ok(['explain', 'se://vault/a']), /vault[^\n]*failed/)
})

test('a plugin that panics fails its request and stays', async (t) => {
  const daemon = await startDaemon(t)
  await dial(t, daemon, ['-panic'])
  for (let n = 0; n < 3; n++) t.deepEqual(await ids(daemon, 'vault/a'), ['internal'])
  t.is((await listed(daemon)).length, 1)
})

for (const [title, ...flags] of [
  ['exits instead of answering', '-exit-after', '1'],
  ['cuts its connection instead of answering', '-drop-after', '1'],
] as const) {
  test(`the request in which a plugin ${title} fails at once, and the next is not_found`, async (t) => {
    const daemon = await startDaemon(t)
    await dial(t, daemon, flags)
    t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
    t.deepEqual(await ids(daemon, 'vault/a'), ['unavailable'])
    await until(daemon, (plugins) => plugins.length === 0)
    t.deepEqual(await ids(daemon, 'vault/a'), ['not_found'])
  })
}

test('an answer that is cut off in its middle is a failure, and no part of it is given out', async (t) => {
  const daemon = await startDaemon(t)
  const file = writeSecrets(daemon.home.folder, [{ id: 'vault/big', size: 1 << 20 }])
  await dial(t, daemon, ['-secrets', file, '-cut-answer', '100000'])
  t.deepEqual(await ids(daemon, 'vault/big'), ['unavailable'])
})

test('the request during which a plugin is killed fails at once', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await dial(t, daemon, ['-delay', '1h'])
  const asked = ids(daemon, 'vault/a')
  await plugin.line(/^asked vault\/a$/)
  await plugin.stop('SIGKILL')
  t.deepEqual(await asked, ['unavailable'])
})

test('a plugin is told when nobody waits for its answer any more', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await dial(t, daemon, ['-delay', '1h'])
  const client = await startGo('client', ['-socket', daemon.socket, '-response-timeout', '0'], (fn) => t.teardown(fn))
  client.child.stdin.write('get vault/a\n')
  await plugin.line(/^asked/)
  await client.stop('SIGKILL')
  t.is(await plugin.line(/^cancelled/), 'cancelled vault/a')
})

test('answers outside of what was asked or of the own pattern are dropped, and the fault is told', async (t) => {
  const daemon = await startDaemon(t)
  const file = writeSecrets(daemon.home.folder, [...SECRETS, { id: 'other/c', value: Buffer.from('c') }])
  await dial(t, daemon, ['-secrets', file, '-loose'])
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
  t.deepEqual(await ids(daemon, '**'), ['vault/a', 'vault/b'])
  t.regex(await daemon.home.ok(['explain', 'se://**']), /other\/c/)
})

test('of several answers with one id, all come to who asks by pattern, and reading one is ambiguous or the first', async (t) => {
  const daemon = await startDaemon(t)
  const file = writeSecrets(daemon.home.folder, [
    { id: 'vault/a', value: Buffer.from('first') },
    { id: 'vault/a', value: Buffer.from('second') },
  ])
  await dial(t, daemon, ['-secrets', file])
  const reply = await getSecrets(daemon.socket, 'vault/a')
  t.is(reply.status, 200)
  t.true(reply.json<{ envelopes: JsonEnvelope[] }>().envelopes.length >= 1)
})

test('100,000 secrets of one plugin hide nobody else', async (t) => {
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  const args = ['-socket', daemon.socket, '-name', 'many', '-pattern', 'many/**', '-count', '100000']
  const plugin = await startGo('plugin', args, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  t.deepEqual(await ids(daemon, 'mine'), ['mine'])
  const all = await ids(daemon, 'many/**')
  t.is(all.length, 100_000)
  t.is(new Set(all).size, 100_000)
})

test('an access control module decides about every request, and knows who asks', async (t) => {
  const daemon = await startDaemon(t)
  await dial(t, daemon)
  const args = ['-socket', daemon.socket, '-name', 'gate', '-access']
  const gate = await startGo('plugin', [...args, 'deny'], (fn) => t.teardown(fn))
  await gate.line(/^registered$/)
  t.deepEqual(await ids(daemon, 'vault/a'), ['permission_denied'])
  t.is(
    await gate.line(/^checked/),
    `checked vault/a by ${basename(process.execPath)} ${process.pid} ${process.execPath}`,
  )
  t.deepEqual(
    (await listed(daemon)).map(({ name, kind }) => [name, kind]),
    [
      ['gate', 'access control'],
      ['vault', 'secrets'],
    ],
  )
  t.regex(await daemon.home.ok(['plugins', 'ls']), /gate +v1\.0\.0 +decides about access +running/)
  await daemon.home.ok(['plugins', 'disable', 'gate'])
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
  await daemon.home.ok(['plugins', 'enable', 'gate'])
  t.deepEqual(await ids(daemon, 'vault/a'), ['permission_denied'])
  await gate.stop('SIGTERM')
  await daemon.logged(({ message, plugin }) => message === 'a plugin left' && plugin === 'gate')
  const open = await startGo('plugin', [...args, 'allow'], (fn) => t.teardown(fn))
  await open.line(/^registered$/)
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
})

test('a plugin that has ended its session when the daemon stops dials the next one', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await dial(t, daemon, ['-reconnect'])
  await daemon.restart()
  await plugin.line(/^ended <nil>$/)
  await plugin.line(/^registered$/)
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
})

test('a plugin that dials is disabled for the next daemon, too, until it is enabled', async (t) => {
  const daemon = await startDaemon(t)
  const plugin = await dial(t, daemon, ['-reconnect'])
  t.is((await goClient(['-socket', daemon.socket, 'disable', 'vault'])).error, undefined)
  t.deepEqual(await ids(daemon, 'vault/a'), ['not_found'])
  await daemon.restart()
  await plugin.line(/^registered$/)
  t.like((await listed(daemon))[0], { name: 'vault', disabled: true })
  t.deepEqual(await ids(daemon, 'vault/a'), ['not_found'])
  t.is((await goClient(['-socket', daemon.socket, 'enable', 'vault'])).error, undefined)
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
  await daemon.restart()
  await plugin.line(/^registered$/)
  t.deepEqual(await ids(daemon, 'vault/a'), ['vault/a'])
  t.deepEqual(
    plugin.lines.filter((line) => line.startsWith('asked')),
    ['asked vault/a'],
  )
})
