// Frames of yamux: a header of 12 bytes, big-endian, and after that of a data frame as many bytes as it says.
// https://github.com/hashicorp/yamux/blob/v0.1.2/spec.md
import { createError, type SecretsError } from '../errors/secrets-error.js'

/** The length of a header in bytes. */
export const HEADER_BYTES = 12

/** How much each side may send on a stream before the other has read it, in bytes. */
export const WINDOW_BYTES = 256 * 1024

/** What a frame is for. */
export const DATA = 0
export const WINDOW_UPDATE = 1
export const PING = 2
export const GO_AWAY = 3

/** Flags: begins a stream (or asks, of a ping); accepts it (or answers); nothing more will be sent; over at once. */
export const SYN = 1
export const ACK = 2
export const FIN = 4
export const RST = 8

/** Why a session ends: the length of a GO_AWAY. */
export const NORMAL = 0
export const PROTOCOL_ERROR = 1

/** Writes a header. */
export function header(type: number, flags: number, streamId: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES)
  bytes[0] = 0
  bytes[1] = type
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt32BE(streamId, 4)
  bytes.writeUInt32BE(length, 8)
  return bytes
}

/** The error for a peer that does not keep to the protocol. It ends the session. */
export function broken(how: string): SecretsError {
  return createError('SE_PLUGIN_FAILURE', `the other side of a plugin session broke the yamux protocol: ${how}`)
}

/** What a reader of frames tells. */
export interface FrameSink {
  /** A header. The payload of a data frame follows, unless its length is 0. */
  onFrame(type: number, flags: number, streamId: number, length: number): void
  /**
   * A part of the last data frame's payload.
   * @param bytes - The receiver's to wipe.
   * @param last - Whether the frame ends here.
   */
  onPayload(bytes: Buffer, last: boolean): void
}

/** Cuts what arrives into frames. Holds back at most one header. */
export class FrameReader {
  readonly #sink: FrameSink
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  #payloadBytes = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** @throws what the sink throws, and {@link broken} for a version or a type that is unknown. */
  read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#payloadBytes > 0) {
        const end = Math.min(chunk.length, at + this.#payloadBytes)
        this.#payloadBytes -= end - at
        this.#sink.onPayload(chunk.subarray(at, end), this.#payloadBytes === 0)
        at = end
        continue
      }
      const end = Math.min(chunk.length, at + HEADER_BYTES - this.#headerBytes)
      chunk.copy(this.#header, this.#headerBytes, at, end)
      this.#headerBytes += end - at
      at = end
      if (this.#headerBytes < HEADER_BYTES) return
      this.#headerBytes = 0
      this.#readHeader(this.#header)
    }
  }

  #readHeader(bytes: Buffer): void {
    const [version, type] = bytes as unknown as [number, number]
    if (version !== 0) throw broken(`a frame of version ${version}`)
    if (type > GO_AWAY) throw broken(`a frame of type ${type}`)
    const length = bytes.readUInt32BE(8)
    // What the sink refuses has no payload that anybody would read.
    this.#sink.onFrame(type, bytes.readUInt16BE(2), bytes.readUInt32BE(4), length)
    if (type === DATA) this.#payloadBytes = length
  }
}
