import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { createError, type SecretsError } from '../../src/errors/secrets-error.js'
import { AccessError, definePlugin, runPlugin } from '../../src/index.js'
import { native } from '../../src/native/load.js'
import { unwrap } from '../../src/native/outcome.js'
import { connectToEngine } from '../../src/session/dial.js'
import { acceptSession, type PluginSession, type SessionOptions } from '../../src/session/plugin-session.js'
import { Canary } from '../../src/testing/canary.js'
import { connectErrorBody } from '../../src/wire/failure-detail.js'

// What plugins in this process write to standard error.
let written = ''
const write = process.stderr.write
test.before(() => {
  process.stderr.write = ((text: string) => {
    written += text
    return true
  }) as typeof process.stderr.write
})
test.after.always(() => {
  process.stderr.write = write
})

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-plugin-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

/** An engine that listens on a socket, and accepts plugins. */
async function engineAt(t: ExecutionContext, options: SessionOptions = {}) {
  const socket = join(folderOf(t), 's')
  const sessions: PluginSession[] = []
  const server = createHttpServer()
  server.on('upgrade', async (request, connection: Socket, head) => {
    t.is(request.url, '/hijack')
    t.is(request.headers.host, 'secrets-engine.localhost')
    connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
    const session = await acceptSession(connection, { ...options, head }).catch(() => undefined)
    if (session !== undefined) sessions.push(session)
    server.emit('plugin', session)
  })
  server.listen(socket)
  await once(server, 'listening')
  t.teardown(() => server.close())
  const next = async (): Promise<PluginSession> =>
    sessions.shift() ?? ((await once(server, 'plugin'))[0] as PluginSession)
  return { socket, next }
}

/** A server that says something to each connection. */
async function saying(
  t: ExecutionContext,
  text: string,
  address?: string,
): Promise<{ socket: string; server: Server }> {
  const socket = address ?? join(folderOf(t), 's')
  const server = createServer((connection) => connection.once('data', () => connection.end(text)))
  server.listen(socket)
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { socket, server }
}

const plugin = definePlugin({
  name: 'ours',
  version: 'v1.0.0',
  pattern: 'a/**',
  getSecrets: (pattern, { requester, times }) => [
    {
      id: 'a/b',
      value: 'hunter2',
      metadata: { pattern: pattern.text, pid: String(requester.pid), times: String(times) },
    },
    { id: 'b/outside', value: 'x' },
  ],
})

test('a plugin dials, registers, answers, and ends when it is told to', async (t) => {
  const { socket, next } = await engineAt(t)
  const running = runPlugin(plugin, { socket })
  const session = await next()
  t.like(session, { name: 'ours', version: 'v1.0.0' })
  t.is(session.pattern?.text, 'a/**')
  await session.health()
  const [secret, ...more] = await session.getSecrets('**')
  t.is(secret?.text(), 'hunter2')
  t.deepEqual(secret?.metadata, { pattern: '**', pid: String(process.pid), times: 'true' })
  t.deepEqual(more, [], 'what is outside of its own pattern stays away')
  t.deepEqual(await session.getSecrets('z/z'), [])
  await t.throwsAsync(session.getSecrets('not a pattern'), { code: 'SE_INVALID_PATTERN' })
  await session.shutdown()
  await t.notThrowsAsync(running)
})

// By itself: the signal is for every plugin of this process.
test.serial(
  'a plugin that is told to end reads what the engine still sends, so that the engine sees no reset',
  async (t) => {
    const socket = join(folderOf(t), 's')
    const server = createHttpServer()
    const accepted = new Promise<{ session: PluginSession; connection: Socket }>((resolve, reject) => {
      server.on('upgrade', (_, connection: Socket, head) => {
        connection.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
        acceptSession(connection, { head }).then((session) => resolve({ session, connection }), reject)
      })
    })
    server.listen(socket)
    await once(server, 'listening')
    t.teardown(() => server.close())
    const running = runPlugin(plugin, { socket })
    const { session, connection } = await accepted
    await session.health()
    // The engine goes on sending pings until it sees the end.
    const pings = Buffer.alloc(1200, Buffer.from('000200010000000000000000', 'hex'))
    const send = (): void => {
      if (connection.writable) connection.write(pings, () => setImmediate(send))
    }
    send()
    process.emit('SIGTERM', 'SIGTERM')
    await t.notThrowsAsync(running)
    t.is((await session.closed)?.cause, undefined)
  },
)

test('a plugin that is told its name registers with it', async (t) => {
  const { socket, next } = await engineAt(t)
  const running = runPlugin(plugin, { socket, name: 'theirs' })
  const session = await next()
  t.is(session.name, 'theirs')
  session.close()
  await t.notThrowsAsync(running)
})

