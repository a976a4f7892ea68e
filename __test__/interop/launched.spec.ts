// Plugins of Docker's published Go module, unchanged, that our daemon launches.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { getSecrets, type JsonEnvelope, type JsonError } from '../helpers/ask.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { buildGo, buildGoFirst, EventFile, goClient, goMissing, writeSecrets } from '../helpers/go.js'
import { createFileHome, type Home } from '../helpers/se.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

interface Launched {
  readonly home: Home
  readonly daemon: Daemon
  readonly events: EventFile
  /** What the plugin's process is. */
  pid(): number
  ids(pattern: string): Promise<string[]>
}

/** A daemon with a Go plugin `vault` in its plugin folder: a script that becomes the program, with these flags. */
async function launch(t: ExecutionContext, flags: readonly string[] = []): Promise<Launched> {
  const home = await createFileHome((fn) => t.teardown(fn))
  const events = new EventFile(home.folder, 'vault')
  const secrets = writeSecrets(home.folder, [{ id: 'vault/a', value: Buffer.from('a') }])
  const folder = join(home.folder, 'data/se-native/plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const words = [
    join(await buildGo(), 'plugin'),
    '-log',
    events.path,
    '-pattern',
    'vault/**',
    '-secrets',
    secrets,
    ...flags,
  ]
  writeFileSync(
    join(folder, 'vault'),
    `#!/bin/sh\necho $$ >'${home.folder}/pid'\nexec ${words.map((word) => `'${word}'`).join(' ')}\n`,
  )
  chmodSync(join(folder, 'vault'), 0o700)
  const daemon = await startDaemon(t, { home })
  const ids = async (pattern: string): Promise<string[]> => {
    const reply = await getSecrets(daemon.socket, pattern)
    if (reply.status !== 200) return [reply.json<JsonError>().code]
    return reply.json<{ envelopes: JsonEnvelope[] }>().envelopes.map(({ id }) => id)
  }
  return { home, daemon, events, ids, pid: () => Number(readFileSync(join(home.folder, 'pid'), 'utf8')) }
}

