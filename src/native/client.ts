import type { Outcome } from './outcome.js'
import type { SecretHandle } from './secret.js'
import type { WireEnvelope } from './wire.js'

/** An answer of a daemon. */
export interface DaemonReply {
  /** The HTTP status: 200, or that of a Connect error. */
  status: number
  /** The secrets of its member `envelopes`. */
  envelopes: WireEnvelope[]
  /** The JSON object without that member; of an error, the whole of it. */
  body: string
}

/** A request that can be given up. */
export interface DaemonCall {
  /** The answer. To be called once. `SE_DAEMON_UNREACHABLE`, `SE_SOCKET_UNSAFE`, `SE_TIMEOUT`, `SE_ABORTED`, `SE_CORRUPT`, `SE_LIMIT_EXCEEDED`. */
  reply(): Promise<Outcome<DaemonReply>>
  /** Closes the request's connection, so that the daemon stops its work; `reply` answers `SE_ABORTED`. */
  cancel(): void
}

/** A client of one daemon, which keeps connections for later requests. */
export interface NativeClient {
  /**
   * Begins a unary Connect request in JSON.
   * @param procedure - Such as `/resolver.v1.ResolverService/GetSecrets`.
   * @param body - JSON; each NUL character is the place of a value as base64.
   * @param timeoutMs - Milliseconds from now until the whole answer is there; also sent as `Connect-Timeout-Ms`. None: no limit.
   */
  call(procedure: string, body: string, values: readonly SecretHandle[], timeoutMs?: number): DaemonCall
  /** Closes idle connections; calls under way go on. */
  close(): void
}

/** What crates/binding/src/client.rs exports. Unix only. */
export interface ClientBinding {
  /**
   * A client for the daemon at an address: a path, or `@name` in the abstract space. Connects with the first call. A
   * server that is neither `uid`'s nor root's is refused before a byte is sent (`SE_SOCKET_UNSAFE`).
   */
  openDaemonClient(address: string, uid: number): Outcome<NativeClient>
}
