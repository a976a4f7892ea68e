// Reads one HTTP/1.1 response. By hand, since it may hold values: node:http gives each part of a body out as a copy of
// its own and keeps the original where nobody can wipe it. What is read here is wiped by whoever asked, and nothing else
// holds it.
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { GrowingBytes } from './growing-bytes.js'

/** How much a response may hold, in bytes. */
export interface ResponseLimits {
  readonly maxHeadBytes: number
  readonly maxBodyBytes: number
  /** What the answers of one session may hold together while they come in. */
  readonly budget?: Budget | undefined
}

/** Bytes that several readers share. */
export class Budget {
  /** How many are left. */
  left: number

  constructor(bytes: number) {
    this.left = bytes
  }
}

type State = 'head' | 'counted' | 'to the end' | 'chunk size' | 'chunk' | 'chunk end' | 'trailer' | 'done'

const END_OF_HEAD = Buffer.from('\r\n\r\n')
// The longest line of a chunk's size: 16 digits and an extension that nobody sends.
const MAX_SIZE_LINE = 64
const LF = 10

/** One response, as it comes in. */
export class ResponseReader {
  /** The status. */
  status = 0
  /** The media type of the body, without parameters. */
  contentType = ''

  readonly #limits: ResponseLimits
  #head = new GrowingBytes()
  readonly #body = new GrowingBytes()
  #state: State = 'head'
  // What is left of a body or chunk whose length is known.
  #left = 0
  #line = ''
  #trailerBytes = 0
  // How much of the budget it holds.
  #taken = 0

  constructor(limits: ResponseLimits) {
    this.#limits = limits
  }

  /** The body, once it is whole. The caller's to wipe. */
  get body(): Buffer {
    return this.#body.bytes
  }

