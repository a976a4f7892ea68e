// Both ends of a yamux session, and frames written by hand.
import { once } from 'node:events'
import { Duplex, type Readable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { header } from '../../src/yamux/frame.js'
import { type YamuxOptions, YamuxSession } from '../../src/yamux/session.js'
import type { YamuxStream } from '../../src/yamux/stream.js'

/** Everything that a stream brings, until its end. Iterating it would destroy its other direction. */
export function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve, reject) => {
    if (stream.errored) reject(stream.errored)
    stream.once('end', () => resolve(Buffer.concat(chunks)))
    stream.once('error', reject)
  })
}

/**
 * Two ends of a connection in this process. Bytes are copied, as between sockets (those of `duplexPair` are the writer's
 * own, and a session wipes what it has read).
 */
export function connectedPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex => {
    let unread: (() => void) | undefined
    const end = new Duplex({
      read: () => unread?.(),
      write(chunk: Buffer, _encoding, done) {
        const taken = (other() as Duplex & { take(bytes: Buffer, done: () => void): void }).take
        taken(Buffer.from(chunk), done)
      },
      final(done) {
        if (!other().destroyed) other().push(null)
        done()
      },
      destroy(error, done) {
        unread?.()
        if (!other().destroyed) other().push(null)
        done(error)
      },
    })
    const take = (bytes: Buffer, done: () => void): void => {
      if (end.destroyed || end.push(bytes)) return done()
      unread = () => {
        unread = undefined
        done()
      }
    }
    return Object.assign(end, { take })
  }
  const a: Duplex = make(() => b)
  const b: Duplex = make(() => a)
  return [a, b]
}

/** The next turn of the event loop, after everything that is under way without the system. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The bytes of all buffers that are in use, after a collection of the others. */
export async function buffersInUse(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  await turn()
  collect()
  return process.memoryUsage().arrayBuffers
}

/** Two sessions that speak with each other; the server's streams are given back. */
export function sessionPair(options: YamuxOptions = {}) {
  const [a, b] = connectedPair()
  const accepted: YamuxStream[] = []
  const client = new YamuxSession(a, 'client', options)
  const server = new YamuxSession(b, 'server', { onStream: (stream) => accepted.push(stream), ...options })
  return { client, server, accepted }
}

/** A server session whose peer is the test, which writes frames by hand and sees the bytes that come back. */
export function rawPeer(options: YamuxOptions = {}) {
  const [socket, there] = connectedPair()
  const accepted: YamuxStream[] = []
  const received: Buffer[] = []
  const session = new YamuxSession(there, 'server', { onStream: (stream) => accepted.push(stream), ...options })
  socket.on('data', (chunk: Buffer) => received.push(chunk))
  socket.on('error', () => {})
  return {
    session,
    socket: socket as Duplex,
    accepted,
    received: () => Buffer.concat(received),
    async frame(type: number, flags: number, id: number, payload: Uint8Array | number): Promise<void> {
      const length = typeof payload === 'number' ? payload : payload.length
      socket.write(header(type, flags, id, length))
      if (typeof payload !== 'number') socket.write(payload)
      await turn()
    },
  }
}

/** Waits for a stream to be over, however. */
export async function over(stream: YamuxStream): Promise<void> {
  if (!stream.closed) await once(stream, 'close')
}
