import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import test from 'ava'
import { SecretsError } from '../../src/errors/secrets-error.js'
import { ACK, DATA, FIN, GO_AWAY, header, PING, RST, SYN, WINDOW_BYTES, WINDOW_UPDATE } from '../../src/yamux/frame.js'
import { YamuxSession } from '../../src/yamux/session.js'
import { buffersInUse, over, rawPeer, readAll, sessionPair, turn } from '../helpers/yamux.js'

test('a stream carries bytes both ways, and each side ends by itself', async (t) => {
  const { client, server, accepted } = sessionPair()
  const here = client.open()
  here.write('hello ')
  here.end('there')
  await turn()
  const there = accepted[0] as (typeof accepted)[0]
  t.is((await readAll(there)).toString(), 'hello there')
  there.write('and ')
  await turn()
  there.end('back')
  t.is((await readAll(here)).toString(), 'and back')
  await Promise.all([over(here), over(there)])
  t.deepEqual([client.streams, server.streams], [0, 0])
  t.is(here.id, 1)
  t.is(server.open().id, 2)
})

test('many streams at once keep their bytes apart', async (t) => {
  const { client, accepted, server } = sessionPair()
  const sent = Array.from({ length: 100 }, (_, index) => randomBytes(1000 * index))
  const streams = sent.map((bytes) => {
    const stream = client.open()
    stream.end(bytes)
    return stream
  })
  await turn()
  t.is(accepted.length, 100)
  for (const stream of accepted) stream.pipe(stream)
  const back = await Promise.all(streams.map(readAll))
  t.true(back.every((bytes, index) => bytes.equals(sent[index] as Buffer)))
  await Promise.all(accepted.map(over))
  t.is(server.streams, 0)
})

test('a writer waits for its reader: no more than the window is on its way', async (t) => {
  const { client, accepted } = sessionPair()
  const bytes = randomBytes(3 * WINDOW_BYTES)
  const here = client.open()
  let written = false
  here.end(bytes, () => {
    written = true
  })
  for (let turns = 0; turns < 50; turns++) await turn()
  t.false(written)
  const there = accepted[0] as (typeof accepted)[0]
  t.true((await readAll(there)).equals(bytes))
  await over(there.end())
  t.true(written)
})

test('bytes that are given out may be wiped, and bytes that were written are let go of in the callback', async (t) => {
  const { client, accepted } = sessionPair()
  const bytes = Buffer.alloc(3 * WINDOW_BYTES, 7)
  const here = client.open()
  here.write(bytes, () => bytes.fill(0))
  here.end()
  await turn()
  const there = accepted[0] as (typeof accepted)[0]
  let sum = 0
  there.on('data', (chunk: Buffer) => {
    for (const byte of chunk) sum += byte
    chunk.fill(0)
  })
  await once(there, 'end')
  t.is(sum, 7 * 3 * WINDOW_BYTES)
})

test('a reset ends both sides at once, and what was under way is not given out', async (t) => {
  const { client, server, accepted } = sessionPair()
  const here = client.open()
  here.write('hello')
  await turn()
  const there = accepted[0] as (typeof accepted)[0]
  const failed = once(there, 'error')
  here.destroy()
  const [error] = await failed
  t.true(SecretsError.is(error))
  t.is(error.message, 'the other side of a plugin session reset the stream')
  t.deepEqual([client.streams, server.streams], [0, 0])
})

test('a stream that was opened and never used is unknown to the peer', async (t) => {
  const { client, server, accepted } = sessionPair()
  client.open().destroy()
  await turn()
  t.is(accepted.length, 0)
  await client.ping()
  t.is(server.streams, 0)
})

test('both sides answer pings', async (t) => {
  const { client, server } = sessionPair()
  await t.notThrowsAsync(Promise.all([client.ping(), client.ping(), server.ping()]))
})

test('a ping without an answer ends the session, and every stream of it', async (t) => {
  const { session, frame, accepted } = rawPeer({ keepAliveMs: 1, pingTimeoutMs: 1 })
  await frame(WINDOW_UPDATE, SYN, 1, 0)
  const [error] = await once(accepted[0] as (typeof accepted)[0], 'error')
  t.is(error.code, 'SE_PLUGIN_UNAVAILABLE')
  t.is((await session.closed)?.message, 'the plugin session is over: a ping had no answer within 1 ms')
  await t.throwsAsync(session.ping(), { code: 'SE_PLUGIN_UNAVAILABLE' })
  t.throws(() => session.open(), { code: 'SE_PLUGIN_UNAVAILABLE' })
})

