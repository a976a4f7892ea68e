// Requests of GetSecrets as programs write them, read from the bytes of a connection without a parser of HTTP. Whatever is
// not exactly so is left to node:http: another header, another order of the first line, a request that came in two pieces
// or with the next one behind it.
import type { WireForm } from '../../wire/body.js'
import { requestPattern } from './request-pattern.js'

/** A request of GetSecrets. */
export interface PlainRequest {
  readonly form: WireForm
  /** May be no pattern. */
  readonly pattern: string
  readonly timeoutMs: number | undefined
}

/** What the head of a request says. */
export interface PlainHead {
  /** The head, up to the body. */
  readonly bytes: Buffer
  readonly form: WireForm
  readonly bodyBytes: number
  readonly timeoutMs: number | undefined
}

const FIRST_LINE = 'POST /resolver.v1.ResolverService/GetSecrets HTTP/1.1'
/** A longer head is none of the usual ones. */
const MAX_HEAD_BYTES = 2048
const HEADER = /^([A-Za-z-]+): ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/
/** Headers that change nothing about the answer. */
const WITHOUT_EFFECT = new Set([
  'host',
  'user-agent',
  'accept',
  'accept-encoding',
  'connect-accept-encoding',
  'connect-protocol-version',
])

/**
 * Reads a request that is all of a chunk.
 * @param known - The head of the connection's last request: programs send the same one again.
 */
export function plainRequest(chunk: Buffer, known: PlainHead | undefined): [PlainHead, PlainRequest] | undefined {
  const head = known !== undefined && hasHead(chunk, known) ? known : plainHead(chunk)
  if (head === undefined || chunk.length !== head.bytes.length + head.bodyBytes) return undefined
  const { form, timeoutMs } = head
  const pattern = requestPattern(form, chunk, head.bytes.length)
  return pattern === undefined ? undefined : [head, { form, pattern, timeoutMs }]
}

function hasHead(chunk: Buffer, { bytes, bodyBytes }: PlainHead): boolean {
  const { length } = bytes
  return chunk.length === length + bodyBytes && bytes.compare(chunk, 0, length) === 0
}

function plainHead(chunk: Buffer): PlainHead | undefined {
  const text = chunk.toString('latin1', 0, Math.min(chunk.length, MAX_HEAD_BYTES))
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first, ...lines] = text.slice(0, end).split('\r\n')
  if (first !== FIRST_LINE) return undefined
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? []
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return undefined
    headers.set(name.toLowerCase(), value)
  }
  return read(headers, chunk.subarray(0, end + 4))
}

function read(headers: ReadonlyMap<string, string>, bytes: Buffer): PlainHead | undefined {
  let form: WireForm | undefined
  let bodyBytes: number | undefined
  let timeoutMs: number | undefined
  for (const [name, value] of headers) {
    if (WITHOUT_EFFECT.has(name)) continue
    if (name === 'content-length' && /^[1-9]\d{0,4}$/.test(value)) bodyBytes = Number(value)
    else if (name === 'content-type' && value === 'application/json') form = 'json'
    else if (name === 'content-type' && value === 'application/proto') form = 'proto'
    else if (name === 'connect-timeout-ms' && /^[1-9]\d{0,8}$/.test(value)) timeoutMs = Number(value)
    else if (name !== 'connection' || value.toLowerCase() !== 'keep-alive') return undefined
  }
  if (form === undefined || bodyBytes === undefined || !headers.has('host')) return undefined
  return { bytes: Buffer.from(bytes), form, bodyBytes, timeoutMs }
}
