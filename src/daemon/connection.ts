import type { Socket } from 'node:net'
import type { Requester } from '../engine/plugin.js'
import type { PeerCredentials } from '../native/socket.js'
import { Lane, type LaneHost } from './lane.js'
import type { DaemonLimits } from './limits.js'
import { requesterOf } from './peer.js'
import type { Call } from './rpc/call.js'

/** How long after its beginning, or after its last answer, a connection may still bring a request that is on its way. */
export const FRESH_MS = 500

/** One connection that was let in, and the requests that it carries. */
export class Connection {
  readonly socket: Socket
  readonly peer: PeerCredentials
  /** Whether it is one too many: each of its requests is refused. */
  readonly surplus: boolean
  /** Its requests that are not done: several, where the caller does not wait for answers. */
  readonly calls = new Set<Call>()
  /** Its latest request. */
  latest: Call | undefined
  /** Whether it is a plugin's session by now, and no longer speaks HTTP. */
  hijacked = false
  #lane: Lane | undefined
  readonly #toHttp: (socket: Socket) => void
  #seenBytes = 0
  #requester: Requester | undefined
  #activeAt = performance.now()

  /** @param toHttp - Gives the connection to node:http. */
  constructor(socket: Socket, peer: PeerCredentials, surplus: boolean, toHttp: (socket: Socket) => void) {
    this.socket = socket
    this.#toHttp = toHttp
    this.peer = peer
    this.surplus = surplus
  }

  /** Who asks; found with the first request. */
  get requester(): Requester {
    this.#requester ??= requesterOf(this.peer)
    return this.#requester
  }

  /** Begins to read from it. */
  serve(host: LaneHost): void {
    if (this.surplus) this.serveHttp()
    else this.#lane = new Lane(host, this)
  }

  /** Lets node:http read from it from now on. */
  serveHttp(): void {
    this.#lane = undefined
    this.#toHttp(this.socket)
  }

  /** Takes a request. */
  take(call: Call): void {
    this.calls.add(call)
    this.latest = call
  }

  /** Notes that all that has come so far belongs to requests. */
  noteRead(): void {
    this.#seenBytes = this.socket.bytesRead
  }

  /** Whether nothing is under way: no request, and no part of one. */
  get idle(): boolean {
    if (this.#lane !== undefined) return this.#lane.idle
    return this.calls.size === 0 && this.socket.bytesRead === this.#seenBytes
  }

  /** Lets a request go, that is done. */
  finish(call: Call): void {
    this.calls.delete(call)
    this.#activeAt = call.answeredAt ?? performance.now()
  }

  /** Whether another request may be on its way. */
  get fresh(): boolean {
    return performance.now() - this.#activeAt < FRESH_MS
  }

  /** What is over by now for a connection that node:http does not watch: its wait for a first request, or for the next. */
  overdue(limits: DaemonLimits): 'silent' | 'idle' | undefined {
    const lane = this.#lane
    if (lane === undefined || !lane.idle) return undefined
    const idleMs = performance.now() - this.#activeAt
    if (!lane.used) return idleMs > limits.headersTimeoutMs ? 'silent' : undefined
    return idleMs > limits.keepAliveTimeoutMs ? 'idle' : undefined
  }

  /** Ends every request: its caller has gone. */
  hangUp(): void {
    for (const call of this.calls) call.hangUp()
  }
}
