import { limitExceeded } from '../limits.js'
import type { HttpCall } from './http-call.js'

/**
 * Reads the body of a request, and calls `take` with it. One that is too long is answered with 413, and what still comes
 * of it is thrown away as it comes.
 * @param take - Gets bytes that belong to it. What it throws becomes the answer.
 */
export function readBody(call: HttpCall, limit: 'maxBodyBytes' | 'maxBatchBytes', take: (body: Buffer) => void): void {
  const { request } = call
  const maximum = call.host.limits[limit]
  let chunks: Buffer[] | undefined = []
  let length = 0
  const refuse = (): void => {
    chunks = undefined
    call.fail(limitExceeded(limit, `the body of a request may have at most ${maximum} bytes`, maximum), 413)
  }
  if (Number(request.headers['content-length']) > maximum) refuse()
  request.on('data', (chunk: Buffer) => {
    if (chunks === undefined) return
    chunks.push(chunk)
    length += chunk.length
    if (length > maximum) refuse()
  })
  request.on('end', () => {
    if (chunks === undefined) return
    try {
      take(joined(chunks, length))
    } catch (error) {
      call.fail(error)
    }
  })
}

/** The chunks as one, of which no copy stays: it may be a passphrase. */
function joined(chunks: readonly Buffer[], length: number): Buffer {
  if (chunks.length === 1) return chunks[0] as Buffer
  const body = Buffer.concat(chunks, length)
  for (const chunk of chunks) chunk.fill(0)
  return body
}
