// The daemon as a process: how it begins, what it does at signals, and what it leaves behind.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { ask, GET_SECRETS, getSecrets, type JsonEnvelope, type JsonError } from '../helpers/ask.js'
import { configFile, configureDaemon, type Daemon, homeAddress, spawnDaemon, startDaemon } from '../helpers/daemon.js'
import { type Keyring, keyringMissing, startKeyring } from '../helpers/keyring.js'
import { checkBundle, createFileHome, createHome } from '../helpers/se.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn
const onLinux = (process.platform === 'linux' ? test : test.skip) as TestFn
const onAKeyring = (keyringMissing() === undefined ? test : test.skip) as TestFn

test.before(checkBundle)

/** The values of an answer as text; or the code of the error. */
async function values(daemon: Pick<Daemon, 'socket'>, pattern: string): Promise<string[] | string> {
  const reply = await getSecrets(daemon.socket, pattern)
  if (reply.status !== 200) return reply.json<JsonError>().code
  const { envelopes = [] } = reply.json<{ envelopes?: JsonEnvelope[] }>()
  return envelopes.map(({ value = '' }) => Buffer.from(value, 'base64').toString())
}

/** A plugin that answers each request with its own line, after so many seconds. */
function linesPlugin(name: string, value: string, seconds = 0): string {
  const script = `while read -r line; do sleep ${seconds}; echo '{"id":"${name}/a","value":"${value}"}'; echo; done`
  return `[plugins.${name}]\ncommand = ["sh", "-c", ${JSON.stringify(script)}]\nprotocol = "lines"\npattern = "${name}/**"\n`
}

test('a daemon that is asked to end does so with the status 0, and leaves no socket', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const daemon = await startDaemon(t)
    t.true(existsSync(daemon.socket))
    daemon.signal(signal)
    t.is(await daemon.ended, 0)
    t.deepEqual(readdirSync(dirname(daemon.socket)), ['daemon.sock.lock'])
    t.like(daemon.lines.at(-1), { message: 'the daemon has ended', droppedLines: 0 })
    t.deepEqual(daemon.others, [])
  }
})

test('of two daemons that start at once one runs, and the other says so', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'mine'], { stdin: 'mine' })
  configureDaemon(home)
  const both = [await spawnDaemon(t, { home }), await spawnDaemon(t, { home })]
  const [loser, winner] = await Promise.race(
    both.map(async (daemon, index) => [(await daemon.ended, daemon), both[1 - index] as Daemon] as const),
  )
  t.is(await loser.ended, 1)
  t.regex(loser.others.join('\n'), /^se: a daemon of se-native runs already on \S+\nhint: se daemon status/)
  await winner.logged('the daemon has started')
  t.deepEqual(await values(winner, 'mine'), ['mine'])
  t.is(await winner.stop(), 0)
})

test('a daemon that was killed keeps no other from starting', async (t) => {
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  await daemon.kill()
  t.true(existsSync(daemon.socket))
  const next = await startDaemon(t, { home: daemon.home })
  t.deepEqual(await values(next, 'mine'), ['mine'])
})

test('no request is lost when the daemon ends under load, nor one that comes while it ends', async (t) => {
  const daemon = await startDaemon(t, { config: linesPlugin('slow', 'slowly', 0.05) })
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  await values(daemon, 'slow/a')
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.teardown(() => agent.destroy())
  const outcomes: string[] = []
  let isOver = false
  const client = async (pattern: string): Promise<void> => {
    while (!isOver) {
      try {
        outcomes.push(String((await getSecrets(daemon.socket, pattern)).status))
      } catch (error) {
        // Nobody listens any more: nothing was sent.
        outcomes.push((error as NodeJS.ErrnoException).code ?? 'none')
        return
      }
    }
  }
  const clients = Array.from({ length: 8 }, (_, index) => client(index % 2 === 0 ? 'mine' : 'slow/a'))
  while (outcomes.length < 50) await new Promise(setImmediate)
  const ended = daemon.stop()
  await Promise.all(clients)
  isOver = true
  t.is(await ended, 0)
  t.deepEqual([...new Set(outcomes)].sort(), ['200', 'ENOENT'])
})

test('a second signal ends the daemon at once, whatever it waits for', async (t) => {
  const daemon = await startDaemon(t, { config: linesPlugin('slow', 'slowly', 30) })
  const asked = getSecrets(daemon.socket, 'slow/a').catch(() => undefined)
  const socket = connect(daemon.socket)
  socket.on('error', () => {})
  await daemon.logged('the daemon has started')
  // A request that is there for sure: its connection was accepted before the answer to a later one.
  await ask(daemon.socket, '/health')
  daemon.signal('SIGTERM')
  await daemon.logged('the daemon ends')
  daemon.signal('SIGTERM')
  t.is(await daemon.ended, 1)
  socket.destroy()
  await asked
})

