// The commands that start, show and end the daemon.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { checkPlatform, hasEnded } from '../../src/cli/daemon-client.js'
import { logFile } from '../../src/daemon/log-target.js'
import { configFile, configureDaemon, homeAddress, startDaemon } from '../helpers/daemon.js'
import { checkBundle, cli, createFileHome, type Home } from '../helpers/se.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn
const onLinux = (process.platform === 'linux' ? test : test.skip) as TestFn

test.before(checkBundle)

interface Status {
  readonly running: boolean
  readonly pid: number
  readonly addresses: readonly string[]
  readonly [name: string]: unknown
}

/** A home whose daemon, when one is started, ends with the test. */
async function createDaemonHome(t: ExecutionContext): Promise<Home> {
  const home = await createFileHome((fn) => t.teardown(fn))
  configureDaemon(home)
  t.teardown(() => home.se(['daemon', 'stop']))
  return home
}

async function status(home: Home): Promise<Status> {
  return JSON.parse((await home.se(['daemon', 'status', '--json'])).stdout.toString()) as Status
}

test('start, status and stop tell what they find, and each may be repeated', async (t) => {
  const home = await createDaemonHome(t)
  const address = homeAddress(home)
  const started = await home.ok(['daemon', 'start'])
  const { pid, addresses, ...facts } = await status(home)
  t.is(started, `The daemon runs (pid ${pid}) and listens on\n  ${address}\n`)
  t.deepEqual(addresses, [address])
  t.like(facts, {
    running: true,
    left: [],
    store: { kind: 'file', location: join(home.folder, 'data/se-native/store.age') },
    config: configFile(home),
    log: logFile(home.env),
  })
  t.is(await home.ok(['daemon', 'start']), `The daemon runs already (pid ${pid}) and listens on\n  ${address}\n`)
  t.is((await status(home)).pid, pid)
  const shown = await home.ok(['daemon', 'status'])
  t.regex(shown, new RegExp(`^Daemon: +v\\S+, pid ${pid}, up for \\d+ s\nListens on: +${address}\nStore: +file, `))
  t.regex(shown, /\nPlugins: +docker-pass v\S+ \*\* \(running\)\n$/)
  t.is(await home.ok(['daemon', 'stop']), `The daemon (pid ${pid}) has ended.\n`)
  t.true(hasEnded(pid))
  t.false(existsSync(address))
  t.is(await home.ok(['daemon', 'stop']), 'The daemon does not run.\n')
  t.is((await home.se(['daemon', 'status'])).status, 3)
})

test('many that start it at once all find the same daemon', async (t) => {
  const home = await createDaemonHome(t)
  const outputs = await Promise.all(Array.from({ length: 4 }, () => home.ok(['daemon', 'start'])))
  const { pid } = await status(home)
  for (const output of outputs) t.regex(output, new RegExp(`^The daemon runs( already)? \\(pid ${pid}\\)`))
  t.is(outputs.filter((output) => output.startsWith('The daemon runs (')).length, 1)
})

test('a daemon in the background is in a session of its own, in no folder of the user, and its log is a file', async (t) => {
  const home = await createDaemonHome(t)
  await home.ok(['daemon', 'start'])
  const { pid } = await status(home)
  if (process.platform === 'linux') {
    const [, , ppid, group, session] =
      /^(\d+) \(.*\) \S (\d+) (\d+) (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    t.is(Number(session), pid)
    t.is(Number(group), pid)
    t.not(Number(ppid), process.pid)
  }
  await home.se(['get', 'nothing'])
  const file = logFile(home.env)
  t.is(statSync(file).mode & 0o777, 0o600)
  await home.ok(['daemon', 'stop'])
  const lines = (await home.ok(['daemon', 'logs']))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  t.like(lines[0], { message: 'the daemon has started' })
  t.like(lines.at(-1), { message: 'the daemon has ended' })
  t.true(lines.some(({ patterns }) => JSON.stringify(patterns) === '["nothing"]'))
  t.is((await home.ok(['daemon', 'logs', '-n', '1'])).split('\n').length, 2)
  t.is(await home.ok(['daemon', 'logs', '-n', '0']), '')
})

test('a socket that another program listens on is not taken by start, which says so', async (t) => {
  const home = await createDaemonHome(t)
  const address = homeAddress(home)
  mkdirSync(dirname(address), { mode: 0o700 })
  const other = createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  })
  other.listen(address)
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { status, stderr } = await home.se(['daemon', 'start'])
  t.not(status, 0)
  t.regex(stderr, /^se: .*(is not one of se-native|another program)/)
})