/** Whether a process is there. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a plugin in the plugin folder is launched, registers under its name, and is asked', async (t) => {
  const { daemon, events, ids } = await launch(t)
  await events.line(/^registered$/)
  t.deepEqual(await ids('**'), ['vault/a'])
  const { plugins = [] } = await goClient(['-socket', daemon.socket, 'list'])
  t.like(
    plugins.find(({ name }) => name === 'vault'),
    { external: true, configurable: true, runStatus: 'RUN_STATUS_RUNNING', pattern: 'vault/**', version: 'v1.0.0' },
  )
})

test('it has none of the descriptors and few of the variables of the daemon', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const folder = join(home.folder, 'data/se-native/plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const events = new EventFile(home.folder, 'probe')
  const script = `#!/bin/sh
{ env | cut -d= -f1 | sort | tr '\\n' ' '; ls /proc/$$/fd | tr '\\n' ' '; echo; } >>'${events.path}'
exec '${join(await buildGo(), 'plugin')}' -pattern 'x/**'
`
  writeFileSync(join(folder, 'probe'), script)
  chmodSync(join(folder, 'probe'), 0o700)
  await startDaemon(t, { home, env: { SE_TEST_PASSWORD: 'of somebody else' } })
  const line = await events.line(/DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG/)
  t.false(line.includes('SE_TEST_PASSWORD'), line)
  // The shell keeps its script, and its own standard output, on 10 and 11.
  t.regex(line, / 0 1 (10 |11 )*2 (255 )?3 $/)
})

test('one that ends in the middle of a request fails it, and is started again', async (t) => {
  const { daemon, events, ids } = await launch(t, ['-exit-after', '1'])
  t.deepEqual(await ids('vault/a'), ['vault/a'])
  t.deepEqual(await ids('vault/a'), ['unavailable'])
  const { plugins = [] } = await goClient(['-socket', daemon.socket, 'list'])
  t.like(
    plugins.find(({ name }) => name === 'vault'),
    { runStatus: 'RUN_STATUS_CRASHED' },
  )
  // This one waits for the next start.
  t.deepEqual(await ids('vault/a'), ['vault/a'])
  t.is(events.lines.filter((line) => line === 'registered').length, 2)
})

test('one that is killed while it is asked fails the request at once, and the next request has the next process', async (t) => {
  const { events, ids, pid } = await launch(t, ['-delay', '500ms'])
  await events.line(/^registered$/)
  const asked = ids('vault/a')
  await events.line(/^asked/)
  const killed = pid()
  process.kill(killed, 'SIGKILL')
  t.deepEqual(await asked, ['unavailable'])
  t.deepEqual(await ids('vault/a'), ['vault/a'])
  t.not(pid(), killed)
})

test('disabling ends its process and holds after a restart; enabling starts it', async (t) => {
  const { daemon, events, ids, pid } = await launch(t)
  await events.line(/^registered$/)
  const first = pid()
  t.is((await goClient(['-socket', daemon.socket, 'disable', 'vault'])).error, undefined)
  await events.line(/^ended <nil>$/)
  t.deepEqual(await ids('vault/a'), ['not_found'])
  await daemon.restart()
  t.deepEqual(await ids('vault/a'), ['not_found'])
  t.is(pid(), first)
  t.is((await goClient(['-socket', daemon.socket, 'enable', 'vault'])).error, undefined)
  t.deepEqual(await ids('vault/a'), ['vault/a'])
  t.not(pid(), first)
})

test('disabling one that stays is answered within the second that the Go client waits, and it is killed', async (t) => {
  const { daemon, events, ids, pid } = await launch(t, ['-stubborn'])
  await events.line(/^registered$/)
  const first = pid()
  const patience = ['-response-timeout', '3s']
  t.is((await goClient(['-socket', daemon.socket, ...patience, 'disable', 'vault'])).error, undefined)
  t.true(isRunning(first))
  t.deepEqual(await ids('vault/a'), ['not_found'])
  t.is((await goClient(['-socket', daemon.socket, ...patience, 'enable', 'vault'])).error, undefined)
  await events.line(/^registered$/)
  t.false(isRunning(first))
  t.deepEqual(await ids('vault/a'), ['vault/a'])
})

test('it is asked to shut down when the daemon stops, and one that stays is killed', async (t) => {
  const good = await launch(t)
  await good.events.line(/^registered$/)
  t.is(await good.daemon.stop(), 0)
  t.is(good.events.lines.at(-1), 'ended <nil>')

  const stubborn = await launch(t, ['-stubborn'])
  await stubborn.events.line(/^registered$/)
  const pid = stubborn.pid()
  t.is(await stubborn.daemon.stop(), 0)
  t.false(isRunning(pid))
})

test('a configured plugin is asked within a pattern narrower than its own', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const secrets = writeSecrets(home.folder, [
    { id: 'vault/dev/a', value: Buffer.from('a') },
    { id: 'vault/prod/a', value: Buffer.from('a') },
  ])
  const program = join(await buildGo(), 'plugin')
  const config = `[plugins.vault]
command = ["${program}", "-pattern", "vault/**"]
args = ["-secrets", "${secrets}", "-loose"]
pattern = "vault/dev/**"
`
  const daemon = await startDaemon(t, { home, config })
  const reply = await getSecrets(daemon.socket, 'vault/**')
  t.deepEqual(
    reply.json<{ envelopes: JsonEnvelope[] }>().envelopes.map(({ id }) => id),
    ['vault/dev/a'],
  )
  t.is((await getSecrets(daemon.socket, 'vault/prod/a')).status, 404)
})

test('one that never registers delays neither the start nor the answers of others', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'mine'], { stdin: 'mine' })
  const config = '[plugins.sleeper]\ncommand = ["sleep", "1000"]\npattern = "sleeper/**"\n'
  const daemon = await startDaemon(t, { home, config })
  t.is((await getSecrets(daemon.socket, 'mine')).status, 200)
  const { plugins = [] } = await goClient(['-socket', daemon.socket, 'list'])
  t.true(plugins.every(({ name, runStatus }) => name !== 'sleeper' || runStatus !== 'RUN_STATUS_RUNNING'))
  t.not((await getSecrets(daemon.socket, 'sleeper/a')).json<JsonError>().code, 'not_found')
})