test('SIGHUP reads the configuration again: plugins come, change and go', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  configureDaemon(home)
  const plain = readFileSync(configFile(home), 'utf8')
  const daemon = await startDaemon(t, { home })
  const reload = async (config: string): Promise<void> => {
    daemon.lines.length
    const before = daemon.lines.length
    writeFileSync(configFile(home), `${plain}\n${config}`)
    daemon.signal('SIGHUP')
    await daemon.logged(
      (line) => daemon.lines.indexOf(line) >= before && line['message'] === 'the configuration was read again',
    )
  }
  t.deepEqual(await values(daemon, 'vault/a'), 'not_found')
  await reload(linesPlugin('vault', 'first'))
  t.deepEqual(await values(daemon, 'vault/a'), ['first'])
  await reload(linesPlugin('vault', 'second'))
  t.deepEqual(await values(daemon, 'vault/a'), ['second'])
  await reload('')
  t.deepEqual(await values(daemon, 'vault/a'), 'not_found')
})

/** A plugin that holds each request until it is let go. */
function heldPlugin(folder: string, name: string, value: string) {
  const [asked, free] = [join(folder, `${name}.asked`), join(folder, `${name}.free`)]
  execFileSync('mkfifo', [asked, free])
  const script = `read -r line; echo >'${asked}'; read -r go <'${free}'; echo '{"id":"${name}/a","value":"${value}"}'`
  return {
    table: `[plugins.${name}]\ncommand = ["sh", "-c", ${JSON.stringify(script)}]\nprotocol = "lines"\npattern = "${name}/**"\n`,
    isAsked: () => readFile(asked),
    letGo: () => writeFile(free, '\n'),
  }
}

test('the first request after an edit finds what is configured now, whatever the plugins before have still to do', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const changed = heldPlugin(home.folder, 'changed', 'before')
  const gone = heldPlugin(home.folder, 'gone', 'before')
  configureDaemon(home)
  const plain = readFileSync(configFile(home), 'utf8')
  const daemon = await startDaemon(t, { home, config: changed.table + gone.table })
  const asked = [values(daemon, 'changed/a'), values(daemon, 'gone/a')]
  await Promise.all([changed.isAsked(), gone.isAsked()])

  writeFileSync(configFile(home), plain + linesPlugin('changed', 'now') + linesPlugin('added', 'new'))
  const found = [await values(daemon, 'changed/a'), await values(daemon, 'added/a'), await values(daemon, 'gone/a')]
  t.deepEqual(found, [['now'], ['new'], 'not_found'])

  await Promise.all([changed.letGo(), gone.letGo()])
  t.deepEqual(await Promise.all(asked), [['before'], ['before']])
  t.is(await daemon.stop(), 0)
})

test('a request waits for the process of a plugin whose table was changed', async (t) => {
  const fixture = fileURLToPath(new URL('../fixtures/launched-plugin.ts', import.meta.url))
  const table = (value: string): string => {
    const command = [process.execPath, `--import=${import.meta.resolve('tsx')}`, fixture, 'good', value]
    return `[plugins.vault]\ncommand = ${JSON.stringify(command)}\ntimeout_ms = 60000\n`
  }
  const home = await createFileHome((fn) => t.teardown(fn))
  configureDaemon(home)
  const plain = readFileSync(configFile(home), 'utf8')
  const daemon = await startDaemon(t, { home, config: table('first') })
  t.deepEqual(await values(daemon, 'a/b'), ['first'])
  writeFileSync(configFile(home), plain + table('second'))
  t.deepEqual(await values(daemon, 'a/b'), ['second'])
  await daemon.logged('a plugin was stopped')
  t.deepEqual(await values(daemon, 'a/b'), ['second'])
})

