// Node reads a socket into memory that it copies from and frees without wiping: of every value that comes so, a copy stays
// until the allocator gives that memory out again. The one way around it is a buffer of one's own, as `onread` of `net.connect`
// has it; sockets that Node itself makes, for connections and children, are given theirs here by the same means.
import { Socket } from 'node:net'
import type { Duplex, Readable } from 'node:stream'

/** As much as Node reads at once. */
const READ_BYTES = 64 << 10
// One for all: what is read is taken out before anything else happens.
let buffer: Buffer | undefined

/** A socket by its inner parts, where they are as Node 20 to 26 have them. */
type Inner = Record<symbol, unknown> & { readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null }

/**
 * From now on a socket is read into a buffer that is wiped after each read. What comes out of it as ever is a copy, and
 * belongs to whoever takes it.
 * @returns whether that could be done: not with a stream that is no socket of the system.
 */
export function ownReads(stream: Duplex | Readable): boolean {
  if (!(stream instanceof Socket)) return false
  const inner = stream as unknown as Inner
  const symbols = Object.getOwnPropertySymbols(inner)
  const symbol = (name: string): symbol | undefined => symbols.find(({ description }) => description === name)
  const [own, taker] = [symbol('kBuffer'), symbol('kBufferCb')]
  if (own === undefined || taker === undefined || inner._handle?.useUserBuffer === undefined) return false
  buffer ??= Buffer.from(new ArrayBuffer(READ_BYTES))
  inner._handle.useUserBuffer(buffer)
  inner[own] = buffer
  inner[taker] = (length: number, read: Buffer): boolean => {
    const copy = Buffer.from(new ArrayBuffer(length))
    read.copy(copy, 0, 0, length)
    read.fill(0, 0, length)
    return stream.push(copy)
  }
  return true
}
