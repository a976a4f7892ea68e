// The way of usual requests past node:http, whose own work for a request is several times that of answering it. A
// connection begins here. With its first request that is not a usual one it is handed to node:http, once and for all.
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { withHead } from '../wire/buffers.js'
import type { Connection } from './connection.js'
import { Call, type CallHost, type WholeAnswer } from './rpc/call.js'
import { type PlainHead, type PlainRequest, plainRequest } from './rpc/plain-request.js'

/** How a request begins whose body is a passphrase. */
const UNLOCK = 'POST /senative.engine.v1.EngineService/Unlock '

/** Who runs a lane. */
export interface LaneHost extends CallHost {
  /** Answers a usual request. */
  answerPlain(call: LaneCall): void
}

/** A connection that has sent nothing but usual requests. */
export class Lane {
  readonly #host: LaneHost
  readonly #connection: Connection
  readonly #socket: Socket
  #head: PlainHead | undefined
  /** What came while a request was under way. */
  #held: Buffer | undefined
  #busy = false
  /** Whether a request has come. */
  used = false

  readonly #take = (chunk: Buffer): void => {
    if (!this.#busy) return this.#read(chunk)
    // A caller that does not wait: nothing more is read from it until its answer is written.
    this.#held = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
    this.#socket.pause()
  }
  // Whoever closes one half waits for no answer, as with node:http.
  readonly #end = (): void => void this.#socket.end()
  readonly #fail = (): void => void this.#socket.destroy()

  constructor(host: LaneHost, connection: Connection) {
    this.#host = host
    this.#connection = connection
    this.#socket = connection.socket
    this.#socket.on('data', this.#take)
    this.#socket.on('end', this.#end)
    this.#socket.on('error', this.#fail)
  }

  /** Whether nothing is under way. */
  get idle(): boolean {
    return !this.#busy && this.#held === undefined
  }

  /** Goes on with what came meanwhile: an answer is written. */
  next(): void {
    this.#busy = false
    const held = this.#held
    if (held === undefined) return
    this.#held = undefined
    this.#socket.resume()
    this.#read(held)
  }

  #read(chunk: Buffer): void {
    const read = plainRequest(chunk, this.#head)
    if (read === undefined) return this.#leave(chunk)
    this.#head = read[0]
    this.#busy = true
    this.used = true
    this.#host.answerPlain(new LaneCall(this.#host, this.#connection, read[1], this))
  }

  #leave(chunk: Buffer): void {
    const socket = this.#socket
    socket.off('data', this.#take)
    socket.off('end', this.#end)
    socket.off('error', this.#fail)
    this.#connection.serveHttp()
    socket.emit('data', chunk)
    // node:http has copied the body, and the service wipes that copy.
    if (chunk.indexOf(UNLOCK) === 0) chunk.fill(0)
  }
}

/** A usual request. */
export class LaneCall extends Call {
  readonly procedure = '/resolver.v1.ResolverService/GetSecrets'
  readonly plain: PlainRequest
  readonly timeoutMs: number | undefined
  readonly #lane: Lane

  constructor(host: CallHost, connection: Connection, plain: PlainRequest, lane: Lane) {
    super(host, connection)
    this.plain = plain
    this.timeoutMs = plain.timeoutMs
    this.#lane = lane
  }

  protected write({ status, headers, body, last }: WholeAnswer): void {
    const { socket } = this.connection
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\nDate: ${date()}\r\n`
    for (let n = 0; n < headers.length; n += 2) head += `${headers[n]}: ${headers[n + 1]}\r\n`
    const seconds = Math.floor(this.host.limits.keepAliveTimeoutMs / 1000)
    head += last ? 'Connection: close\r\n\r\n' : `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n\r\n`
    const written = (error?: Error | null): void => {
      this.finish()
      if (last || error) socket.destroy()
      else this.#lane.next()
    }
    const whole = typeof body === 'string' ? head + body : withHead(head, body)
    if (whole !== undefined) socket.write(whole, written)
    else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body, written)
      socket.uncork()
    }
  }
}

let dateText = ''
let dateSecond = 0

function date(): string {
  const now = Date.now()
  const second = Math.floor(now / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(now).toUTCString()
  }
  return dateText
}
