// What arrived on a stream and was not read yet.

const BLOCK_BYTES = 16 * 1024

/**
 * Bytes in the order in which they came. They are copied into blocks: a piece of a chunk would keep the whole chunk in
 * memory, and a peer that sends single bytes would fill it with chunks.
 */
export class ReceiveQueue {
  readonly #blocks: { bytes: Buffer; used: number }[] = []
  /** How many bytes wait. */
  length = 0

  /** Takes a copy of the bytes, and wipes them. */
  add(bytes: Buffer): void {
    this.length += bytes.length
    let at = 0
    while (at < bytes.length) {
      let block = this.#blocks.at(-1)
      if (block === undefined || block.used === block.bytes.length) {
        block = { bytes: Buffer.alloc(BLOCK_BYTES), used: 0 }
        this.#blocks.push(block)
      }
      const copied = bytes.copy(block.bytes, block.used, at)
      block.used += copied
      at += copied
    }
    bytes.fill(0)
  }

  /** Gives out the next bytes, which are the receiver's to wipe; nothing when none wait. */
  take(): Buffer | undefined {
    const block = this.#blocks.shift()
    if (block === undefined) return undefined
    this.length -= block.used
    return block.bytes.subarray(0, block.used)
  }

  /** Wipes what waits. */
  clear(): void {
    for (const { bytes } of this.#blocks) bytes.fill(0)
    this.#blocks.length = 0
    this.length = 0
  }
}
