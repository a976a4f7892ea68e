import { Duplex } from 'node:stream'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { ACK, broken, FIN, RST, SYN, WINDOW_BYTES } from './frame.js'
import { ReceiveQueue } from './receive-queue.js'

/** The longest data frame that is sent: other streams get their turn in between. */
const MAX_FRAME_BYTES = 64 * 1024

const MAX_WINDOW_BYTES = 2 ** 32 - 1

type Done = (error?: Error | null) => void

/** What a stream needs of its session. */
export interface StreamCarrier {
  /** Sends a data frame. `sent` is called when the bytes are out and may be wiped. */
  sendData(streamId: number, flags: number, pieces: readonly Uint8Array[], length: number, sent: Done): void
  /** Sends a window update. */
  sendWindow(streamId: number, flags: number, delta: number): void
  /** Forgets the stream: both sides have ended it, or one has reset it. */
  forget(streamId: number): void
  /** Forgets the stream, whose other side is still to be ended by the peer. */
  linger(streamId: number): void
}

/**
 * One stream of a session. `end()` closes this side only; `destroy()` resets the stream, unless this side was closed
 * before. What the peer may send ahead of the reader is bounded: 256 KiB.
 *
 * Bytes that it gives out are the reader's to wipe. Bytes that are written are not copied, and are let go of when the
 * callback of the write is called.
 */
export class YamuxStream extends Duplex {
  readonly id: number
  readonly #carrier: StreamCarrier
  readonly #received = new ReceiveQueue()
  // SYN until the first frame of a stream of ours is out.
  #flags: number
  // How much may come in, how much of what came was read since the last update, how much may go out.
  #receiveWindow = WINDOW_BYTES
  #credit = 0
  #sendWindow = WINDOW_BYTES
  #wanted = false
  #remoteEnded = false
  #localEnded = false
  #gone = false
  #pieces: Uint8Array[] = []
  #sending = false
  #written: Done | undefined
  #ending: (() => void) | undefined

  constructor(carrier: StreamCarrier, id: number, opened: 'here' | 'there') {
    // One slice at most waits in Node's own buffer; the rest in ours, where it is counted.
    super({ readableHighWaterMark: 1, writableHighWaterMark: MAX_FRAME_BYTES, decodeStrings: true })
    this.#carrier = carrier
    this.id = id
    this.#flags = opened === 'here' ? SYN : 0
    // A stream that fails while nobody looks must not end the process.
    this.on('error', () => undefined)
    // Told at once: HashiCorp's side ends the session when this takes longer than 75 s.
    if (opened === 'there') carrier.sendWindow(id, ACK, 0)
  }

  /** Judges a data frame by its header. */
  onData(length: number): void {
    if (length === 0) return
    if (this.#remoteEnded) throw broken(`data after the end of stream ${this.id}`)
    if (length > this.#receiveWindow) throw broken(`the window of stream ${this.id} exceeded`)
    this.#receiveWindow -= length
  }

  /** Takes a part of a data frame. */
  onBytes(bytes: Buffer): void {
    if (this.destroyed) {
      bytes.fill(0)
    } else if (this.#wanted && this.#received.length === 0) {
      this.#give(bytes)
      this.#grant()
    } else {
      this.#received.add(bytes)
    }
  }

  /** The peer may take more. */
  onWindow(delta: number): void {
    this.#sendWindow += delta
    if (this.#sendWindow > MAX_WINDOW_BYTES) throw broken(`too large a window for stream ${this.id}`)
    if (delta > 0) this.#send()
  }

  /** The peer sends no more. */
  onFin(): void {
    if (this.#remoteEnded) throw broken(`a second end of stream ${this.id}`)
    this.#remoteEnded = true
    if (this.#localEnded) this.#forget()
    if (this.#wanted) this._read()
  }

  /** The peer reset the stream, or the session ended. */
  onGone(error: SecretsError): void {
    this.#gone = true
    this.destroy(error)
  }

  override _read(): void {
    this.#wanted = true
    while (this.#wanted) {
      const bytes = this.#received.take()
      if (bytes === undefined) break
      this.#give(bytes)
    }
    if (this.#remoteEnded && this.#received.length === 0) this.push(null)
    else this.#grant()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: Done): void {
    this._writev([{ chunk }], done)
  }

  override _writev(chunks: readonly { chunk: Uint8Array }[], done: Done): void {
    this.#pieces = chunks.map(({ chunk }) => chunk).filter(({ length }) => length > 0)
    this.#written = done
    this.#send()
  }

  override _final(done: Done): void {
    if (!this.#gone) {
      this.#localEnded = true
      this.#carrier.sendWindow(this.id, this.#takeFlags() | FIN, 0)
      if (this.#remoteEnded) this.#forget()
    }
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#received.clear()
    this.#pieces = []
    if (!this.#gone) {
      if (this.#localEnded) {
        this.#gone = true
        this.#carrier.linger(this.id)
      } else {
        // A stream that was opened and never used is not known to the peer.
        if (this.#flags === 0) this.#carrier.sendWindow(this.id, RST, 0)
        this.#forget()
      }
    }
    this.#ending = () => {
      if (this.#written !== undefined) this.#settle(error ?? closedHere())
      done(error)
    }
    // Not before the frame under way is out: whoever wrote the bytes wipes them then.
    if (!this.#sending) this.#ending()
  }

  #forget(): void {
    this.#gone = true
    this.#carrier.forget(this.id)
  }

  #takeFlags(): number {
    const flags = this.#flags
    this.#flags = 0
    return flags
  }

  #give(bytes: Buffer): void {
    this.#credit += bytes.length
    this.#wanted = this.push(bytes)
  }

  // As HashiCorp does: not for every few bytes, but before the peer has to wait.
  #grant(): void {
    if (this.#credit < WINDOW_BYTES / 2 || this.#remoteEnded || this.#gone) return
    this.#receiveWindow += this.#credit
    this.#carrier.sendWindow(this.id, this.#takeFlags(), this.#credit)
    this.#credit = 0
  }

  // One frame at a time is on its way: the next follows when its bytes are out.
  #send(): void {
    if (this.#sending || this.#written === undefined) return
    if (this.#pieces.length === 0) return this.#settle()
    if (this.#sendWindow === 0) return
    const allowed = Math.min(this.#sendWindow, MAX_FRAME_BYTES)
    const frame: Uint8Array[] = []
    let length = 0
    while (length < allowed && this.#pieces.length > 0) {
      const piece = this.#pieces[0] as Uint8Array
      const part = piece.subarray(0, allowed - length)
      length += part.length
      frame.push(part)
      if (part.length === piece.length) this.#pieces.shift()
      else this.#pieces[0] = piece.subarray(part.length)
    }
    this.#sendWindow -= length
    this.#sending = true
    this.#carrier.sendData(this.id, this.#takeFlags(), frame, length, (error) => {
      this.#sending = false
      if (this.#ending !== undefined) this.#ending()
      else if (error != null) this.#settle(error)
      else this.#send()
    })
  }

  #settle(error?: Error): void {
    const done = this.#written
    this.#written = undefined
    if (error === undefined) done?.()
    else done?.(error)
  }
}

function closedHere(): SecretsError {
  return createError('SE_ABORTED', 'a stream of a plugin session was closed here')
}
