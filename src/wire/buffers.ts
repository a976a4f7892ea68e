// Memory for messages with values in them: native, locked, kept out of core dumps, and wiped on release.
import { native } from '../native/load.js'
import { type Outcome, unwrap } from '../native/outcome.js'
import type { SecretView } from '../native/secret.js'

/** A message with values in it. */
export interface WireBody {
  /** The message. Dead after `release`. */
  readonly bytes: Uint8Array
  /** Wipes the message. To be called when the bytes were sent, or will not be. Again: nothing. */
  release(): void
}

// Buffers for messages of the usual size are kept: to map and lock memory costs more than all the rest.
const POOLED_BYTES = 16 << 10
const POOLED_BUFFERS = 16
const pool: Buffer[] = []

/**
 * Writes a message into a buffer that is kept, or into memory of its own when the message is longer.
 * @param into - Writes into the target and answers with the length; one greater than the target's: nothing was written.
 * @throws what `into` answers with; `SE_LIMIT_EXCEEDED` beyond 256 MiB.
 */
export function writeBody(into: (target: Uint8Array) => Outcome<number>): WireBody {
  const buffer = pool.pop() ?? open(POOLED_BYTES).buffer
  let length: number
  try {
    length = unwrap(into(buffer))
  } catch (error) {
    keep(buffer)
    throw error
  }
  if (length <= POOLED_BYTES) return new PooledBody(buffer, length)
  keep(buffer)
  const own = open(length)
  try {
    unwrap(into(own.buffer))
  } catch (error) {
    own.view.close(own.buffer.buffer)
    throw error
  }
  return new OwnBody(own.buffer, own.view)
}

function keep(buffer: Buffer): void {
  if (pool.length < POOLED_BUFFERS) pool.push(buffer)
}

/** Memory as values have it. */
function open(length: number): { buffer: Buffer<ArrayBuffer>; view: SecretView } {
  const view = unwrap(native().wireBuffer(length))
  return { buffer: Buffer.from(view.open(false)), view }
}

class PooledBody implements WireBody {
  readonly bytes: Uint8Array
  #buffer: Buffer | undefined

  constructor(buffer: Buffer, length: number) {
    this.#buffer = buffer
    this.bytes = buffer.subarray(0, length)
  }

  release(): void {
    if (this.#buffer === undefined) return
    this.bytes.fill(0)
    keep(this.#buffer)
    this.#buffer = undefined
  }
}

class OwnBody implements WireBody {
  readonly bytes: Uint8Array
  readonly #buffer: ArrayBuffer
  readonly #view: SecretView

  constructor(buffer: Buffer<ArrayBuffer>, view: SecretView) {
    this.bytes = buffer
    this.#buffer = buffer.buffer
    this.#view = view
  }

  release(): void {
    this.#view.close(this.#buffer)
  }
}
