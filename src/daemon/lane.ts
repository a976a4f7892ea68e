// The way of usual requests past node:http, whose own work for a request is several times that of answering it. A
// connection begins here. With its first request that is not a usual one it is handed to node:http, once and for all.
import type { Socket } from 'node:net'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { SecretView } from '../native/secret.js'
import { lentHandleOf, type Secret } from '../secret.js'
import { timeOf, type WireForm } from '../wire/body.js'
import type { AnswerHeads } from './answer-heads.js'
import type { Connection } from './connection.js'
import { descriptorOf } from './peer.js'
import { Call, type CallHost, type WholeAnswer } from './rpc/call.js'
import { UNLOCK } from './rpc/engine-service.js'
import { type PlainHead, plainHead } from './rpc/plain-request.js'
import type { Answer, Usual } from './rpc/usual.js'

/** What libuv asks Node for, to read into. */
const NODE_READ_BYTES = 64 << 10

/** Who runs a lane. */
export interface LaneHost extends CallHost {
  readonly heads: AnswerHeads
  /** What reads usual requests, by the path. */
  readonly usual: ReadonlyMap<string, Usual>
  /** Begins a request, and answers it. */
  begin(call: Call, answer: Answer): void
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

  /** Whether a part of the next request has come: the answer before it is not the last. */
  get hasNext(): boolean {
    return this.#held !== undefined
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
    const head = plainHead(chunk, this.#head)
    const answer = head && this.#answer(head, chunk)
    if (head === undefined || answer === undefined) return this.#leave(chunk)
    this.#head = head
    this.#busy = true
    this.used = true
    this.#host.begin(new LaneCall(this.#host, this.#connection, head, this), answer)
    // Who reads a passphrase wipes it. Nobody has read that of a request which was refused.
    if (head.procedure === UNLOCK) wipe(chunk)
  }

  #answer({ procedure, form, bytes, bodyBytes }: PlainHead, chunk: Buffer): Answer | undefined {
    if (bodyBytes > this.#host.limits.maxBodyBytes) return undefined
    return this.#host.usual.get(procedure)?.(form, chunk.subarray(bytes.length))
  }

  #leave(chunk: Buffer): void {
    const socket = this.#socket
    socket.off('data', this.#take)
    socket.off('end', this.#end)
    socket.off('error', this.#fail)
    this.#connection.serveHttp()
    socket.emit('data', chunk)
    // node:http has copied the body, and the service wipes that copy. Another request may be before it.
    if (chunk.includes(UNLOCK)) wipe(chunk)
  }
}

/**
 * Wipes what was read. Node has copied it out of a block of its own, which is free again with the bytes in it, and the first
 * to be taken for an allocation of its size: that one begins with zeros.
 * @see Node's `EmitToJSStreamListener::OnStreamRead`
 */
function wipe(chunk: Buffer): void {
  chunk.fill(0)
  Buffer.alloc(NODE_READ_BYTES)
}

/** A usual request. */
export class LaneCall extends Call {
  readonly procedure: string
  readonly timeoutMs: number | undefined
  readonly #host: LaneHost
  readonly #lane: Lane

  constructor(host: LaneHost, connection: Connection, { procedure, timeoutMs }: PlainHead, lane: Lane) {
    super(host, connection)
    this.procedure = procedure
    this.timeoutMs = timeoutMs
    this.#host = host
    this.#lane = lane
  }

  protected override get last(): boolean {
    return super.last && !this.#lane.hasNext
  }

  protected write({ status, headers, body, last }: WholeAnswer): void {
    const { socket } = this.connection
    const head = this.#host.heads.whole(status, headers, last)
    const written = (error?: Error | null): void => {
      if (last || error) socket.destroy()
      this.#written()
    }
    if (typeof body === 'string') {
      socket.write(head + body, written)
      return
    }
    socket.cork()
    socket.write(head, 'latin1')
    socket.write(body, written)
    socket.uncork()
  }

  override answerSecret(form: WireForm, secret: Secret): boolean {
    const { socket } = this.connection
    const fd = descriptorOf(socket)
    if (!this.open || this.last || fd < 0 || socket.writableLength > 0 || !isShort(secret)) return false
    const { id, plugin = '', version = '', createdAt, resolvedAt, expiresAt } = secret
    const times = [timeOf(createdAt), timeOf(resolvedAt), timeOf(expiresAt)] as const
    const head = this.#host.heads.usual(form)
    const left = native().sendSecret(
      fd,
      form === 'json',
      head,
      this.id,
      id,
      plugin,
      version,
      ...times,
      lentHandleOf(secret),
    )
    // Throws when it was not sent: another disposed the secret. The request is open still, to be told so.
    const rest = left && unwrap(left)
    this.noteAnswer()
    if (rest === null) this.#written()
    else this.#writeRest(rest)
    return true
  }

  /** Writes what the socket had no room for. */
  #writeRest(view: SecretView): void {
    const { socket } = this.connection
    const buffer = view.open(false)
    socket.write(new Uint8Array(buffer), (error) => {
      view.close(buffer)
      if (error) socket.destroy()
      this.#written()
    })
  }

  #written(): void {
    this.finish()
    // What came after the last answer is not begun: nobody would hear of it.
    if (!this.connection.socket.destroyed) this.#lane.next()
  }
}

// What the native part sends at once (crates/binding/src/answer.rs): anything longer is written by the stream.
const MAX_SENT_BYTES = 8 << 10
const MAX_SENT_TEXT = 1 << 10

function isShort({ id, plugin = '', version = '', byteLength, metadata }: Secret): boolean {
  for (const _ in metadata) return false
  return byteLength <= MAX_SENT_BYTES && id.length + plugin.length + version.length <= MAX_SENT_TEXT
}