test('who lists, disables or enables plugins sees an edit at once, as who asks for a secret does', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  configureDaemon(home)
  const plain = readFileSync(configFile(home), 'utf8')
  const daemon = await startDaemon(t, { home })
  const listed = async (path: string): Promise<string> => {
    const { plugins } = (await ask(daemon.socket, path, { body: '{}' })).json<{ plugins: { name: string }[] }>()
    return plugins.map(({ name }) => name).join(' ')
  }
  const change = async (path: string, name: string): Promise<number> =>
    (await ask(daemon.socket, `/plugins.v1.PluginManagementService/${path}`, { body: JSON.stringify({ name }) })).status

  writeFileSync(configFile(home), plain + linesPlugin('one', '1'))
  t.is(await listed('/senative.engine.v1.EngineService/ListPlugins'), 'docker-pass one')
  writeFileSync(configFile(home), plain + linesPlugin('second', '2'))
  t.is(await listed('/plugins.v1.PluginManagementService/ListPlugins'), 'docker-pass second')
  writeFileSync(configFile(home), plain + linesPlugin('third', '3'))
  t.is(await change('DisablePlugin', 'third'), 200)
  writeFileSync(configFile(home), plain + linesPlugin('fourth', '4'))
  t.is(await change('EnablePlugin', 'fourth'), 200)
  writeFileSync(configFile(home), plain + linesPlugin('fifth', '5'))
  t.regex(await home.ok(['daemon', 'status']), /^Plugins: .*\n +fifth /m)
})

test('a file that an editor has emptied to write it is not believed for a moment, and one that stays empty is', async (t) => {
  const daemon = await startDaemon(t, { config: linesPlugin('vault', 'old') })
  const file = configFile(daemon.home)
  const text = readFileSync(file, 'utf8')
  t.deepEqual(await values(daemon, 'vault/a'), ['old'])
  const empty = (age: number): void => {
    writeFileSync(file, '')
    utimesSync(file, Date.now() / 1000 - age, Date.now() / 1000 - age)
  }
  empty(-3600) // however slow this machine is
  t.deepEqual(await values(daemon, 'vault/a'), ['old'])
  writeFileSync(file, text.replace('old', 'new'))
  t.deepEqual(await values(daemon, 'vault/a'), ['new'])
  empty(-3600)
  t.deepEqual(await values(daemon, 'vault/a'), ['new'])
  empty(3600)
  t.is(typeof (await values(daemon, 'vault/a')), 'string', 'no plugin has it any more')
})

test('a configuration that is broken is logged, and the old one kept', async (t) => {
  const daemon = await startDaemon(t, { config: linesPlugin('vault', 'old') })
  const file = configFile(daemon.home)
  writeFileSync(file, `${readFileSync(file, 'utf8')}\nstor = 1 = 2\n`)
  daemon.signal('SIGHUP')
  const line = await daemon.logged('the configuration cannot be used, and the old one is kept')
  t.like(line, { level: 'error', code: 'SE_INVALID_CONFIG' })
  t.deepEqual(await values(daemon, 'vault/a'), ['old'])
})

test('another store that was chosen is used by the next request, without a signal', async (t) => {
  const daemon = await startDaemon(t)
  const { home } = daemon
  await home.ok(['set', 'mine'], { stdin: 'first' })
  t.deepEqual(await values(daemon, 'mine'), ['first'])
  await home.ok(['store', 'use', 'file', '--key-file', '--path', join(home.folder, 'other/store.age')])
  t.deepEqual(await values(daemon, 'mine'), 'not_found')
  await home.ok(['set', 'mine'], { stdin: 'second' })
  t.deepEqual(await values(daemon, 'mine'), ['second'])
})

test('what another process writes to the encrypted file is seen at once', async (t) => {
  const daemon = await startDaemon(t)
  for (let count = 0; count < 5; count++) {
    await daemon.home.ok(['set', 'mine', '--force'], { stdin: `value ${count}` })
    t.deepEqual(await values(daemon, 'mine'), [`value ${count}`])
  }
  await daemon.home.ok(['rm', 'mine'])
  t.deepEqual(await values(daemon, 'mine'), 'not_found')
})

onAKeyring('what another process writes to the keyring is seen at once', async (t) => {
  await using keyring = await startKeyring()
  const home = createHome((fn) => t.teardown(fn))
  const env = { DBUS_SESSION_BUS_ADDRESS: keyring.env['DBUS_SESSION_BUS_ADDRESS'] }
  const daemon = await startDaemon(t, { home, env })
  for (let count = 0; count < 3; count++) {
    await home.ok(['set', 'mine', '--force'], { stdin: `value ${count}`, env })
    t.deepEqual(await values(daemon, 'mine'), [`value ${count}`])
  }
  await home.ok(['rm', 'mine'], { env })
  t.deepEqual(await values(daemon, 'mine'), 'not_found')
})

