// What the daemon's server bears, so that its memory stays bounded whoever calls.
import { createError, type SecretsError } from '../errors/secrets-error.js'

/** The limits of a daemon's server. Beyond each the caller gets `SE_LIMIT_EXCEEDED`, which names it. */
export interface DaemonLimits {
  /** Connections at once. Those beyond get one answer, which says so; from {@link SPARE_CONNECTIONS} more on, none. */
  readonly maxConnections: number
  /** Requests at once, over all connections: those whose body is still read and whose answer is still written as well. */
  readonly maxRequests: number
  /** The bytes of a request's line and headers. */
  readonly maxHeaderBytes: number
  /** The bytes of a request's body. */
  readonly maxBodyBytes: number
  /** The bytes of the body of `GetBatch`, which may hold 10,000 patterns. */
  readonly maxBatchBytes: number
  /** Secrets in one answer. */
  readonly maxEnvelopes: number
  /** The bytes of one answer. */
  readonly maxAnswerBytes: number
  /** The bytes of all answers that are being written. */
  readonly maxPendingBytes: number
  /** Milliseconds for a request's headers to arrive, from the connection's or the request's first byte on. */
  readonly headersTimeoutMs: number
  /** Milliseconds for a whole request to arrive. */
  readonly requestTimeoutMs: number
  /** Milliseconds for an answer to be read by its caller. */
  readonly answerTimeoutMs: number
  /** Milliseconds that a connection may be idle. Go's client keeps one for 90 s, and would race into a close. */
  readonly keepAliveTimeoutMs: number
}

/** What a daemon bears. */
export const DEFAULT_LIMITS: DaemonLimits = {
  maxConnections: 1024,
  maxRequests: 512,
  maxHeaderBytes: 16 << 10,
  maxBodyBytes: 64 << 10,
  maxBatchBytes: 1 << 20,
  maxEnvelopes: 100_000,
  maxAnswerBytes: 256 << 20,
  maxPendingBytes: 512 << 20,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  answerTimeoutMs: 60_000,
  keepAliveTimeoutMs: 120_000,
}

/** Connections beyond the limit that are still told why they are refused. */
export const SPARE_CONNECTIONS = 64

/** The error for a limit that was reached: what is too much, and the limit's name for those who can raise it. */
export function limitExceeded(
  limit: keyof DaemonLimits | 'maxPatterns',
  message: string,
  maximum: number,
): SecretsError {
  return createError('SE_LIMIT_EXCEEDED', message, { details: { limit, maximum } })
}
