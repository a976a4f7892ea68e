// Bytes that no program of good will sends, to a whole daemon: each is refused or dropped, memory stays bounded, and the next
// request is served.
import { randomBytes } from 'node:crypto'
import { connect as connectSocket, type Socket } from 'node:net'
import anyTest, { type ExecutionContext } from 'ava'
import { ask, exchange, GET_SECRETS, getSecrets, hijack, type JsonError } from '../helpers/ask.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { openDescriptors, residentBytes } from '../helpers/memory.js'

// One after the other: each starts a daemon.
const test = process.platform === 'linux' ? anyTest.serial : anyTest.serial.skip

async function start(t: ExecutionContext): Promise<Daemon> {
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  return daemon
}

async function isWell(t: ExecutionContext, daemon: Daemon): Promise<void> {
  t.is((await getSecrets(daemon.socket, 'mine')).status, 200)
}

/** A connection that stays open, and the promise of its end. */
function open(t: ExecutionContext, daemon: Daemon, bytes: string | Uint8Array): Socket {
  const socket = connectSocket(daemon.socket)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(bytes)
  return socket
}

const PROTO = { 'content-type': 'application/proto' }
const head = (headers: string, body = ''): string =>
  `POST ${GET_SECRETS} HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${body}`

test('half-open connections and halves of requests keep nobody waiting', async (t) => {
  const daemon = await start(t)
  const halves = [
    '',
    'P',
    'POST /x HTTP/1.1\r\n',
    head('Content-Length: 100', '{"pattern":'),
    'GET /hijack HTTP/1.1\r\nUpgr',
  ]
  for (let n = 0; n < 50; n++) for (const half of halves) open(t, daemon, half)
  await isWell(t, daemon)
  for (const half of halves) t.notRegex((await exchange(daemon.socket, half, { end: true })).toString(), / 200 /)
  await isWell(t, daemon)
})

test('heads that are too large, and heads without end, are refused', async (t) => {
  const daemon = await start(t)
  const large = await exchange(daemon.socket, head(`X-Large: ${'x'.repeat(20_000)}`))
  t.regex(large.toString(), /^HTTP\/1\.1 431 /)
  const many = await exchange(daemon.socket, head(`${'A: b\r\n'.repeat(100_000)}Content-Length: 0`))
  // Who still writes when the daemon hangs up may lose the answer, as the system has it.
  t.regex(many.toString(), /^(HTTP\/1\.1 431 |$)/)
  const line = await exchange(daemon.socket, `POST /${'x'.repeat(1 << 20)} HTTP/1.1\r\n\r\n`)
  t.regex(line.toString(), /^(HTTP\/1\.1 431 |$)/)
  await isWell(t, daemon)
})

test('bodies that are too large are refused, those without a length too', async (t) => {
  const daemon = await start(t)
  const body = JSON.stringify({ pattern: 'x'.repeat(4 << 20) })
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }, PROTO]) {
    const reply = await ask(daemon.socket, GET_SECRETS, { body, headers })
    t.is(reply.status, 413)
    t.is(reply.json<JsonError>().code, 'resource_exhausted')
  }
  await isWell(t, daemon)
})

test('requests with no sense in them are answered with an error', async (t) => {
  const daemon = await start(t)
  const bodies: readonly [body: string | Buffer, headers?: Record<string, string>][] = [
    [''],
    ['null'],
    ['[]'],
    ['"**"'],
    ['{"pattern":1}'],
    ['{"pattern":null}'],
    ['{"pattern":["**"]}'],
    ['{"pattern":"**"'],
    ['{"pattern":"**"}{"pattern":"**"}'],
    [Buffer.from([...Buffer.from('{"pattern":"'), 0xff, 0xfe, ...Buffer.from('"}')])],
    ['{"pattern":"a\\ud800"}'],
    ['{"pattern":"\\u0000"}'],
    ['['.repeat(30_000)],
    [Buffer.from([0x0a]), PROTO],
    [Buffer.from([0x0a, 0x05, 0x2a]), PROTO],
    [Buffer.from([0x0a, 0x02, 0xff, 0xfe]), PROTO],
    [Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), PROTO],
    [Buffer.alloc(1000, 0xff), PROTO],
    [Buffer.from([0x0b, 0x0b, 0x0b]), PROTO],
    ['not gzip', { 'content-encoding': 'gzip' }],
    ['{"pattern":"mine"}', { 'content-encoding': 'of my own' }],
    ['{"pattern":"mine"}', { 'connect-timeout-ms': 'soon' }],
  ]
  for (const [body, headers = {}] of bodies) {
    const reply = await ask(daemon.socket, GET_SECRETS, { body, headers })
    const told = `${JSON.stringify(body.toString('latin1').slice(0, 40))}: ${reply.status} ${reply.body}`
    t.true(reply.status >= 400, told)
    t.regex(reply.json<JsonError>().code, /^(invalid_argument|unimplemented|internal)$/, told)
  }
  await isWell(t, daemon)
})

