// Who resolves: the daemon, or an engine in this process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findDaemon } from '../../src/client/find-daemon.js'
import { SecretsError } from '../../src/index.js'
import { createFolder, startServer } from '../helpers/daemon-server.js'
import { startFake, startHanging } from '../helpers/fake-daemon.js'
import { asForeigner } from '../helpers/foreign.js'

const onUnix = process.platform === 'win32' ? test.skip : test
const foreigner = asForeigner()
const withForeigner = foreigner === undefined ? test.skip : test

/** An environment whose own address is in a folder of the test's. */
function environment(t: ExecutionContext) {
  const folder = createFolder(t.teardown)
  const own = join(folder, 'run/se-native/daemon.sock')
  mkdirSync(dirname(own), { recursive: true, mode: 0o700 })
  const env: NodeJS.ProcessEnv = { HOME: folder, XDG_RUNTIME_DIR: join(folder, 'run'), XDG_CONFIG_HOME: folder }
  return { folder, own, env }
}

async function found(env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const client = await findDaemon(env)
    await client?.close()
    return client === undefined ? 'in process' : client.address
  } catch (error) {
    return SecretsError.is(error) ? error.code : String(error)
  }
}

/** Leaves a socket on which nobody listens, as a daemon does that was killed. */
async function leaveStale(address: string): Promise<void> {
  const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
  await once(spawn(process.execPath, ['-e', script, address]), 'exit')
}

onUnix('where nobody listens at the own address, the engine is in process', async (t) => {
  const { env, own } = environment(t)
  t.is(await found(env), 'in process')
  await leaveStale(own)
  t.is(await found(env), 'in process')
})

onUnix('a daemon at the own address, or at SE_SOCKET, is used', async (t) => {
  const { env } = environment(t)
  const server = await startServer(t.teardown)
  t.is(await found({ ...env, SE_SOCKET: server.path }), server.path)
  const own = await startFake(
    t.teardown,
    { '/health.v1.VersionService/GetVersion': '{"version":"v0.1.0"}' },
    environmentAddress(env),
  )
  t.is(await found(env), own)
})

function environmentAddress(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_RUNTIME_DIR'] as string, 'se-native/daemon.sock')
}

onUnix('SE_SOCKET is never passed over', async (t) => {
  const { env, folder } = environment(t)
  const named = join(folder, 'named.sock')
  t.is(await found({ ...env, SE_SOCKET: named }), 'SE_DAEMON_UNREACHABLE')
  await leaveStale(named)
  t.is(await found({ ...env, SE_SOCKET: named }), 'SE_DAEMON_UNREACHABLE')
  const error = await t.throwsAsync(findDaemon({ ...env, SE_SOCKET: named }), { instanceOf: SecretsError })
  t.regex(error.hint ?? '', /^SE_SOCKET names this address: unset it/)
})

onUnix('a daemon that hangs, or is another program, is an error and no switch', async (t) => {
  const { env, own } = environment(t)
  await startHanging(t.teardown, own)
  t.is(await found(env), 'SE_DAEMON_UNREACHABLE')
  const other = environment(t)
  await startFake(t.teardown, {}, other.own)
  t.is(await found(other.env), 'SE_DAEMON_INCOMPATIBLE')
})

withForeigner('a socket of another user is unsafe, and nothing is sent to it', async (t) => {
  const { env, folder, own } = environment(t)
  chmodSync(folder, 0o777)
  chmodSync(join(folder, 'run'), 0o777)
  chmodSync(dirname(own), 0o777)
  const script =
    'require("net").createServer((s) => s.on("data", (d) => process.stdout.write(d)).on("error", () => {}))' +
    '.listen(process.argv[1], () => { require("fs").chmodSync(process.argv[1], 0o777); process.stdout.write("ready") })'
  const [file = '', ...words] = foreigner as readonly string[]
  const child = spawn(file, [...words, process.execPath, '-e', script, own], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill())
  let written = ''
  child.stdout.on('data', (chunk) => {
    written += chunk
  })
  await once(child.stdout, 'data')
  t.is(await found(env), 'SE_SOCKET_UNSAFE')
  t.is(await found({ ...env, SE_SOCKET: own }), 'SE_SOCKET_UNSAFE')
  child.kill()
  await once(child, 'close')
  t.is(written, 'ready')
})

onUnix('variables that choose another store than the daemon’s win over the daemon', async (t) => {
  const { env, folder } = environment(t)
  const store = join(folder, 'store.age')
  const configFile = join(folder, 'se-native/config.toml')
  const described = {
    version: 'v0.1.0',
    pid: 1,
    startedAt: new Date(0),
    addresses: [],
    configFile,
    storeKind: 'file',
    storeLocation: store,
  }
  const { path } = await startServer(t.teardown, [], { describe: () => described })
  // The own address leads to the server.
  const relay = createServer((socket) => {
    const to = connect(path)
    socket.pipe(to).pipe(socket)
    socket.on('error', () => to.destroy())
    to.on('error', () => socket.destroy())
  })
  relay.listen(environmentAddress(env))
  await once(relay, 'listening')
  t.teardown(() => void relay.close())
  const other = join(folder, 'other.toml')
  writeFileSync(other, 'store = "file"\n')
  for (const [variables, same] of [
    [{ SE_STORE: 'file', SE_STORE_PATH: store }, true],
    [{ SE_STORE: 'file' }, false],
    [{ SE_STORE: 'keychain' }, false],
    [{ SE_STORE_PATH: store }, false],
    [{ SE_CONFIG: other, SE_STORE_PATH: store }, false],
    [{ SE_CONFIG: configFile, SE_STORE: 'file', SE_STORE_PATH: store }, true],
  ] as const) {
    const what = JSON.stringify(variables)
    t.is(await found({ ...env, ...variables }), same ? environmentAddress(env) : 'in process', what)
    t.is(await found({ ...env, ...variables, SE_SOCKET: path }), same ? path : 'SE_DAEMON_INCOMPATIBLE', what)
  }
})
