// Whether a daemon grows: its memory and its descriptors before and after many requests, and before and after many plugins
// that come, are asked once, and go, every second one in the middle of that; and what it gives back after each of these.
// Linux. Needs `npm run build` before.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url))
const CONNECTIONS = 16
// What V8 leaves for later: repeated, the numbers go up and down by this.
const NOISE_MB = 32
// Of a daemon that has nothing to do, and what the code of sessions may take beside.
const GOAL_MB = 60
const SESSIONS_MB = 8

/** The rows: what was done how often, with megabytes and descriptors before and after. The first is the idle daemon. */
export async function bench({ requests = 100_000, reconnections = 1000 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-growth-'))
  const socket = join(folder, 'run/daemon.sock')
  for (const name of ['config', 'config/se-native', 'run']) mkdirSync(join(folder, name), { mode: 0o700 })
  writeFileSync(join(folder, 'config/se-native/config.toml'), `[daemon]\naddresses = ["${socket}"]\n`)
  const { PATH } = process.env
  const log = join(folder, '.local/state/se-native/daemon.log')
  const env = { PATH, HOME: folder, XDG_CONFIG_HOME: join(folder, 'config'), XDG_DATA_HOME: folder, SE_SOCKET: socket }
  const se = (args, input = '') =>
    execFileSync(process.execPath, [cli, ...args], { env, input, stdio: ['pipe', 'pipe', 'ignore'] })
  se(['store', 'use', 'file', '--key-file'])
  se(['set', 'app/db'], 'value')
  const daemon = spawn(process.execPath, [cli, 'daemon', 'run'], { env, stdio: ['ignore', 'ignore', 'ignore'] })
  try {
    while (!(await isAnswering(socket)));
    const rows = [{ what: 'idle', ...measure(daemon.pid), goalMB: GOAL_MB }]
    const jobs = [
      ['requests', requests, (count) => ask(socket, count), GOAL_MB],
      ['plugins that come and go', reconnections, (count) => comeAndGo(socket, count), GOAL_MB + SESSIONS_MB],
    ]
    for (const [what, count, run, goalMB] of jobs) {
      await run(count / 2)
      const before = measure(daemon.pid)
      await run(count)
      // The daemon learns a moment later that connections were closed.
      for (let n = 0; n < 100 && measure(daemon.pid).descriptors > before.descriptors; n++) await sleep(20)
      const after = measure(daemon.pid)
      rows.push({ what, count, before, ...after, goalMB: before.megabytes + NOISE_MB })
      while (!/"memory was given back".*\n$/.test(readFileSync(log, 'utf8'))) await sleep(200)
      rows.push({ what: 'and ten seconds without a request', before: after, ...measure(daemon.pid), goalMB })
    }
    return rows
  } finally {
    daemon.kill()
    await once(daemon, 'exit')
    rmSync(folder, { recursive: true })
  }
}

function measure(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const megabytes = (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]) * 1024) / 1e6
  return { megabytes, descriptors: readdirSync(`/proc/${pid}/fd`).length }
}

function call(socketPath, procedure, message, agent) {
  return new Promise((resolve, reject) => {
    const headers = { host: 'unix', 'content-type': 'application/json' }
    const sent = request({ socketPath, path: procedure, method: 'POST', headers, agent }, (reply) => {
      let body = ''
      reply.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      reply.on('end', () => resolve({ status: reply.statusCode, body }))
      reply.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(message))
  })
}

function getSecrets(socket, pattern, agent) {
  return call(socket, '/resolver.v1.ResolverService/GetSecrets', { pattern }, agent)
}

async function isAnswering(socket) {
  try {
    return (await getSecrets(socket, 'app/db')).status === 200
  } catch {
    await sleep(20)
    return false
  }
}

async function ask(socket, count) {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  let left = count
  const one = async () => {
    while (left-- > 0) {
      const { status, body } = await getSecrets(socket, 'app/db', agent)
      if (status !== 200) throw new Error(body)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, one))
  agent.destroy()
}

/** Registers by the bytes of the wire, one after the other: HTTP/1.1 in yamux. */
async function comeAndGo(socket, count) {
  for (let n = 0; n < count; n++) {
    const plugin = createConnection(socket)
    plugin.on('error', () => {})
    const frames = readFrames(plugin)
    plugin.write('GET /hijack HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
    const body = JSON.stringify({ name: 'guest', version: 'v1.0.0', secretsProvider: { pattern: 'guest/**' } })
    const head = `POST /plugins.v1.RegisterService/RegisterPlugin HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\n`
    plugin.write(frame(0, 1, 1, `${head}Connection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`))
    const answer = await frames((stream, text) => stream === 1 && /\r\n\r\n/.test(text))
    if (!/^HTTP\/1\.1 200 /.test(answer)) throw new Error(answer)

    const asked = getSecrets(socket, 'guest/a')
    await frames((stream, text) => stream === 2 && /\r\n\r\n/.test(text))
    if (n % 2 === 0) {
      const none = '{"code":"not_found"}'
      const reply = `HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: ${none.length}\r\n\r\n`
      plugin.write(frame(0, 4, 2, reply + none))
      await asked
    }
    plugin.destroy()
    const { status, body: told } = await asked
    if (status !== (n % 2 === 0 ? 404 : 503)) throw new Error(told)
    while (/"guest"/.test((await call(socket, '/plugins.v1.PluginManagementService/ListPlugins', {})).body));
  }
}

function frame(type, flags, stream, text) {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt16BE(flags, 2)
  header.writeUInt32BE(stream, 4)
  header.writeUInt32BE(text.length, 8)
  return Buffer.concat([header, Buffer.from(text)])
}

/** Waits for what one stream has brought, as text. */
function readFrames(socket) {
  let bytes = Buffer.alloc(0)
  let isSession = false
  const texts = new Map()
  let closed = false
  let wake = () => {}
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk])
    if (!isSession) {
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return
      isSession = true
      bytes = bytes.subarray(end + 4)
    }
    while (bytes.length >= 12) {
      const isData = bytes[1] === 0
      const size = isData ? bytes.readUInt32BE(8) : 0
      if (bytes.length < 12 + size) break
      const stream = bytes.readUInt32BE(4)
      if (isData) texts.set(stream, (texts.get(stream) ?? '') + bytes.toString('latin1', 12, 12 + size))
      bytes = bytes.subarray(12 + size)
    }
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  return async (isThere) => {
    for (;;) {
      for (const [stream, text] of texts) if (isThere(stream, text)) return text
      if (closed) throw new Error('the daemon closed the session')
      await new Promise((resolve) => {
        wake = resolve
      })
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [requests, reconnections] = process.argv.slice(2).map(Number)
  console.log(JSON.stringify(await bench({ requests, reconnections })))
}