test('after a go-away no stream is accepted, and those that are open go on', async (t) => {
  const { client, server, accepted } = sessionPair()
  const here = client.open()
  here.write('a')
  await turn()
  const late = client.open()
  server.goAway()
  late.write('x')
  await t.throwsAsync(once(late, 'end'), { code: 'SE_PLUGIN_FAILURE' })
  t.throws(() => client.open(), { message: /the other side is leaving/ })
  const there = accepted[0] as (typeof accepted)[0]
  here.end('b')
  t.is((await readAll(there)).toString(), 'ab')
})

test('closing ends the session on both sides, after what was written', async (t) => {
  const { client, server, accepted } = sessionPair()
  const here = client.open()
  here.end('the last words')
  await turn()
  client.close()
  t.is(await client.closed, undefined)
  t.is((await server.closed)?.code, 'SE_PLUGIN_UNAVAILABLE')
  t.is(accepted.length, 1)
})

test('a session whose connection breaks fails every stream, and is over when made of one that is closed', async (t) => {
  const { session, socket, accepted, frame } = rawPeer()
  await frame(WINDOW_UPDATE, SYN, 1, 0)
  const failed = once(accepted[0] as (typeof accepted)[0], 'error')
  socket.destroy()
  t.is((await failed)[0].code, 'SE_PLUGIN_UNAVAILABLE')
  t.is((await session.closed)?.code, 'SE_PLUGIN_UNAVAILABLE')
  const late = new YamuxSession(socket, 'client')
  t.is((await late.closed)?.code, 'SE_PLUGIN_UNAVAILABLE')
})

test('streams above the limit are reset, and make room when they end', async (t) => {
  const { frame, received, accepted } = rawPeer({ maxStreams: 2 })
  for (const id of [1, 3, 5]) await frame(WINDOW_UPDATE, SYN, id, 0)
  t.is(accepted.length, 2)
  t.true(received().includes(header(WINDOW_UPDATE, RST, 5, 0)))
  await frame(WINDOW_UPDATE, RST, 1, 0)
  await frame(WINDOW_UPDATE, SYN, 7, 0)
  t.is(accepted.length, 3)
})

test('what comes for a stream that is gone is thrown away', async (t) => {
  const { session, frame, accepted } = rawPeer()
  await frame(WINDOW_UPDATE, SYN, 1, 0)
  ;(accepted[0] as (typeof accepted)[0]).destroy()
  await frame(DATA, 0, 1, Buffer.alloc(1000))
  await frame(DATA, FIN, 1, Buffer.alloc(1000))
  await frame(WINDOW_UPDATE, 0, 99, 5)
  await frame(PING, ACK, 0, 77)
  t.is(session.streams, 0)
  await frame(WINDOW_UPDATE, SYN, 3, 0)
  t.is(accepted.length, 2)
})

test.serial('single bytes that nobody reads do not keep the chunks that they came in', async (t) => {
  const { accepted, frame, socket } = rawPeer()
  await frame(WINDOW_UPDATE, SYN, 1, 0)
  const one = Buffer.concat([header(DATA, 0, 1, 1), Buffer.from('x')])
  const before = await buffersInUse()
  for (let count = 0; count < 64; count++) {
    socket.write(Buffer.concat(Array.from({ length: 4096 }, () => one)))
    await turn()
  }
  t.true((await buffersInUse()) - before < 1024 * 1024)
  const stream = accepted[0] as (typeof accepted)[0]
  let length = 0
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length
  })
  await turn()
  t.is(length, WINDOW_BYTES)
})

test('a peer that asks without reading the answers is cut off', async (t) => {
  const { session, socket } = rawPeer()
  socket.pause()
  const pings = Buffer.concat(Array.from({ length: 4096 }, () => header(PING, SYN, 0, 1)))
  for (let count = 0; count < 40; count++) {
    socket.write(pings)
    await turn()
  }
  t.regex((await session.closed)?.message ?? '', /does not read what it asks for/)
})

