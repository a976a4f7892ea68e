// The heads of requests as programs write them, read from the bytes of a connection without a parser of HTTP. Whatever is
// not exactly so is left to node:http: another header, another order of the first line, a request that came in two pieces
// or with the next one behind it.
import type { WireForm } from '../../wire/body.js'

/** What the head of a request says. */
export interface PlainHead {
  /** The head, up to the body. */
  readonly bytes: Buffer
  /** The path. */
  readonly procedure: string
  readonly form: WireForm
  readonly bodyBytes: number
  readonly timeoutMs: number | undefined
}

const FIRST_LINE = /^POST (\/[\w./]+) HTTP\/1\.1$/
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
 * Reads the head of a request that is all of a chunk.
 * @param known - The head of the connection's last request: programs send the same one again.
 */
export function plainHead(chunk: Buffer, known: PlainHead | undefined): PlainHead | undefined {
  const head = known !== undefined && hasHead(chunk, known) ? known : readHead(chunk)
  return head !== undefined && chunk.length === head.bytes.length + head.bodyBytes ? head : undefined
}

function hasHead(chunk: Buffer, { bytes, bodyBytes }: PlainHead): boolean {
  const { length } = bytes
  return chunk.length === length + bodyBytes && bytes.compare(chunk, 0, length) === 0
}

function readHead(chunk: Buffer): PlainHead | undefined {
  // The body may be a passphrase, of which no text is made.
  const end = chunk.indexOf('\r\n\r\n')
  if (end < 0 || end > MAX_HEAD_BYTES) return undefined
  const [first, ...lines] = chunk.toString('latin1', 0, end).split('\r\n')
  const procedure = FIRST_LINE.exec(first ?? '')?.[1]
  if (procedure === undefined) return undefined
  const headers = new Map<string, string>()
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? []
    if (name === undefined || value === undefined || headers.has(name.toLowerCase())) return undefined
    headers.set(name.toLowerCase(), value)
  }
  return read(procedure, headers, chunk.subarray(0, end + 4))
}

function read(procedure: string, headers: ReadonlyMap<string, string>, bytes: Buffer): PlainHead | undefined {
  let form: WireForm | undefined
  let bodyBytes: number | undefined
  let timeoutMs: number | undefined
  for (const [name, value] of headers) {
    if (WITHOUT_EFFECT.has(name)) continue
    if (name === 'content-length' && /^(0|[1-9]\d{0,4})$/.test(value)) bodyBytes = Number(value)
    else if (name === 'content-type' && value === 'application/json') form = 'json'
    else if (name === 'content-type' && value === 'application/proto') form = 'proto'
    else if (name === 'connect-timeout-ms' && /^[1-9]\d{0,8}$/.test(value)) timeoutMs = Number(value)
    else if (name !== 'connection' || value.toLowerCase() !== 'keep-alive') return undefined
  }
  if (form === undefined || bodyBytes === undefined || !headers.has('host')) return undefined
  return { bytes: Buffer.from(bytes), procedure, form, bodyBytes, timeoutMs }
}
