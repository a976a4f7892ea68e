import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { native, platformName } from '../../src/native/load.js'
import { unwrap } from '../../src/native/outcome.js'
import { asForeigner, FOREIGN_UID } from '../helpers/foreign.js'

const unix = process.platform === 'win32' ? test.skip : test
const linux = process.platform === 'linux' ? test : test.skip
const foreigner = asForeigner()
const withForeigner = foreigner === undefined ? test.skip : test
const uid = process.getuid?.() ?? 0
const addon = new URL(`../../se-native.${platformName()}.node`, import.meta.url).pathname

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'se-socket-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

/** Starts a program that writes one line when it is ready. */
async function start(t: ExecutionContext, words: readonly string[]) {
  const [file, ...args] = words as [string, ...string[]]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return { child, line: line as string }
}

unix('a socket file has mode 0600 whatever the umask', (t) => {
  for (const umask of [0, 0o22, 0o77, 0o777]) {
    const path = join(folder(t), 's')
    const before = process.umask(umask)
    const listened = native().listenUnix(path)
    process.umask(before)
    const server = createServer().listen({ fd: unwrap(listened) })
    t.is(statSync(path).mode & 0o7777, 0o600, umask.toString(8))
    server.close()
  }
})

linux('Node serves on an abstract name of its exact length', async (t) => {
  const address = `@se-native-test/${process.pid}/s.sock`
  const server = createServer((socket) => socket.end('hello')).listen({ fd: unwrap(native().listenUnix(address)) })
  await once(server, 'listening')
  t.true(
    readFileSync('/proc/net/unix', 'utf8')
      .split('\n')
      .some((line) => line.endsWith(` ${address}`)),
  )
  t.is(unwrap(native().probeUnix(address, uid)), 'listening')
  t.is(native().listenUnix(address).error?.code, 'SE_DAEMON_RUNNING')
  server.close()
  await once(server, 'close')
  t.is(unwrap(native().probeUnix(address, uid)), 'absent')
})

unix('a socket file whose program has gone is refused, and one that takes its place listens', async (t) => {
  const path = join(folder(t), 's')
  t.is(unwrap(native().probeUnix(path, uid)), 'absent')
  const program = `const fd = require('${addon}').listenUnix('${path}').value
    require('node:net').createServer().listen({ fd }, () => console.log('listens'))`
  const { child } = await start(t, [process.execPath, '-e', program])
  t.is(unwrap(native().probeUnix(path, uid)), 'listening')
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.is(unwrap(native().probeUnix(path, uid)), 'refused')
  const server = createServer().listen({ fd: unwrap(native().listenUnix(path)) })
  t.is(unwrap(native().probeUnix(path, uid)), 'listening')
  server.close()
})

unix('the peer of a connection is the process that made it, and its program is told', async (t) => {
  const path = join(folder(t), 's')
  const server = createServer().listen({ fd: unwrap(native().listenUnix(path)) })
  const connected = once(server, 'connection')
  const { child } = await start(t, [
    process.execPath,
    '-e',
    `require('node:net').connect('${path}', () => console.log('connected'))`,
  ])
  const [socket] = await connected
  const peer = unwrap(native().peerCredentials(socket._handle.fd))
  t.deepEqual(peer, { uid, gid: process.getgid?.() ?? 0, pid: child.pid as number })
  const program = unwrap(native().programOf(peer.pid as number))
  t.is(program.name, basename(process.execPath))
  t.true(program.path.endsWith(`/${program.name}`))
  socket.destroy()
  server.close()
  child.kill()
  await once(child, 'exit')
  t.is(native().programOf(child.pid as number).error?.code, 'SE_NOT_FOUND')
})

unix('a lock is held by one process, as long as that runs', async (t) => {
  const path = join(folder(t), 'lock')
  const program = `console.log(require('${addon}').lockFile('${path}').value.constructor.name)
    global.gc()
    process.stdin.resume()`
  const { child, line } = await start(t, [process.execPath, '--expose-gc', '-e', program])
  t.is(line, 'FileLock')
  t.is(unwrap(native().lockFile(path)), null, 'although nothing refers to it any more')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const lock = unwrap(native().lockFile(path))
  t.not(lock, null)
  t.is(unwrap(native().lockFile(path)), null)
  lock?.release()
  lock?.release()
  unwrap(native().lockFile(path))?.release()
  t.is(statSync(path).mode & 0o7777, 0o600)
})

withForeigner('a socket of another user is unsafe: not a byte is sent to it', async (t) => {
  // Anybody may connect to it, as to one in /tmp.
  const address = `@se-native-test/${process.pid}/squatted`
  const program = `import socket
s = socket.socket(socket.AF_UNIX)
s.bind("\\0${address.slice(1)}")
s.listen()
print("listens", flush=True)
for _ in range(2): print(len(s.accept()[0].recv(100)), flush=True)`
  const [file = '', ...args] = [...(foreigner ?? []), 'env', 'PATH=/usr/bin:/bin', 'python3', '-c', program]
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  const probed = native().probeUnix(address, uid)
  t.like(probed.error, { code: 'SE_SOCKET_UNSAFE', details: { uid: String(FOREIGN_UID) } })
  const client = unwrap(native().openDaemonClient(address, uid))
  const reply = await client.call('/x', '{}', []).reply()
  t.is(reply.error?.code, 'SE_SOCKET_UNSAFE')
  t.deepEqual([(await lines.next()).value, (await lines.next()).value], ['0', '0'])
})

unix('a descriptor that has no peer, and an address that is none, are told', (t) => {
  t.is(native().peerCredentials(-1).error?.code, 'SE_INVALID_OPTION')
  for (const address of ['', '@', 'a\0b', 'x'.repeat(104)]) {
    t.is(native().listenUnix(address).error?.code, 'SE_INVALID_OPTION')
    t.is(native().probeUnix(address, uid).error?.code, 'SE_INVALID_OPTION')
    t.is(native().openDaemonClient(address, uid).error?.code, 'SE_INVALID_OPTION')
  }
})

unix('a connection is made although the listener was bound natively', async (t) => {
  const path = join(folder(t), 's')
  const server = createServer((socket) => socket.end('hello')).listen({ fd: unwrap(native().listenUnix(path)) })
  const [data] = await once(connect(path), 'data')
  t.is(String(data), 'hello')
  server.close()
})