const BROKEN: Record<string, readonly [type: number, flags: number, id: number, payload: Uint8Array | number][]> = {
  'a stream with a number of the server': [[WINDOW_UPDATE, SYN, 2, 0]],
  'a stream with the number 0': [[WINDOW_UPDATE, SYN, 0, 0]],
  'a stream that is opened twice': [
    [WINDOW_UPDATE, SYN, 1, 0],
    [DATA, SYN, 1, 0],
  ],
  'more than the window at once': [[DATA, SYN, 1, WINDOW_BYTES + 1]],
  'more than the window in two frames': [
    [DATA, SYN, 1, Buffer.alloc(WINDOW_BYTES)],
    [DATA, 0, 1, 1],
  ],
  'four gigabytes for a stream that does not exist': [[DATA, 0, 1, 2 ** 32 - 1]],
  'data after the end': [
    [WINDOW_UPDATE, SYN | FIN, 1, 0],
    [DATA, 0, 1, 1],
  ],
  'two ends': [
    [WINDOW_UPDATE, SYN | FIN, 1, 0],
    [WINDOW_UPDATE, FIN, 1, 0],
  ],
  'a window beyond all bounds': [
    [WINDOW_UPDATE, SYN, 1, 2 ** 32 - 1],
    [WINDOW_UPDATE, 0, 1, 2 ** 32 - 1],
  ],
  'a type that does not exist': [[4, 0, 0, 0]],
  'a go-away for a fault': [[GO_AWAY, 0, 0, 2]],
}

for (const [what, frames] of Object.entries(BROKEN))
  test(`a peer is cut off with a protocol error: ${what}`, async (t) => {
    const { session, frame, received } = rawPeer()
    for (const [type, flags, id, payload] of frames) await frame(type, flags, id, payload)
    const reason = await session.closed
    t.is(reason?.code, 'SE_PLUGIN_FAILURE')
    t.true(received().includes(header(GO_AWAY, 0, 0, 1)))
  })

test('a frame of another version is a protocol error', async (t) => {
  const { session, socket } = rawPeer()
  socket.write(Buffer.alloc(12, 1))
  t.regex((await session.closed)?.message ?? '', /a frame of version 1/)
})

test('headers and payloads may come in any pieces', async (t) => {
  const { socket, accepted, frame } = rawPeer()
  const bytes = Buffer.concat([
    header(WINDOW_UPDATE, SYN, 1, 0),
    header(DATA, 0, 1, 5),
    Buffer.from('hello'),
    header(DATA, FIN, 1, 1),
    Buffer.from('!'),
  ])
  for (const byte of bytes) socket.write(Buffer.from([byte]))
  await frame(PING, SYN, 0, 0)
  t.is((await readAll(accepted[0] as (typeof accepted)[0])).toString(), 'hello!')
})

test('64 MiB through a slow reader arrive whole', async (t) => {
  const { client, accepted } = sessionPair()
  const here = client.open()
  const sent = createHash('sha256')
  const block = randomBytes(1024 * 1024)
  const write = async () => {
    for (let count = 0; count < 64; count++) {
      sent.update(block)
      if (!here.write(block)) await once(here, 'drain')
    }
    here.end()
  }
  const writing = write()
  await turn()
  const got = createHash('sha256')
  for await (const chunk of accepted[0] as (typeof accepted)[0]) {
    got.update(chunk as Buffer)
    await turn()
  }
  await writing
  t.is(got.digest('hex'), sent.digest('hex'))
})

test('what came with the frame that ended a session opens no stream', async (t) => {
  const socket = new Duplex({ read() {}, write() {} }) // takes no answer
  const streams: unknown[] = []
  const session = new YamuxSession(socket, 'server', { onStream: (stream) => streams.push(stream) })
  const pings = Array.from({ length: 30_000 }, (_, id) => header(PING, SYN, 0, id))
  socket.push(Buffer.concat([...pings, header(WINDOW_UPDATE, SYN, 1, 0)]))
  t.is(
    (await session.closed)?.message,
    'the other side of a plugin session broke the yamux protocol: it does not read what it asks for',
  )
  t.deepEqual(streams, [])
  t.is(session.streams, 0)
})
