import type { Socket } from 'node:net'
import type { Requester } from '../engine/plugin.js'
import type { PeerCredentials } from '../native/socket.js'
import { requesterOf } from './peer.js'
import type { Call } from './rpc/call.js'

/** How long a caller may take between connecting and asking. */
export const FRESH_MS = 1000

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
  #seenBytes = 0
  #requester: Requester | undefined
  readonly #openedAt = performance.now()

  constructor(socket: Socket, peer: PeerCredentials, surplus: boolean) {
    this.socket = socket
    this.peer = peer
    this.surplus = surplus
  }

  /** Who asks; found with the first request. */
  get requester(): Requester {
    this.#requester ??= requesterOf(this.peer)
    return this.#requester
  }

  /** Takes a request. All that has come so far belongs to it, and to those before. */
  take(call: Call): void {
    this.calls.add(call)
    this.latest = call
    this.#seenBytes = this.socket.bytesRead
  }

  /** Whether nothing is under way: no request, and no part of one. */
  get idle(): boolean {
    return this.calls.size === 0 && this.socket.bytesRead === this.#seenBytes
  }

  /** Whether it is so new that its first request may be on the way. */
  get fresh(): boolean {
    return this.latest === undefined && performance.now() - this.#openedAt < FRESH_MS
  }

  /** Ends every request: its caller has gone. */
  hangUp(): void {
    for (const call of this.calls) call.hangUp()
  }
}