test('of a key that is there twice, one is taken or the request refused, and nobody else is asked', async (t) => {
  const daemon = await start(t)
  const reply = await ask(daemon.socket, GET_SECRETS, { body: '{"pattern":"none","pattern":"mine"}' })
  t.true([200, 400].includes(reply.status), reply.body.toString())
  await isWell(t, daemon)
})

test('random bodies in JSON and protobuf never bring it down', async (t) => {
  const daemon = await start(t)
  const seed = Buffer.from('{"pattern":"mine"}')
  const proto = Buffer.from([0x0a, 4, ...Buffer.from('mine')])
  for (let n = 0; n < 2000; n++) {
    const isProto = n % 2 === 1
    const body = n % 4 < 2 ? randomBytes(n % 300) : damage(isProto ? proto : seed)
    const reply = await ask(daemon.socket, GET_SECRETS, { body, headers: isProto ? PROTO : {} })
    // What connect-node says to a message that is none.
    if (reply.status === 500) t.regex(reply.json<JsonError>().message, /^parse binary: /, body.toString('hex'))
  }
  await isWell(t, daemon)
})

function damage(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const [at = 0, value = 0, cut = 0] = randomBytes(3)
  copy.writeUInt8(value, at % copy.length)
  return cut % 3 === 0 ? copy.subarray(0, cut % (copy.length + 1)) : copy
}

test('random bytes and random frames after /hijack end that session only', async (t) => {
  const daemon = await start(t)
  await isWell(t, daemon)
  const before = { descriptors: openDescriptors(daemon.pid), bytes: residentBytes(daemon.pid) }
  for (let n = 0; n < 300; n++) {
    const socket = await hijack(daemon.socket)
    socket.on('error', () => {})
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.resume()
    const frames = Array.from({ length: 20 }, () => randomFrame())
    socket.end(n % 2 === 0 ? randomBytes(1000) : Buffer.concat(frames))
    await closed
  }
  await isWell(t, daemon)
  t.true(openDescriptors(daemon.pid) <= before.descriptors + 2)
  t.true(residentBytes(daemon.pid) < before.bytes + (64 << 20))
})

/** A frame with a valid version and type, the rest by chance, with some of the data that it announces. */
function randomFrame(): Buffer {
  const [type = 0, flags = 0, stream = 0, short = 0, size = 0] = randomBytes(5)
  const length = short < 200 ? size : randomBytes(4).readUInt32BE()
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(type % 4, 1)
  bytes.writeUInt16BE(flags % 16, 2)
  bytes.writeUInt32BE(stream % 5, 4)
  bytes.writeUInt32BE(length, 8)
  return type % 4 === 0 ? Buffer.concat([bytes, randomBytes(Math.min(length, 300))]) : bytes
}

test('a body that comes byte by byte is served, and holds up nobody', async (t) => {
  const daemon = await start(t)
  const body = '{"pattern":"mine"}'
  const socket = open(t, daemon, head(`Connection: close\r\nContent-Length: ${body.length}`))
  for (const byte of body) {
    await new Promise((resolve) => socket.write(byte, resolve))
    await isWell(t, daemon)
  }
  let answer = ''
  for await (const chunk of socket) answer += chunk
  t.regex(answer, /^HTTP\/1\.1 200 /)
})

test('who asks and does not read keeps nobody waiting, and is refused where too much waits', async (t) => {
  const daemon = await start(t)
  for (let n = 0; n < 8; n++) await daemon.home.ok(['set', `big/${n}`], { stdin: 'x'.repeat(1 << 20) })
  const before = residentBytes(daemon.pid)
  const body = '{"pattern":"big/*"}'
  const one = head(`Content-Length: ${body.length}`, body)
  // 60 answers of 11 MB are more than may wait.
  const greedy = Array.from({ length: 60 }, () => open(t, daemon, one.repeat(3)).pause())
  for (let n = 0; n < 20; n++) await isWell(t, daemon)
  const heads = await Promise.all(greedy.map(firstBytes))
  t.deepEqual([...new Set(heads.map((text) => text.slice(0, 12)))].sort(), ['HTTP/1.1 200', 'HTTP/1.1 429'])
  for (const refused of heads.filter((text) => text.startsWith('HTTP/1.1 429')))
    t.regex(refused, /"resource_exhausted"/)
  t.log(`${(residentBytes(daemon.pid) - before) >> 20} MiB more, of 512 that may wait`)
  t.true(residentBytes(daemon.pid) < before + (768 << 20))
  for (const socket of greedy) socket.destroy()
  for (let n = 0; n < 20; n++) await isWell(t, daemon)
  let status = 0
  for (let n = 0; n < 100 && status !== 200; n++) status = (await getSecrets(daemon.socket, 'big/*')).status
  t.is(status, 200)
})

/** The first bytes that come, and no more. */
function firstBytes(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (bytes: Buffer) => {
      socket.pause()
      resolve(bytes.toString('latin1'))
    })
    socket.resume()
  })
}