onAKeyring('a keyring that went away and came back is found again', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const bus = join(home.folder, 'bus')
  const env = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}` }
  const lend = (keyring: Keyring): void => {
    const path = /^unix:path=([^,;]+)/.exec(keyring.env['DBUS_SESSION_BUS_ADDRESS'] ?? '')?.[1] as string
    rmSync(bus, { force: true })
    symlinkSync(path, bus)
  }
  const first = await startKeyring()
  lend(first)
  await home.ok(['set', 'mine'], { stdin: 'first', env })
  const daemon = await startDaemon(t, { home, env })
  t.deepEqual(await values(daemon, 'mine'), ['first'])
  await first.stop()
  t.is(await values(daemon, 'mine'), 'unavailable')
  await using second = await startKeyring()
  lend(second)
  await home.ok(['set', 'mine'], { stdin: 'second', env })
  t.deepEqual(await values(daemon, 'mine'), ['second'])
})

/** A home whose store is a file with a passphrase. */
async function lockedDaemon(t: ExecutionContext, passphrase: string): Promise<Daemon> {
  const home = createHome((fn) => t.teardown(fn))
  const env = { SE_PASSPHRASE: passphrase }
  await home.ok(['store', 'use', 'file', '--passphrase'], { env })
  await home.ok(['set', 'mine'], { stdin: 'mine', env })
  return startDaemon(t, { home })
}

const UNLOCK = '/senative.engine.v1.EngineService/Unlock'
const LOCK = '/senative.engine.v1.EngineService/Lock'

test('a file with a passphrase is locked until it is unlocked, and locked again by lock', async (t) => {
  const daemon = await lockedDaemon(t, 'open sesame')
  const unlock = (passphrase: string) =>
    ask(daemon.socket, UNLOCK, { body: JSON.stringify({ passphrase: Buffer.from(passphrase).toString('base64') }) })

  const reply = await getSecrets(daemon.socket, 'mine')
  t.is(reply.json<JsonError>().code, 'failed_precondition')
  t.regex(reply.json<JsonError>().message, /is locked/)

  t.is((await unlock('wrong')).json<JsonError>().code, 'permission_denied')
  t.is(await values(daemon, 'mine'), 'failed_precondition')

  t.is((await unlock('open sesame')).status, 200)
  t.deepEqual(await values(daemon, 'mine'), ['mine'])
  // A wrong one takes nothing away.
  t.is((await unlock('wrong')).json<JsonError>().code, 'permission_denied')
  t.deepEqual(await values(daemon, 'mine'), ['mine'])

  t.is((await ask(daemon.socket, LOCK, { body: '{}' })).status, 200)
  t.is(await values(daemon, 'mine'), 'failed_precondition')
  t.is(await daemon.stop(), 0)
  t.false(JSON.stringify([daemon.lines, daemon.others]).includes('sesame'))
})

test('the passphrase of the configuration opens the file', async (t) => {
  const locked = await lockedDaemon(t, 'open sesame')
  await locked.stop()
  const daemon = await startDaemon(t, { home: locked.home, env: { SE_PASSPHRASE: 'open sesame' } })
  t.deepEqual(await values(daemon, 'mine'), ['mine'])
})

test('a daemon without a store starts, and its requests say why', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const env = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${home.folder}/no-bus` }
  const daemon = await startDaemon(t, { home, env, config: linesPlugin('vault', 'vaulted') })
  t.is(await values(daemon, 'mine'), 'unavailable')
  t.deepEqual(await values(daemon, 'vault/a'), ['vaulted'])
})

test('a daemon that nobody asks ends by itself, where that is configured', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  configureDaemon(home, {
    config: `[daemon]\naddresses = [${JSON.stringify(homeAddress(home))}]\nidle_exit_seconds = 1\n`,
  })
  const daemon = await startDaemon(t, { home })
  t.is(await daemon.ended, 0)
  t.like(await daemon.logged('the daemon ends'), { reason: 'nobody has asked for a while' })
})

test('a daemon that is asked for what takes longer than its idle time answers before it ends', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const slow = `[plugins.slow]\ncommand = ["sh", "-c", "sleep 7; echo '{\\"id\\":\\"slow\\",\\"value\\":\\"v\\"}'"]\nprotocol = "lines"\n`
  configureDaemon(home, {
    config: `[daemon]\naddresses = [${JSON.stringify(homeAddress(home))}]\nidle_exit_seconds = 6\n${slow}`,
  })
  const daemon = await startDaemon(t, { home })
  t.deepEqual(await values(daemon, 'slow'), ['v'])
  t.is(await daemon.ended, 0)
  const answered = daemon.lines.findIndex(({ outcome }) => outcome === 'answered')
  const ends = daemon.lines.findIndex(({ message }) => message === 'the daemon ends')
  t.true(answered >= 0 && answered < ends)
})