test('an error of the plugin comes with its code, message and hint, named once', async (t) => {
  const { socket, next } = await engineAt(t)
  const failing = definePlugin({
    name: 'failing',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () => {
      throw new AccessError('SE_LOCKED', 'the vault is locked', { hint: 'unlock it', details: { vault: 'x' } })
    },
  })
  const running = runPlugin(failing, { socket })
  const session = await next()
  const error = await t.throwsAsync<AccessError>(session.getSecrets('a/b'), { code: 'SE_LOCKED' })
  t.like(error, { message: 'the vault is locked', hint: 'unlock it', details: { vault: 'x', plugin: 'failing' } })
  session.close()
  await running
})

test.serial('an error that is not ours comes without its message, and is not written to the log with it', async (t) => {
  const canary = Canary.random()
  const { socket, next } = await engineAt(t)
  const failing = definePlugin({
    name: 'failing',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: async () => {
      throw Object.assign(new RangeError(`the value is ${canary.text}\n    at ${canary.text}`), { code: 'ENOENT' })
    },
  })
  const running = runPlugin(failing, { socket })
  const session = await next()
  const error = await t.throwsAsync(session.getSecrets('a/b'), { code: 'SE_PLUGIN_FAILURE' })
  t.is(error.message, 'the plugin failing failed (ENOENT)')
  session.close()
  await running
  t.is(canary.foundIn(JSON.stringify(error)), undefined)
  t.is(canary.foundIn(written), undefined)
  t.regex(
    written,
    /error the plugin failing failed \(ENOENT\) code="SE_PLUGIN_FAILURE" error="RangeError" at="at .*run-plugin/,
  )
})

test('what the engine does not wait for any more is aborted in the plugin', async (t) => {
  const { socket, next } = await engineAt(t)
  const controller = new AbortController()
  const aborted = new Promise((resolve) => {
    const hanging = definePlugin({
      name: 'hanging',
      version: 'v1.0.0',
      pattern: '**',
      getSecrets: (_pattern, { signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            resolve(true)
            reject(signal.reason)
          })
          controller.abort()
        }),
    })
    void runPlugin(hanging, { socket })
  })
  const session = await next()
  await t.throwsAsync(session.getSecrets('a/b', { signal: controller.signal }), { code: 'SE_ABORTED' })
  t.true(await aborted)
  session.close()
})

test('the plugin is closed when its session has ended', async (t) => {
  const { socket, next } = await engineAt(t)
  let closed = 0
  const closing = definePlugin({ ...plugin, close: () => void closed++ })
  const running = runPlugin(closing, { socket })
  ;(await next()).close()
  await running
  t.is(closed, 1)
})

test('a plugin that the engine does not admit fails with the reason', async (t) => {
  const admit = () => {
    throw createError('SE_PLUGIN_DUPLICATE', 'there is a plugin ours already', { hint: 'disable it' })
  }
  const { socket } = await engineAt(t, { admit })
  const error = await t.throwsAsync(runPlugin(plugin, { socket }), { code: 'SE_PLUGIN_DUPLICATE' })
  t.like(error, { message: 'there is a plugin ours already', hint: 'disable it' })
})

test('a plugin whose name is taken is told what to do, at the place that called, not at one of ours', async (t) => {
  const admit = () => {
    throw createError('SE_PLUGIN_DUPLICATE', 'two plugins have the name ours')
  }
  const { socket } = await engineAt(t, { admit })
  const error = await t.throwsAsync<SecretsError>(runPlugin(plugin, { socket }), { code: 'SE_PLUGIN_DUPLICATE' })
  t.is(error.hint, `another ${plugin.name} runs: end that, or choose another name`)
  const [head, first] = error.stack?.split('\n') ?? []
  t.is(head, 'PluginError: two plugins have the name ours')
  t.regex(first ?? '', /run-plugin\.spec/)
})

const refusal = connectErrorBody(createError('SE_LIMIT_EXCEEDED', 'too many plugins'))
const REFUSALS: Record<string, readonly [said: string, code: string, message: RegExp]> = {
  'with an error of ours': [
    `HTTP/1.1 ${refusal.status} X\r\n\r\n${refusal.body}`,
    'SE_LIMIT_EXCEEDED',
    /^too many plugins$/,
  ],
  'with a text': ['HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', 'SE_ACCESS_DENIED', /status 403: "no"/],
  'with a page': ['HTTP/1.1 404 Not Found\r\n\r\n<html>', 'SE_ACCESS_DENIED', /status 404/],
  'with what is no HTTP': ['SSH-2.0-OpenSSH\r\n\r\n', 'SE_DAEMON_INCOMPATIBLE', /no daemon that takes plugins/],
  'by hanging up': ['', 'SE_DAEMON_INCOMPATIBLE', /no daemon that takes plugins/],
}

