import { execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { closeListeners, type Listener, listenOn, listenOnAll } from '../../src/daemon/listen.js'
import { secureFolder } from '../../src/daemon/socket-folder.js'
import type { SecretsError } from '../../src/index.js'
import { exchange } from '../helpers/ask.js'
import { asRoot, FOREIGN_UID } from '../helpers/foreign.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn
const root = asRoot()
const withRoot = (root === undefined ? test.skip : test) as TestFn
const onLinux = (process.platform === 'linux' ? test : test.skip) as TestFn
const racer = fileURLToPath(new URL('../fixtures/race-for-socket.ts', import.meta.url))
const uid = process.getuid?.() ?? 0

function folderFor(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-listen-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A server that says a text to everybody who connects. */
function speaker(text: string): Server {
  return createServer((socket) => {
    socket.on('error', () => {}) // whoever looks whether somebody listens reads nothing
    socket.end(text)
  })
}

/** Serves a listener by a program that says what it is. */
async function answer(t: ExecutionContext, { fd }: Listener, text: string): Promise<Server> {
  const server = speaker(text)
  server.listen({ fd })
  await once(server, 'listening')
  t.teardown(() => server.close())
  return server
}

function failure(t: ExecutionContext, run: () => unknown): SecretsError {
  return t.throws(run) as SecretsError
}

test('a socket is for its user alone, in a folder for its user alone, whatever the umask', async (t) => {
  const address = join(folderFor(t), 'made', 'daemon.sock')
  const before = process.umask(0)
  const listener = listenOn(address, uid)
  process.umask(before)
  await answer(t, listener, 'ours')
  t.is(lstatSync(address).mode & 0o777, 0o600)
  t.is(lstatSync(join(address, '..')).mode & 0o777, 0o700)
  t.is((await exchange(address, '')).toString(), 'ours')
  listener.release()
  t.deepEqual(readdirSync(join(address, '..')), ['daemon.sock.lock'])
})

test('an address that a daemon of ours has is refused, and that one goes on', async (t) => {
  const address = join(folderFor(t), 'daemon.sock')
  const first = listenOn(address, uid)
  await answer(t, first, 'first')
  const error = failure(t, () => listenOn(address, uid))
  t.is(error.code, 'SE_DAEMON_RUNNING')
  t.is(error.details['holder'], 'a daemon')
  t.is((await exchange(address, '')).toString(), 'first')
  first.release()
  const second = listenOn(address, uid)
  await answer(t, second, 'second')
  t.is((await exchange(address, '')).toString(), 'second')
  second.release()
})

test('a socket that another program listens on is left to it, and works afterwards', async (t) => {
  const address = join(folderFor(t), 'daemon.sock')
  const other = speaker('other')
  other.listen(address)
  await once(other, 'listening')
  t.teardown(() => other.close())
  for (let count = 0; count < 3; count++) {
    const error = failure(t, () => listenOn(address, uid))
    t.is(error.code, 'SE_DAEMON_RUNNING')
    t.is(error.details['holder'], 'another program')
    t.is((await exchange(address, '')).toString(), 'other')
  }
})

/** Leaves a socket that nobody listens on. */
async function leaveStale(address: string): Promise<void> {
  const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script, address], { stdio: 'inherit' }), 'exit')
}

test('a socket that nobody listens on any more is replaced', async (t) => {
  const folder = folderFor(t)
  const address = join(folder, 'daemon.sock')
  await leaveStale(address)
  t.true(lstatSync(address).isSocket())
  const listener = listenOn(address, uid)
  await answer(t, listener, 'ours')
  t.is((await exchange(address, '')).toString(), 'ours')
  t.deepEqual(readdirSync(folder).sort(), ['daemon.sock', 'daemon.sock.lock'])
  listener.release()
})

test('of many that race for a stale socket one gets it, and it is never cut off', async (t) => {
  const folder = folderFor(t)
  const address = join(folder, 'daemon.sock')
  await leaveStale(address)
  const racers = Array.from({ length: 6 }, () => {
    const child = fork(racer, [address], { execArgv: ['--import', import.meta.resolve('tsx')] })
    t.teardown(() => child.kill('SIGKILL'))
    return child
  })
  await Promise.all(racers.map((child) => once(child, 'message')))
  const outcomes = racers.map((child) => once(child, 'message'))
  for (const child of racers) child.send('go')
  const told = (await Promise.all(outcomes)).map(([text]) => text as string)
  t.deepEqual(told.sort(), [
    'SE_DAEMON_RUNNING',
    'SE_DAEMON_RUNNING',
    'SE_DAEMON_RUNNING',
    'SE_DAEMON_RUNNING',
    'SE_DAEMON_RUNNING',
    'listens',
  ])
  t.is((await exchange(address, '')).toString(), 'winner')
})

test('a socket is removed only while it is ours', async (t) => {
  const address = join(folderFor(t), 'daemon.sock')
  const listener = listenOn(address, uid)
  await answer(t, listener, 'ours')
  unlinkSync(address)
  const other = speaker('other')
  other.listen(address)
  await once(other, 'listening')
  t.teardown(() => other.close())
  listener.release()
  t.is((await exchange(address, '')).toString(), 'other')
})

