// Plugins that do their worst to a whole daemon. What they do to a session alone is tested beside src/session.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { getSecrets, hijack, type JsonEnvelope, type JsonError } from '../helpers/ask.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { buildGo, buildGoFirst, goMissing, startGo } from '../helpers/go.js'
import { openDescriptors, residentBytes } from '../helpers/memory.js'
import { createFileHome } from '../helpers/se.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

/** A daemon whose store has `mine`, with this configuration and these executables in its plugin folder. */
async function start(
  t: ExecutionContext,
  { config = '', plugins = {} }: { config?: string; plugins?: Record<string, string> } = {},
): Promise<Daemon> {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'mine'], { stdin: 'mine' })
  const folder = join(home.folder, 'data/se-native/plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const [name, script] of Object.entries(plugins)) {
    writeFileSync(join(folder, name), script)
    chmodSync(join(folder, name), 0o700)
  }
  return startDaemon(t, { home, config })
}

/** Whether the store's secret still comes, and comes alone. */
async function isWell(t: ExecutionContext, daemon: Daemon): Promise<void> {
  const reply = await getSecrets(daemon.socket, 'mine')
  t.is(reply.status, 200, reply.body.toString())
  t.deepEqual(
    reply.json<{ envelopes: JsonEnvelope[] }>().envelopes.map(({ id }) => id),
    ['mine'],
  )
}

async function codeOf(daemon: Daemon, pattern: string): Promise<string> {
  const reply = await getSecrets(daemon.socket, pattern)
  return reply.status === 200 ? 'ok' : reply.json<JsonError>().code
}

test('10,000 requests against a plugin that dies again and again have one answer or one error each', async (t) => {
  t.timeout(300_000)
  const daemon = await start(t)
  const args = ['-socket', daemon.socket, '-name', 'dying', '-pattern', 'die/**', '-echo', '-exit-after', '150']
  const asked: string[] = []
  let deaths = 0
  let over = false
  let plugin = await startGo('plugin', args, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  const starting = (async () => {
    for (;;) {
      if (over) void plugin.stop()
      await plugin.ended()
      asked.push(...plugin.lines.filter((line) => line.startsWith('asked ')))
      if (over) return
      deaths++
      plugin = await startGo('plugin', args, (fn) => t.teardown(fn))
    }
  })()

  const total = 10_000
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  t.teardown(() => agent.destroy())
  const outcomes: Record<string, number> = {}
  let next = 0
  const ask = async (): Promise<void> => {
    for (let n = next++; n < total; n = next++) {
      const id = `die/${n}`
      const reply = await getSecrets(daemon.socket, id, agent)
      let outcome = 'ok'
      if (reply.status === 200) {
        const { envelopes } = reply.json<{ envelopes: JsonEnvelope[] }>()
        const whole = envelopes.length === 1 && envelopes[0]?.id === id
        if (!whole || envelopes[0]?.value !== Buffer.from(id).toString('base64')) outcome = `wrong: ${reply.body}`
      } else {
        outcome = reply.json<JsonError>().code
      }
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: 32 }, ask))
  over = true
  await plugin.stop()
  await starting

  t.log(outcomes, { deaths })
  t.deepEqual(Object.keys(outcomes).sort(), ['not_found', 'ok', 'unavailable'])
  t.is(
    Object.values(outcomes).reduce((sum, count) => sum + count, 0),
    total,
  )
  t.true((outcomes['ok'] ?? 0) >= 1000)
  t.true(deaths >= 10)
  t.is(new Set(asked).size, asked.length, 'a plugin was asked twice for one request')
})

test('a plugin that hangs costs only what asks it alone', async (t) => {
  const program = join(await buildGo(), 'plugin')
  const daemon = await start(t, {
    config: `[plugins.hangs]\ncommand = ["${program}", "-pattern", "**", "-delay", "1h", "-deaf"]\ntimeout_ms = 300\n`,
  })
  t.is(await codeOf(daemon, 'hangs/a'), 'deadline_exceeded')
  await isWell(t, daemon)
})

test('a plugin that writes garbage instead of frames is cut off', async (t) => {
  const daemon = await start(t, {
    plugins: { garbage: '#!/bin/sh\nhead -c 1000000 /dev/urandom >&3\nexec sleep 1000\n' },
    config:
      '[plugins.lines]\ncommand = ["sh", "-c", "head -c 1000000 /dev/urandom"]\nprotocol = "lines"\npattern = "lines/**"\n',
  })
  t.not(await codeOf(daemon, 'lines/a'), 'not_found')
  t.not(await codeOf(daemon, 'lines/a'), 'ok')
  const socket = await hijack(daemon.socket)
  socket.on('error', () => {})
  socket.write(Buffer.alloc(100_000, 0xa5))
  await new Promise((resolve) => socket.resume().once('close', resolve))
  await isWell(t, daemon)
})

