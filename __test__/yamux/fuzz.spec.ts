// Whatever a peer sends, a session stays within its bounds or ends with a reason, and the next one works.
import test from 'ava'
import fc from 'fast-check'
import { header } from '../../src/yamux/frame.js'
import { buffersInUse, rawPeer, readAll, sessionPair, turn } from '../helpers/yamux.js'

// The same cases in every run; `SE_FUZZ_RUNS` asks for more of them.
const numRuns = Number(process.env['SE_FUZZ_RUNS'] ?? 300)
const options = { seed: 4, numRuns }

const id = fc.oneof(fc.constantFrom(0, 1, 2, 3, 5, 7), fc.nat(2 ** 32 - 1))
const length = fc.oneof(fc.constantFrom(0, 1, 100, 65_536, 262_144, 262_145), fc.nat(2 ** 32 - 1))
const flags = fc.oneof(fc.nat(15), fc.nat(0xffff))
const type = fc.oneof({ weight: 20, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(255) })

/** A frame whose payload may be shorter or longer than it says. */
const frame = fc
  .record({ type, flags, id, length, payload: fc.uint8Array({ maxLength: 2000 }), honest: fc.boolean() })
  .map(({ type, flags, id, length, payload, honest }) =>
    Buffer.concat([
      header(type, flags, id, honest && type === 0 ? payload.length : length),
      type === 0 ? payload : Buffer.alloc(0),
    ]),
  )
const version = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
const input = fc.array(fc.oneof({ weight: 30, arbitrary: frame }, { weight: 1, arbitrary: version }), { maxLength: 60 })

/** What is done with the streams that the peer opened. */
const reader = fc.constantFrom('read', 'ignore', 'reset', 'echo', 'end')

async function worksStill(): Promise<boolean> {
  const { client, accepted } = sessionPair()
  const stream = client.open()
  stream.end('hello')
  await turn()
  const [there] = accepted
  there?.pipe(there)
  const back = await readAll(stream)
  client.close()
  return back.toString() === 'hello'
}

test('random frames end the session with a reason or are ignored, in bounded memory', async (t) => {
  await fc.assert(
    fc.asyncProperty(input, reader, fc.nat(40), async (pieces, reading, cut) => {
      const peer = rawPeer({ maxStreams: 8 })
      const bytes = Buffer.concat(pieces)
      // Cut anywhere, so that headers come in parts.
      for (let at = 0; at < bytes.length; at += 1 + cut * 50) {
        peer.socket.write(bytes.subarray(at, at + 1 + cut * 50))
        for (const stream of peer.accepted.splice(0)) {
          if (reading === 'read') stream.resume()
          else if (reading === 'reset') stream.destroy()
          else if (reading === 'echo') stream.pipe(stream)
          else if (reading === 'end') stream.end()
        }
      }
      await turn()
      if (peer.session.streams > 8) throw new Error(`${peer.session.streams} streams`)
      peer.socket.destroy()
      const reason = await peer.session.closed
      if (!['SE_PLUGIN_FAILURE', 'SE_PLUGIN_UNAVAILABLE'].includes(reason?.code ?? '')) throw reason
      await turn()
      if (peer.session.streams > 0) throw new Error('streams are left')
    }),
    options,
  )
  t.true(await worksStill())
})

test('random bytes end the session with a reason', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 12, maxLength: 5000 }), async (bytes) => {
      const peer = rawPeer()
      peer.socket.write(Buffer.from(bytes))
      await turn()
      peer.socket.end()
      if ((await peer.session.closed) === undefined) throw new Error('there is no reason')
    }),
    options,
  )
  t.true(await worksStill())
})

test.serial('a flood of frames for streams that nobody reads stays within 256 KiB a stream', async (t) => {
  const peer = rawPeer({ maxStreams: 8 })
  const before = await buffersInUse()
  const payload = Buffer.alloc(65_536, 1)
  for (let number = 0; number < 1000; number++) {
    const id = 2 * number + 1
    peer.socket.write(header(1, 1, id, 0))
    for (let count = 0; count < 4; count++) {
      peer.socket.write(header(0, 0, id, payload.length))
      peer.socket.write(payload)
    }
    if (number % 100 === 0) await turn()
  }
  await turn()
  t.is(peer.session.streams, 8)
  t.true((await buffersInUse()) - before < 3 * 1024 * 1024)
})
