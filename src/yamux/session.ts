// yamux: many streams over one connection, as HashiCorp's version 0 with its default configuration.
import type { Duplex } from 'node:stream'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import {
  ACK,
  broken,
  DATA,
  FIN,
  FrameReader,
  type FrameSink,
  GO_AWAY,
  HEADER_BYTES,
  header,
  NORMAL,
  PING,
  PROTOCOL_ERROR,
  RST,
  SYN,
  WINDOW_BYTES,
  WINDOW_UPDATE,
} from './frame.js'
import { type StreamCarrier, YamuxStream } from './stream.js'

/** What a session allows, and whom it tells. */
export interface YamuxOptions {
  /** Gets each stream that the peer opens. By default they are refused. */
  readonly onStream?: ((stream: YamuxStream) => void) | undefined
  /** How many streams of the peer may be open at once; others are reset. Default 256, as HashiCorp's. */
  readonly maxStreams?: number | undefined
  /** Milliseconds between pings. Default 30,000. */
  readonly keepAliveMs?: number | undefined
  /** Milliseconds for the answer to a ping. Default 10,000. */
  readonly pingTimeoutMs?: number | undefined
}

// Frames without data that were not sent yet, in bytes. A peer that asks without reading the answers ends here.
const MAX_CONTROL_BYTES = 256 * 1024

// How long the peer has to end a stream that was ended here.
const LINGER_MS = 10_000

/**
 * A session over a connected socket, which belongs to it from then on. A peer that breaks the protocol ends it.
 * Memory is bounded: 256 KiB for each stream, and 256 KiB of frames without data.
 */
export class YamuxSession {
  /** Resolves when the session has ended: with the reason, or nothing when it was closed here. Never rejects. */
  readonly closed: Promise<SecretsError | undefined>
  /** Resolves when the connection is closed, too: a second after `closed` at most. Never rejects. */
  readonly left: Promise<void>

  readonly #socket: Duplex
  readonly #options: YamuxOptions
  readonly #parity: 0 | 1
  readonly #streams = new Map<number, YamuxStream>()
  readonly #lingering = new Map<number, NodeJS.Timeout>()
  readonly #pings = new Map<number, { answered: () => void; failed: (error: SecretsError) => void }>()
  readonly #carrier: StreamCarrier
  readonly #onControlSent: () => void
  #controlBytes = 0
  #gathering = false
  #nextId: number
  #nextPing = 0
  #theirStreams = 0
  #keepAlive: NodeJS.Timeout
  // Whether one side has said that it opens, or accepts, no more streams.
  #localGoAway = false
  #remoteGoAway = false
  #ended: SecretsError | undefined
  #resolveClosed!: (reason: SecretsError | undefined) => void
  // Who gets the payload that arrives, and whether that ends the stream.
  #receiver: YamuxStream | undefined
  #receiverEnds = false