test('a daemon that nobody asks gives memory back, and goes on', async (t) => {
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  const { beforeBytes, afterBytes } = await daemon.logged('memory was given back')
  t.true(Number(afterBytes) < Number(beforeBytes))
  t.deepEqual(await values(daemon, 'mine'), ['mine'])
})

onLinux('a socket that systemd passes is served, and stays when the daemon ends', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'mine'], { stdin: 'mine' })
  const passed = join(home.folder, 'run/passed.sock')
  const activate = fileURLToPath(new URL('../fixtures/activate.py', import.meta.url))
  const daemon = await startDaemon(t, { home, addresses: [passed], launcher: ['python3', activate, passed] })
  t.is(daemon.socket, passed)
  t.deepEqual(await values(daemon, 'mine'), ['mine'])
  const { addresses } = (await ask(passed, '/senative.engine.v1.EngineService/Describe', { body: '{}' })).json<{
    addresses: string[]
  }>()
  t.deepEqual(addresses, [passed])
  t.is(await daemon.stop(), 0)
  t.true(existsSync(passed))
})

onLinux('the variables of socket activation do not reach a plugin', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const passed = join(home.folder, 'run/passed.sock')
  const activate = fileURLToPath(new URL('../fixtures/activate.py', import.meta.url))
  const script = `while read -r line; do printf '{"id":"v/a","value":"%s"}\\n\\n' "$(env | grep -c ^LISTEN_)"; done`
  const config = `[plugins.v]\ncommand = ["sh", "-c", ${JSON.stringify(script)}]\nprotocol = "lines"\npattern = "v/**"\n`
  const daemon = await startDaemon(t, { home, config, addresses: [passed], launcher: ['python3', activate, passed] })
  t.deepEqual(await values(daemon, 'v/a'), ['0'])
})

test('a fault of ours ends the daemon, and its message, which may quote somebody, is not logged', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const fault = join(home.folder, 'fault.mjs')
  writeFileSync(fault, "process.on('SIGUSR2', () => { throw new SyntaxError('swordfish') })")
  const daemon = await startDaemon(t, { home, nodeArguments: ['--import', fault] })
  daemon.signal('SIGUSR2')
  t.is(await daemon.ended, 1)
  const line = await daemon.logged('a fault of se itself ends the daemon')
  t.like(line, { level: 'error', name: 'SyntaxError' })
  t.false(JSON.stringify([daemon.lines, daemon.others]).includes('swordfish'))
  const next = await startDaemon(t, { home: daemon.home })
  t.is(await values(next, 'mine'), 'not_found')
})

onLinux('a log that nobody reads holds up neither requests nor the end', async (t) => {
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  daemon.stopReading()
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  for (let round = 0; round < 100; round++) {
    const replies = await Promise.all(Array.from({ length: 16 }, () => getSecrets(daemon.socket, 'mine', agent)))
    t.true(replies.every(({ status }) => status === 200))
  }
  t.is(await daemon.exit('SIGTERM'), 0)
})

test('a log that cannot be written holds up nothing', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'mine'], { stdin: 'mine' })
  writeFileSync(join(home.folder, 'no-folder'), '')
  const daemon = await spawnDaemon(t, {
    home,
    stderr: 'ignore',
    env: { XDG_STATE_HOME: join(home.folder, 'no-folder') },
  })
  await daemon.answers()
  t.deepEqual(await values(daemon, 'mine'), ['mine'])
  t.is(await daemon.exit('SIGTERM'), 0)
})

test('without anybody at standard error the log is a file', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const daemon = await spawnDaemon(t, { home, stderr: 'ignore' })
  await daemon.answers()
  t.is(await values(daemon, 'mine'), 'not_found')
  t.is(await daemon.exit('SIGTERM'), 0)
  const file = join(
    home.folder,
    process.platform === 'darwin' ? 'Library/Logs' : '.local/state',
    'se-native/daemon.log',
  )
  const lines = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.like(lines[0], { message: 'the daemon has started', store: 'file' })
  const request = lines.find(({ procedure }) => procedure === GET_SECRETS)
  t.like(request, { patterns: ['mine'], outcome: 'failed', code: 'SE_NOT_FOUND', secrets: 0 })
  t.like(request, { pid: process.pid })
  t.like(lines.at(-1), { message: 'the daemon has ended' })
})
