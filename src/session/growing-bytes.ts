/**
 * Bytes that come in pieces, put together in one buffer. Each piece, and each buffer that became too small, is wiped: no
 * copy stays but the last. A peer that sends single bytes costs no more than what it sends.
 */
export class GrowingBytes {
  #buffer: Buffer = Buffer.alloc(0)
  #length = 0

  /** What has come so far, which {@link wipe} wipes. */
  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** How many bytes have come. */
  get length(): number {
    return this.#length
  }

  /** Takes a piece, which is wiped or becomes a part of {@link bytes}. */
  add(piece: Buffer): void {
    if (this.#length === 0) {
      // A short answer comes in one piece: no copy at all.
      this.#buffer = piece
      this.#length = piece.length
      return
    }
    const length = this.#length + piece.length
    if (length > this.#buffer.length) {
      // Not from Buffer's pool, in which what is wiped here would have neighbours.
      const larger = Buffer.alloc(Math.max(length, this.#buffer.length * 2, 4096))
      this.bytes.copy(larger)
      this.bytes.fill(0)
      this.#buffer = larger
    }
    piece.copy(this.#buffer, this.#length)
    this.#length = length
    piece.fill(0)
  }

  /** Zeroes what has come, and forgets it. */
  wipe(): void {
    this.bytes.fill(0)
    this.#buffer = Buffer.alloc(0)
    this.#length = 0
  }
}