for (const [how, [said, code, message]] of Object.entries(REFUSALS))
  test(`a plugin says why, when a daemon refuses it ${how}`, async (t) => {
    const { socket } = await saying(t, said)
    await t.throwsAsync(runPlugin(plugin, { socket }), { code, message })
  })

test('a session that breaks the protocol is an error', async (t) => {
  const { socket } = await saying(t, `HTTP/0.0 101 Switching Protocols\r\nUpgrade: tcp\r\n\r\n${'x'.repeat(12)}`)
  await t.throwsAsync(runPlugin(plugin, { socket }), { code: 'SE_PLUGIN_FAILURE', message: /yamux protocol/ })
})

test('where no daemon answers, the addresses are named', async (t) => {
  const socket = join(folderOf(t), 'none')
  await t.throwsAsync(runPlugin(plugin, { socket }), {
    code: 'SE_DAEMON_UNREACHABLE',
    message: `no daemon answers at ${socket}`,
  })
})

if (process.platform === 'linux')
  test('a daemon on which too many wait is busy, and is not passed over', async (t) => {
    const socket = join(folderOf(t), 's')
    const server = createServer().listen({ path: socket, backlog: 1 })
    t.teardown(() => server.close())
    // Nothing is accepted before this function waits for something.
    const waiting: number[] = []
    t.teardown(() => waiting.forEach(closeSync))
    for (;;) {
      const outcome = native().connectUnix(socket, process.getuid?.() ?? 0)
      if (outcome.error !== undefined) break
      waiting.push(unwrap(outcome))
    }
    const error = await t.throwsAsync(connectToEngine(socket), { code: 'SE_DAEMON_UNREACHABLE' })
    t.is(error.message, `the daemon at ${socket} is busy: too many connections wait for it`)
    t.regex((error as SecretsError).hint ?? '', /in a moment.*se daemon status/)
  })

if (process.platform === 'linux')
  test('an abstract address is dialled by its exact name', async (t) => {
    const address = `@se-native-test/${process.pid}/daemon.sock`
    const fd = unwrap(native().listenUnix(address))
    const server = createServer((connection) =>
      connection.once('data', () => connection.end('HTTP/1.1 403 F\r\n\r\nno')),
    )
    server.listen({ fd })
    t.teardown(() => server.close())
    await t.throwsAsync(runPlugin(plugin, { socket: address }), { code: 'SE_ACCESS_DENIED' })
  })

test('what definePlugin did not make, and options that do not exist, are refused', async (t) => {
  await t.throwsAsync(runPlugin({} as never), { code: 'SE_PLUGIN_INVALID' })
  await t.throwsAsync(runPlugin(plugin, { sokket: 'x' } as never), { code: 'SE_INVALID_OPTION' })
  await t.throwsAsync(runPlugin(plugin, { socket: 1 } as never), { code: 'SE_INVALID_OPTION' })
})

const fixture = fileURLToPath(new URL('../fixtures/run-plugin.ts', import.meta.url))

/** Starts the fixture as an engine launches it: one end of a socket pair as descriptor 3. */
function launch(t: ExecutionContext, config: unknown) {
  const text = typeof config === 'string' ? config : JSON.stringify(config)
  const child = spawn(process.execPath, [`--import=${import.meta.resolve('tsx')}`, fixture, 'ours'], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG: text },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk) => (output += chunk))
  return { child, socket: child.stdio[3] as Socket, output: () => output }
}

test('a launched plugin takes its name and its connection from the engine, and ends on SIGTERM after it has answered', async (t) => {
  const { child, socket, output } = launch(t, { name: 'given', timeout: 5e9, fd: 3 })
  const session = await acceptSession(socket, { expectName: 'given', registrationTimeoutMs: 60_000 })
  t.is(session.name, 'given')
  const answers = await session.getSecrets('ours/**')
  t.is(answers.length, 1003)
  const ended = once(child, 'close')
  child.kill('SIGTERM')
  t.truthy(await session.closed)
  t.deepEqual(await ended, [0, null])
  t.regex(output(), /^info registered plugin="given" engine="se-native" version="v/m)
  t.regex(output(), /^ended$/m)
})

for (const [why, config] of [
  ['it is no JSON', 'given'],
  ['it has no name', { timeout: 1, fd: 3 }],
  ['it has no timeout', { name: 'x', fd: 3 }],
  ['its fd must be above 2', { name: 'x', timeout: 1, fd: 1 }],
] as const)
  test(`a launch variable that is wrong says so: ${why}`, async (t) => {
    const { child, output } = launch(t, config)
    const [status] = await once(child, 'close')
    t.not(status, 0)
    t.true(output().includes(`DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG is wrong: ${why}`), output())
  })