  /**
   * Takes bytes, which are wiped or become the body's.
   * @returns whether the response is whole.
   * @throws `SE_PLUGIN_FAILURE` for what is no response; `SE_LIMIT_EXCEEDED`.
   */
  read(bytes: Buffer): boolean {
    let rest = bytes
    while (rest.length > 0 && this.#state !== 'done') rest = this.#step(rest)
    // What follows a response that is whole is nobody's.
    rest.fill(0)
    return this.#state === 'done'
  }

  /** Nothing more will come. @throws `SE_PLUGIN_FAILURE` when that is too early. */
  end(): void {
    if (this.#state === 'to the end') this.#state = 'done'
    if (this.#state !== 'done') throw invalid('it ends too early')
  }

  /** Gives back its part of the budget. To be called when the body is handed over or wiped. */
  settle(): void {
    if (this.#limits.budget !== undefined) this.#limits.budget.left += this.#taken
    this.#taken = 0
  }

  /** Wipes everything that was read. */
  wipe(): void {
    this.settle()
    this.#head.wipe()
    this.#body.wipe()
  }

  /** Takes what belongs to the present state, and gives back the rest. */
  #step(bytes: Buffer): Buffer {
    switch (this.#state) {
      case 'head':
        return this.#readHead(bytes)
      case 'counted':
      case 'chunk': {
        const part = bytes.subarray(0, this.#left)
        this.#left -= part.length
        this.#add(part)
        if (this.#left === 0) this.#state = this.#state === 'chunk' ? 'chunk end' : 'done'
        return bytes.subarray(part.length)
      }
      case 'to the end':
        this.#add(bytes)
        return bytes.subarray(bytes.length)
      default:
        return this.#readLine(bytes)
    }
  }

  #add(part: Buffer): void {
    if (this.#body.length + part.length > this.#limits.maxBodyBytes) throw this.#tooLarge('body', 'maxBodyBytes')
    const { budget } = this.#limits
    if (budget !== undefined) {
      if (part.length > budget.left) throw tooMuch()
      budget.left -= part.length
      this.#taken += part.length
    }
    this.#body.add(part)
  }

  #readHead(bytes: Buffer): Buffer {
    const before = this.#head.length
    this.#head.add(bytes)
    const at = this.#head.bytes.indexOf(END_OF_HEAD, Math.max(0, before - 3))
    if ((at < 0 ? this.#head.length : at) > this.#limits.maxHeadBytes) throw this.#tooLarge('head', 'maxHeadBytes')
    if (at < 0) return Buffer.alloc(0)
    const text = this.#head.bytes.toString('latin1', 0, at)
    const rest = this.#head.bytes.subarray(at + END_OF_HEAD.length)
    // What follows it becomes the body's, and is wiped there.
    this.#head = new GrowingBytes()
    this.#parseHead(text)
    return rest
  }

  #parseHead(text: string): void {
    const [first = '', ...lines] = text.split('\r\n')
    const status = /^HTTP\/1\.[01] ([1-9]\d\d)(?: |$)/.exec(first)?.[1]
    if (status === undefined || status === '101') throw invalid('its first line is none of HTTP/1.1')
    this.status = Number(status)
    // An interim response, such as 100 Continue: the real one follows.
    if (this.status < 200) return
    const headers = new Map<string, string>()
    for (const line of lines) {
      const colon = line.indexOf(':')
      if (colon < 1) throw invalid('a line of its head has no name')
      const name = line.slice(0, colon).toLowerCase()
      const value = line.slice(colon + 1).trim()
      if (FRAMING.includes(name) && headers.has(name) && headers.get(name) !== value)
        throw invalid(`it has two of ${name}`)
      headers.set(name, value)
    }
    this.contentType = (headers.get('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
    const encoding = headers.get('content-encoding')
    if (encoding !== undefined && encoding !== 'identity')
      throw invalid('its body is compressed, which was not asked for')
    this.#expectBody(headers.get('transfer-encoding'), headers.get('content-length'))
  }

  #expectBody(transfer: string | undefined, length: string | undefined): void {
    if (this.status === 204 || this.status === 304) {
      this.#state = 'done'
    } else if (transfer !== undefined) {
      if (transfer.toLowerCase() !== 'chunked' || length !== undefined) throw invalid('its length is not clear')
      this.#state = 'chunk size'
    } else if (length === undefined) {
      this.#state = 'to the end'
    } else {
      if (!/^\d{1,15}$/.test(length)) throw invalid('its length is no number')
      this.#left = Number(length)
      if (this.#left > this.#limits.maxBodyBytes) throw this.#tooLarge('body', 'maxBodyBytes')
      this.#state = this.#left === 0 ? 'done' : 'counted'
    }
  }

  /** A line between chunks, which holds no value unless the peer lies about lengths. */
  #readLine(bytes: Buffer): Buffer {
    const at = bytes.indexOf(LF)
    const end = at < 0 ? bytes.length : at + 1
    this.#line += bytes.toString('latin1', 0, Math.min(end, MAX_SIZE_LINE + 1))
    if (this.#state === 'trailer') {
      this.#trailerBytes += end
      if (this.#trailerBytes > this.#limits.maxHeadBytes) throw this.#tooLarge('head', 'maxHeadBytes')
    } else if (this.#line.length > MAX_SIZE_LINE) {
      throw invalid('a chunk has no length')
    }
    bytes.fill(0, 0, end)
    if (at >= 0) {
      const line = this.#line
      this.#line = ''
      this.#takeLine(line)
    }
    return bytes.subarray(end)
  }

  #takeLine(line: string): void {
    if (this.#state === 'chunk size') {
      const digits = /^([0-9a-f]{1,8})(?:[ \t]*;.*)?\r\n$/i.exec(line)?.[1]
      if (digits === undefined) throw invalid('a chunk has no length')
      this.#left = Number.parseInt(digits, 16)
      this.#state = this.#left === 0 ? 'trailer' : 'chunk'
    } else if (this.#state === 'chunk end') {
      if (line !== '\r\n') throw invalid('a chunk is longer than it says')
      this.#state = 'chunk size'
    } else if (line === '\r\n') {
      this.#state = 'done'
    }
  }

  #tooLarge(part: string, limit: keyof ResponseLimits): SecretsError {
    const bytes = this.#limits[limit]
    return createError('SE_LIMIT_EXCEEDED', `the ${part} of a plugin's answer is larger than ${bytes} bytes`, {
      details: { limit: bytes },
    })
  }
}

const FRAMING = ['content-length', 'transfer-encoding', 'content-type', 'content-encoding']

function tooMuch(): SecretsError {
  return createError('SE_LIMIT_EXCEEDED', 'the answers of a plugin that come in at the same time are too large')
}

function invalid(why: string): SecretsError {
  return createError('SE_PLUGIN_FAILURE', `a plugin's answer is not a valid HTTP response: ${why}`)
}