test('a plugin that answers without end fails, and takes no memory', async (t) => {
  const daemon = await start(t, {
    config: `[plugins.endless]
command = ["sh", "-c", "exec yes '{\\"id\\":\\"endless/a\\",\\"value\\":\\"x\\"}'"]
protocol = "lines"
pattern = "endless/**"

[plugins.long]
command = ["sh", "-c", "printf '{\\"id\\":\\"long/a\\",\\"value\\":\\"'; exec tr '\\\\0' x </dev/zero"]
protocol = "lines"
pattern = "long/**"
`,
  })
  t.is(await codeOf(daemon, 'endless/a'), 'resource_exhausted')
  t.is(await codeOf(daemon, 'long/a'), 'resource_exhausted')
  await isWell(t, daemon)
  const before = residentBytes(daemon.pid)
  for (let n = 0; n < 3; n++) t.is(await codeOf(daemon, 'long/a'), 'resource_exhausted')
  t.true(residentBytes(daemon.pid) < before + (300 << 20))
  await isWell(t, daemon)
})

test('a plugin that floods its log fills neither memory nor disk', async (t) => {
  const program = join(await buildGo(), 'plugin')
  const daemon = await start(t, {
    config: `[plugins.noisy]\ncommand = ["${program}", "-pattern", "noisy/**", "-echo", "-noise", "50000000"]\n`,
  })
  t.is(await codeOf(daemon, 'noisy/a'), 'ok')
  const before = residentBytes(daemon.pid)
  for (let n = 0; n < 5; n++) t.is(await codeOf(daemon, `noisy/${n}`), 'ok')
  t.true(residentBytes(daemon.pid) < before + (64 << 20))
  t.true((await daemon.home.ok(['plugins', 'logs', 'noisy'])).length < 16 << 20)
})

test('a plugin that leaks descriptors leaks its own', async (t) => {
  const program = join(await buildGo(), 'plugin')
  const script = `ulimit -n 64; exec '${program}' -pattern 'leaky/**' -echo -leak 10`
  const daemon = await start(t, { config: `[plugins.leaky]\ncommand = ["sh", "-c", "${script}"]\n` })
  t.is(await codeOf(daemon, 'leaky/0'), 'ok')
  const before = openDescriptors(daemon.pid)
  const codes = new Set<string>()
  for (let n = 1; n < 20; n++) codes.add(await codeOf(daemon, `leaky/${n}`))
  t.true(codes.has('ok'))
  t.false(codes.has('not_found'))
  t.true(codes.size > 1)
  t.true(openDescriptors(daemon.pid) <= before + 2)
  await isWell(t, daemon)
})

test('a flood of streams, pings and window updates ends the session at most', async (t) => {
  const daemon = await start(t)
  await isWell(t, daemon)
  const before = residentBytes(daemon.pid)
  const frame = (type: number, flags: number, stream: number, length: number): Buffer => {
    const bytes = Buffer.alloc(12)
    bytes.writeUInt8(type, 1)
    bytes.writeUInt16BE(flags, 2)
    bytes.writeUInt32BE(stream, 4)
    bytes.writeUInt32BE(length >>> 0, 8)
    return bytes
  }
  const floods: ((n: number) => Buffer)[] = [
    (n) => frame(1, 1, 2 * n + 1, 0), // a new stream each
    (n) => frame(2, 1, 0, n), // pings that want an answer
    (n) => frame(1, n === 0 ? 1 : 0, 1, 0xffffffff), // windows without end
    (n) => Buffer.concat([frame(0, 1, 2 * n + 1, 1000), Buffer.alloc(1000, 0x41)]), // streams with data nobody wants
  ]
  for (const flood of floods) {
    const socket = await hijack(daemon.socket)
    socket.on('error', () => {})
    const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)))
    // Nothing is read here, so answers pile up at the other end, if anywhere. A daemon that reads no more, while it serves
    // others, has a bound as well.
    let isTaken = true
    for (let n = 0; n < 100_000 && isTaken; n++) {
      if (socket.write(flood(n))) continue
      const drained = new Promise<boolean>((resolve) => socket.once('drain', () => resolve(true)))
      const served = getSecrets(daemon.socket, 'mine')
        .then(() => getSecrets(daemon.socket, 'mine'))
        .then(() => false)
      isTaken = await Promise.race([drained, closed, served])
    }
    socket.destroy()
    await isWell(t, daemon)
  }
  const grown = residentBytes(daemon.pid) - before
  t.log(`${grown >> 20} MiB more than before`)
  // A session may have 256 streams, each with a window of 256 KiB; the rest is what V8 leaves for later.
  t.true(grown < 128 << 20)
})