test('what is no socket is not replaced', (t) => {
  const folder = folderFor(t)
  const address = join(folder, 'daemon.sock')
  writeFileSync(address, 'mine')
  t.like(
    failure(t, () => listenOn(address, uid)),
    { code: 'SE_SOCKET_UNSAFE', hint: `move it away, or remove it: rm ${address}` },
  )
  t.is(readFileSync(address, 'utf8'), 'mine')
  rmSync(address)
  writeFileSync(join(folder, 'precious'), 'mine')
  symlinkSync(join(folder, 'precious'), address)
  t.is(failure(t, () => listenOn(address, uid)).code, 'SE_SOCKET_UNSAFE')
  t.is(readFileSync(join(folder, 'precious'), 'utf8'), 'mine')
})

test('a link in the place of the lock is not followed', (t) => {
  const folder = folderFor(t)
  const address = join(folder, 'daemon.sock')
  symlinkSync(join(folder, 'elsewhere'), `${address}.lock`)
  failure(t, () => listenOn(address, uid))
  t.deepEqual(readdirSync(folder), ['daemon.sock.lock'])
})

test('a folder that others may write is refused, with the command that mends it', (t) => {
  const folder = join(folderFor(t), 'shared')
  mkdirSync(folder)
  for (const mode of [0o777, 0o770, 0o720, 0o702]) {
    chmodSync(folder, mode)
    const error = failure(t, () => listenOn(join(folder, 'daemon.sock'), uid))
    t.like(error, { code: 'SE_SOCKET_UNSAFE', hint: `chmod 700 ${realpathSync(folder)}` }, mode.toString(8))
  }
  t.deepEqual(readdirSync(folder), [])
  chmodSync(folder, 0o755)
  listenOnAll([join(folder, 'daemon.sock')], uid).listeners.forEach(close)
})

test('a folder that everybody shares is refused', (t) => {
  const error = failure(t, () => listenOn(join(tmpdir(), `se-test-${process.pid}.sock`), uid))
  t.is(error.code, 'SE_SOCKET_UNSAFE')
  t.regex(error.hint ?? '', /folder of your own/)
})

test('a folder below one that everybody may write is refused: it could be replaced', (t) => {
  const above = join(folderFor(t), 'open')
  mkdirSync(join(above, 'mine'), { recursive: true, mode: 0o700 })
  chmodSync(above, 0o777)
  const address = join(above, 'mine', 'daemon.sock')
  t.like(
    failure(t, () => listenOn(address, uid)),
    { code: 'SE_SOCKET_UNSAFE', hint: `chmod o-w ${realpathSync(above)}` },
  )
  chmodSync(above, 0o1777)
  close(listenOn(address, uid))
})

/** Makes a folder, or a link itself, somebody else's. */
function give(path: string): void {
  const [file = '', ...args] = [...(root ?? []), 'chown', '-h', `${FOREIGN_UID}`, path]
  execFileSync(file, args)
}

withRoot('a folder, or a link to one, of another user is refused', (t) => {
  const folder = folderFor(t)
  const theirs = join(folder, 'theirs')
  mkdirSync(theirs, { mode: 0o700 })
  give(theirs)
  t.is(failure(t, () => secureFolder(theirs, uid)).code, 'SE_SOCKET_UNSAFE')
  mkdirSync(join(folder, 'mine'), { mode: 0o700 })
  symlinkSync(join(folder, 'mine'), join(folder, 'link'))
  t.notThrows(() => secureFolder(join(folder, 'link'), uid))
  give(join(folder, 'link'))
  t.is(failure(t, () => secureFolder(join(folder, 'link'), uid)).code, 'SE_SOCKET_UNSAFE')
})

test('a file in the place of the folder is refused', (t) => {
  const file = join(folderFor(t), 'file')
  writeFileSync(file, '')
  const error = failure(t, () => listenOn(join(file, 'daemon.sock'), uid))
  t.is(error.code, 'SE_SOCKET_UNSAFE')
})

test('a path that is too long for a socket is refused by name', (t) => {
  const folder = folderFor(t)
  const fits = join(folder, 'x'.repeat(103 - Buffer.byteLength(folder) - 1))
  close(listenOn(fits, uid))
  const error = failure(t, () => listenOn(`${fits}x`, uid))
  t.is(error.code, 'SE_INVALID_CONFIG')
  t.regex(error.message, /longer than 103 bytes/)
})

onLinux('a name in the abstract space is taken by one, and free when that has ended', async (t) => {
  const name = `@se-native-test/${process.pid}/${Date.now()}`
  const first = listenOn(name, uid)
  t.like(
    failure(t, () => listenOn(name, uid)),
    { code: 'SE_DAEMON_RUNNING' },
  )
  close(first)
  close(listenOn(name, uid))
})

test('other addresses than the first are left to whoever has them', async (t) => {
  const folder = folderFor(t)
  const [first, second, third] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string]
  const other = createServer()
  other.listen(second)
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { listeners, left } = listenOnAll([first, second, third], uid)
  t.deepEqual(
    listeners.map(({ address }) => address),
    [first, third],
  )
  t.like(left, [{ address: second, error: { code: 'SE_DAEMON_RUNNING' } }])

  t.is(failure(t, () => listenOnAll([second, join(folder, 'd')], uid)).code, 'SE_DAEMON_RUNNING')
  t.false(existsSync(join(folder, 'd')))
  closeListeners(listeners)
})

function close(listener: Listener): void {
  closeListeners([listener])
}