test('why a daemon cannot start is told by start', async (t) => {
  const home = await createDaemonHome(t)
  const folder = dirname(homeAddress(home))
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  const { status, stderr } = await home.se(['daemon', 'start'])
  t.is(status, 4)
  t.is(stderr, `se: no socket is made: ${folder} may be written by others\nhint: chmod 700 ${folder}\n`)
  chmodSync(folder, 0o700)
  await home.ok(['daemon', 'start'])
})

test('status and stop find the daemon whatever is wrong with the configuration by now', async (t) => {
  const home = await createDaemonHome(t)
  const file = configFile(home)
  await home.ok(['daemon', 'start'])
  const { pid } = await status(home)
  // What is wrong elsewhere does not matter.
  appendFileSync(file, '[plugins.vault]\nspeed = "fast"\n')
  const wrong = await home.se(['daemon', 'status', '--json'], { env: { SE_STORE: 'nowhere' } })
  t.like({ ...wrong, stdout: undefined }, { status: 0, stderr: '' })
  t.is((await home.se(['get', 'nothing', '--no-daemon'])).status, 2)
  t.is(
    await home.ok(['daemon', 'start']),
    `The daemon runs already (pid ${pid}) and listens on\n  ${homeAddress(home)}\n`,
  )
  // One that is no TOML names no address.
  appendFileSync(file, '[daemon\n')
  const told = new RegExp(
    `^se: ${file} is not valid TOML at line \\d+, .*: the daemon is looked for at ${homeAddress(home)}\nhint: mend it, `,
  )
  const shown = await home.se(['daemon', 'status', '--json'])
  t.regex(shown.stderr, told)
  t.like(JSON.parse(shown.stdout.toString()), { running: true, pid })
  const stopped = await home.se(['daemon', 'stop'])
  t.regex(stopped.stderr, told)
  t.is(stopped.stdout.toString(), `The daemon (pid ${pid}) has ended.\n`)
  t.like(await home.se(['daemon', 'status']), { status: 3 })
  t.is((await home.se(['daemon', 'start'])).status, 2)
})

test('relative paths of variables mean the same to a daemon in the background', async (t) => {
  const home = await createDaemonHome(t)
  await home.ok(['daemon', 'start'], { env: { SE_STORE: 'file', SE_STORE_PATH: '../other.age' } })
  t.like(await status(home), { store: { kind: 'file', location: join(home.folder, 'other.age') } })
})

test('logs --follow shows what is added, over a change of files', async (t) => {
  const home = await createDaemonHome(t)
  const file = logFile(home.env)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, '{"n":1}\n{"n":2}\n')
  const child = spawn(process.execPath, [cli, 'daemon', 'logs', '-n', '1', '--follow'], { env: home.env })
  t.teardown(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  t.is((await lines.next()).value, '{"n":2}')
  writeFileSync(file, '{"n":3}\n', { flag: 'a' })
  t.is((await lines.next()).value, '{"n":3}')
  rmSync(file)
  writeFileSync(file, '{"n":4}\n')
  t.is((await lines.next()).value, '{"n":4}')
})

onLinux('stop ends a daemon whose socket was made by a service manager', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const passed = join(home.folder, 'run/passed.sock')
  const activate = fileURLToPath(new URL('../fixtures/hold-and-activate.py', import.meta.url))
  const daemon = await startDaemon(t, { home, addresses: [passed], launcher: ['python3', activate, passed] })
  const { pid } = await status(home)
  t.not(pid, daemon.pid)
  t.is(await home.ok(['daemon', 'stop']), `The daemon (pid ${pid}) has ended.\n`)
  t.is(await daemon.ended, 0)
})

onLinux('a daemon that hangs is ended by its signal when it goes on', async (t) => {
  const home = await createDaemonHome(t)
  await home.ok(['daemon', 'start'])
  const { pid } = await status(home)
  process.kill(pid, 'SIGSTOP')
  const stopped = home.se(['daemon', 'stop'])
  const { stderr } = await home.se(['daemon', 'status'])
  t.regex(stderr, /is there and does not answer/)
  process.kill(pid, 'SIGCONT')
  t.is((await stopped).status, 0)
})

anyTest('on Windows there is no daemon, and that is said', (t) => {
  t.throws(() => checkPlatform('win32'), { code: 'SE_UNSUPPORTED', message: 'there is no daemon on Windows' })
  t.notThrows(() => checkPlatform('darwin'))
})