  /**
   * @param socket - Connected, and read by nobody else. Bytes that were read before: `socket.unshift` them.
   * @param side - `client` for the one that connected. Both open streams.
   */
  constructor(socket: Duplex, side: 'client' | 'server', options: YamuxOptions = {}) {
    this.#socket = socket
    this.#options = options
    this.#parity = side === 'client' ? 1 : 0
    this.#nextId = side === 'client' ? 1 : 2
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
    this.left = new Promise((resolve) => {
      if (socket.closed) resolve()
      else socket.once('close', () => resolve())
    })
    this.#onControlSent = () => {
      this.#controlBytes -= HEADER_BYTES
    }
    this.#carrier = {
      sendData: (id, flags, pieces, length, sent) => this.#sendData(id, flags, pieces, length, sent),
      sendWindow: (id, flags, delta) => this.#sendControl(WINDOW_UPDATE, flags, id, delta),
      forget: (id) => this.#forget(id),
      linger: (id) => this.#linger(id),
    }
    const reader = new FrameReader(this.#sink())
    socket.on('data', (chunk: Buffer) => {
      if (this.#ended !== undefined) return
      try {
        reader.read(chunk)
      } catch (error) {
        this.#end(error as SecretsError, PROTOCOL_ERROR)
      }
    })
    const gone = (cause?: Error): void => this.#end(unavailable('the connection ended', cause))
    socket.once('end', gone)
    socket.on('error', gone)
    socket.once('close', () => gone())
    this.#keepAlive = setInterval(() => void this.ping().catch(() => undefined), options.keepAliveMs ?? 30_000)
    this.#keepAlive.unref()
    if (socket.destroyed) gone()
    // Whoever read from it before may have paused it.
    else socket.resume()
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams.size
  }

  /**
   * Opens a stream. The peer hears of it with the first bytes.
   * @throws `PluginError` `SE_PLUGIN_UNAVAILABLE` when the session has ended, or the peer accepts no more.
   */
  open(): YamuxStream {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#remoteGoAway) throw unavailable('the other side is leaving')
    const id = this.#nextId
    if (id >= 2 ** 32 - 2) throw unavailable('it has no more streams')
    this.#nextId += 2
    const stream = new YamuxStream(this.#carrier, id, 'here')
    this.#streams.set(id, stream)
    return stream
  }

  /**
   * Asks for a sign of life. None in time ends the session.
   * @throws the reason that the session ended for.
   */
  async ping(): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended
    const id = this.#nextPing
    this.#nextPing = (id + 1) % 2 ** 32
    const timeoutMs = this.#options.pingTimeoutMs ?? 10_000
    const late = setTimeout(() => this.#end(unavailable(`a ping had no answer within ${timeoutMs} ms`)), timeoutMs)
    late.unref()
    try {
      await new Promise<void>((answered, failed) => {
        this.#pings.set(id, { answered, failed })
        this.#sendControl(PING, SYN, 0, id)
      })
    } finally {
      clearTimeout(late)
    }
  }

  /** Tells the peer that no more of its streams are accepted; those that are open go on. */
  goAway(): void {
    if (this.#localGoAway) return
    this.#localGoAway = true
    this.#sendControl(GO_AWAY, 0, 0, NORMAL)
  }

  /** Ends the session, and every stream with it, after what was written is out. */
  close(): void {
    if (this.#ended !== undefined) return
    this.goAway()
    this.#end(unavailable('it was closed here'), undefined, true)
  }

  #sink(): FrameSink {
    return {
      onFrame: (type, flags, id, length) => {
        // What came in one piece with the frame that ended the session.
        if (this.#ended !== undefined) this.#receiver = undefined
        else if (type === PING) this.#onPing(flags, length)
        else if (type === GO_AWAY) this.#onGoAway(length)
        else this.#onStreamFrame(type, flags, id, length)
      },
      onPayload: (bytes, last) => {
        const receiver = this.#receiver
        if (receiver === undefined) bytes.fill(0)
        else receiver.onBytes(bytes)
        // The stream may have been reset by whoever got the bytes.
        if (last && this.#receiverEnds && this.#streams.get(receiver?.id ?? 0) === receiver) receiver?.onFin()
      },
    }
  }

  #onPing(flags: number, id: number): void {
    if ((flags & SYN) !== 0) return this.#sendControl(PING, ACK, 0, id)
    this.#pings.get(id)?.answered()
    this.#pings.delete(id)
  }

  #onGoAway(code: number): void {
    this.#remoteGoAway = true
    if (code !== NORMAL) throw broken(`it ended the session with code ${code}`)
  }

  #onStreamFrame(type: number, flags: number, id: number, length: number): void {
    // No side ever grants more, so that what is thrown away is bounded, too.
    if (type === DATA && length > WINDOW_BYTES) throw broken(`a frame of ${length} bytes`)
    this.#receiver = undefined
    this.#receiverEnds = false
    if ((flags & SYN) !== 0) this.#accept(id)
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      // As HashiCorp: it was reset here, and the peer has not heard of it yet.
      if ((flags & (FIN | RST)) !== 0) this.#endLingering(id)
      return
    }
    if ((flags & RST) !== 0) {
      this.#forget(id)
      stream.onGone(createError('SE_PLUGIN_FAILURE', 'the other side of a plugin session reset the stream'))
      return
    }
    const fin = (flags & FIN) !== 0
    if (type === WINDOW_UPDATE) {
      stream.onWindow(length)
      if (fin) stream.onFin()
      return
    }
    stream.onData(length)
    if (length === 0) {
      if (fin) stream.onFin()
      return
    }
    this.#receiver = stream
    this.#receiverEnds = fin
  }

  #accept(id: number): void {
    if (id === 0 || id % 2 === this.#parity) throw broken(`a stream of its own with the number ${id}`)
    if (this.#streams.has(id) || this.#lingering.has(id)) throw broken(`stream ${id} opened twice`)
    const { onStream, maxStreams = 256 } = this.#options
    if (this.#localGoAway || onStream === undefined || this.#theirStreams >= maxStreams) {
      return this.#sendControl(WINDOW_UPDATE, RST, id, 0)
    }
    this.#theirStreams++
    const stream = new YamuxStream(this.#carrier, id, 'there')
    this.#streams.set(id, stream)
    onStream(stream)
  }

  #forget(id: number): void {
    if (this.#streams.delete(id) && this.#isTheirs(id)) this.#theirStreams--
  }

  #linger(id: number): void {
    this.#streams.delete(id)
    const timer = setTimeout(() => {
      this.#endLingering(id)
      this.#sendControl(WINDOW_UPDATE, RST, id, 0)
    }, LINGER_MS)
    timer.unref()
    this.#lingering.set(id, timer)
  }

  #endLingering(id: number): void {
    const timer = this.#lingering.get(id)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#lingering.delete(id)
    if (this.#isTheirs(id)) this.#theirStreams--
  }

  #isTheirs(id: number): boolean {
    return id % 2 !== this.#parity
  }

  #sendControl(type: number, flags: number, id: number, length: number): void {
    if (this.#ended !== undefined) return
    this.#controlBytes += HEADER_BYTES
    this.#gather()
    this.#socket.write(header(type, flags, id, length), this.#onControlSent)
    if (this.#controlBytes > MAX_CONTROL_BYTES) this.#end(broken('it does not read what it asks for'))
  }

  #sendData(
    id: number,
    flags: number,
    pieces: readonly Uint8Array[],
    length: number,
    sent: (error?: Error | null) => void,
  ): void {
    if (this.#ended !== undefined) return sent(this.#ended)
    const socket = this.#socket
    this.#gather()
    socket.write(header(DATA, flags, id, length))
    const last = pieces.length - 1
    // A peer that is gone may be known by a write that fails, before the socket says so.
    const written = (error?: Error | null): void =>
      sent(error == null ? error : (this.#ended ?? unavailable('the connection ended', error)))
    for (const [index, piece] of pieces.entries()) socket.write(piece, index === last ? written : undefined)
  }

  // All frames of one turn of the event loop, of whatever streams, go out in one system call at its end.
  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#socket.cork()
    setImmediate(() => {
      this.#gathering = false
      this.#socket.uncork()
    })
  }

  #end(reason: SecretsError, code?: number, here = false): void {
    if (this.#ended !== undefined) return
    if (code !== undefined) this.#sendControl(GO_AWAY, 0, 0, code)
    // Sending the code may have ended it.
    if (this.#ended !== undefined) return
    this.#ended = reason
    clearInterval(this.#keepAlive)
    for (const timer of this.#lingering.values()) clearTimeout(timer)
    this.#lingering.clear()
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    for (const stream of streams) stream.onGone(reason)
    for (const { failed } of this.#pings.values()) failed(reason)
    this.#pings.clear()
    if (here || code !== undefined) this.#leave()
    else this.#socket.destroy()
    this.#resolveClosed(here ? undefined : reason)
  }

  // What was written is sent, and what still comes is read and dropped until the peer leaves too, for a second at most: a socket
  // that is closed with bytes in it is reset, and the peer may not see what was written.
  #leave(): void {
    const socket = this.#socket
    const late = setTimeout(() => socket.destroy(), 1_000)
    socket.once('close', () => clearTimeout(late))
    socket.once('end', () => socket.destroy())
    socket.end()
    socket.resume()
  }
}

/** The error of everything that a session carried when it ended. */
function unavailable(why: string, cause?: Error): SecretsError {
  return createError('SE_PLUGIN_UNAVAILABLE', `the plugin session is over: ${why}`, { cause })
}
