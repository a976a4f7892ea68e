// The engine's side of a plugin session: the plugin registers, then the engine asks.
import type { Duplex } from 'node:stream'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { Requester } from '../engine/plugin.js'
import { PLUGIN_GRACE_MS, PLUGIN_TIMEOUT_MS } from '../engine/plugin-limits.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import {
  CheckAccessRequestSchema,
  CheckAccessResponseSchema,
  Decision,
} from '../gen/accesscontrol/v1/accesscontrol_pb.js'
import { GetSecretsRequestSchema } from '../gen/resolver/v1/resolver_pb.js'
import type { Pattern } from '../pattern.js'
import type { Secret } from '../secret.js'
import { decodeSecrets } from '../wire/body.js'
import { errorFromConnectBody, type ForeignErrors } from '../wire/failure-detail.js'
import { YamuxSession } from '../yamux/session.js'
import { type Call, type CallAnswer, call, MAX_BODY_BYTES } from './call.js'
import { Gate } from './gate.js'
import { ownReads } from './own-reads.js'
import { createRegisterServer } from './register-service.js'
import type { PluginKind, Registration } from './registration.js'
import { Budget } from './response-reader.js'

/** How long the engine waits for one answer. */
export interface AskOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds; by default the session's `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined
}

/** A plugin that has registered. */
export interface PluginSession extends Registration {
  /**
   * Asks for secrets, which are the caller's to dispose. Their ids are whatever the plugin wrote.
   * @throws the plugin's own error, where it is a plugin of ours; else `SE_PLUGIN_FAILURE`, `SE_ACCESS_DENIED`,
   *   `SE_LOCKED` and the like, by Connect's code; `SE_PLUGIN_UNAVAILABLE` as soon as the session ends; `SE_LIMIT_EXCEEDED`;
   *   `SE_ABORTED`; `SE_TIMEOUT`.
   */
  getSecrets(pattern: string, options?: AskOptions): Promise<Secret[]>
  /** Whether an access control module lets the requester ask for the pattern. */
  checkAccess(pattern: string, requester: Requester, signal?: AbortSignal): Promise<boolean>
  /** @throws unless the plugin says that it is well. */
  health(signal?: AbortSignal): Promise<void>
  /** Asks the plugin to end, waits for that 2 s at most, and closes the session. Never rejects. */
  shutdown(): Promise<void>
  /** Ends the session at once. */
  close(): void
  /** Resolves when the session has ended: with the reason, or nothing when it was closed here. */
  readonly closed: Promise<SecretsError | undefined>
}

/** How a session is accepted. */
export interface SessionOptions {
  /** What was read from the socket before. */
  readonly head?: Buffer | undefined
  /** The name that the plugin was launched with. */
  readonly expectName?: string | undefined
  /** Milliseconds until it must have registered. Default 5,000. */
  readonly registrationTimeoutMs?: number | undefined
  /** Milliseconds for one answer, which the plugin is told as well. Default 10,000. */
  readonly requestTimeoutMs?: number | undefined
  /** May refuse a plugin by throwing, such as `SE_PLUGIN_DUPLICATE`. The plugin is told why. */
  readonly admit?: ((registration: Registration) => void | Promise<void>) | undefined
}

// A plugin accepts 256 streams that it has not looked at yet.
const MAX_CALLS = 128
const MAX_ERROR_BYTES = 64 * 1024
const PROTO = 'application/proto'

/**
 * Speaks with a plugin at the other end of a connected socket, which belongs to the session from then on, and waits until
 * the plugin has registered.
 * @throws why it did not: `SE_TIMEOUT`; `SE_PLUGIN_INVALID` and `SE_INVALID_PATTERN` for what it said of itself; what
 *   `admit` throws; `SE_PLUGIN_UNAVAILABLE` when it left. The socket is closed then.
 */
export async function acceptSession(socket: Duplex, options: SessionOptions = {}): Promise<PluginSession> {
  const { head, registrationTimeoutMs = 5_000, requestTimeoutMs = PLUGIN_TIMEOUT_MS } = options
  if (head !== undefined && head.length > 0) socket.unshift(head)
  const { server, registered } = createRegisterServer({ ...options, requestTimeoutMs })
  ownReads(socket)
  const session = new YamuxSession(socket, 'server', {
    // It registers, and asks nothing else.
    maxStreams: 16,
    onStream: (stream) => server.emit('connection', stream),
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate(registrationTimeoutMs)), registrationTimeoutMs)
  })
  const left = session.closed.then((reason) => {
    throw reason
  })
  left.catch(() => undefined)
  try {
    const registration = await Promise.race([registered, late, left])
    return new Session(session, registration, requestTimeoutMs)
  } catch (error) {
    session.close()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

class Session implements PluginSession {
  readonly name: string
  readonly version: string
  readonly kind: PluginKind
  readonly pattern: Pattern | undefined
  readonly closed: Promise<SecretsError | undefined>
  readonly #session: YamuxSession
  readonly #requestTimeoutMs: number
  readonly #gate = new Gate(MAX_CALLS)
  // However many answers come at once, together they are no larger than one may be.
  readonly #budget = new Budget(MAX_BODY_BYTES)
  readonly #errors: ForeignErrors

  constructor(session: YamuxSession, registration: Registration, requestTimeoutMs: number) {
    this.name = registration.name
    this.version = registration.version
    this.kind = registration.kind
    this.pattern = registration.pattern
    this.closed = session.closed
    this.#session = session
    this.#requestTimeoutMs = requestTimeoutMs
    this.#errors = { ...PLUGIN_ERRORS, who: `the plugin ${this.name}` }
  }

  async getSecrets(pattern: string, { signal, timeoutMs }: AskOptions = {}): Promise<Secret[]> {
    const { status, body, contentType } = await this.#call({
      what: `asking the plugin ${this.name} for ${pattern}`,
      method: 'POST',
      path: '/resolver.v1.ResolverService/GetSecrets',
      contentType: PROTO,
      body: toBinary(GetSecretsRequestSchema, create(GetSecretsRequestSchema, { pattern })),
      signal,
      timeoutMs: timeoutMs ?? this.#requestTimeoutMs,
    })
    if (status === 200 && contentType === PROTO) return this.#decode(body)
    const error = this.#errorFrom(status, body)
    if (error.code === 'SE_NOT_FOUND') return []
    throw error
  }

  async checkAccess(pattern: string, requester: Requester, signal?: AbortSignal): Promise<boolean> {
    const { pid, name, path } = requester
    const request = create(CheckAccessRequestSchema, {
      pattern,
      requester: { pid, name, absoluteBinaryPath: path },
    })
    const { status, body, contentType } = await this.#call({
      what: `asking the plugin ${this.name} whether ${pattern} may be read`,
      method: 'POST',
      path: '/accesscontrol.v1.AccessControlService/CheckAccess',
      contentType: PROTO,
      body: toBinary(CheckAccessRequestSchema, request),
      maxBodyBytes: MAX_ERROR_BYTES,
      signal,
      timeoutMs: this.#requestTimeoutMs,
    })
    if (status !== 200 || contentType !== PROTO) throw this.#errorFrom(status, body)
    try {
      return fromBinary(CheckAccessResponseSchema, body).decision === Decision.ALLOW
    } catch (cause) {
      throw this.#notUnderstood(cause)
    }
  }

  async health(signal?: AbortSignal): Promise<void> {
    const { status } = await this.#call({
      what: `asking the plugin ${this.name} how it is`,
      method: 'GET',
      path: '/health',
      maxBodyBytes: MAX_ERROR_BYTES,
      signal,
      timeoutMs: this.#requestTimeoutMs,
    })
    if (status === 200) return
    throw createError('SE_PLUGIN_UNAVAILABLE', `the plugin ${this.name} is not well: it answered ${status}`)
  }

  async shutdown(): Promise<void> {
    const asked = this.#call({
      what: `ending the plugin ${this.name}`,
      method: 'POST',
      path: '/plugins.v1.PluginService/Shutdown',
      contentType: PROTO,
      body: new Uint8Array(0),
      maxBodyBytes: MAX_ERROR_BYTES,
      timeoutMs: PLUGIN_GRACE_MS,
    })
    asked.catch(() => undefined)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PLUGIN_GRACE_MS)
    })
    await Promise.race([this.closed, late])
    clearTimeout(timer)
    this.close()
  }

  close(): void {
    this.#session.close()
  }

  #call(request: Call): Promise<CallAnswer> {
    return this.#gate.enter(() => call(this.#session, { ...request, budget: this.#budget }), request)
  }

  #decode(body: Buffer): Secret[] {
    try {
      return decodeSecrets('proto', body)
    } catch (cause) {
      if ((cause as SecretsError).code !== 'SE_CORRUPT') throw cause
      throw this.#notUnderstood(cause)
    } finally {
      body.fill(0)
    }
  }

  #errorFrom(status: number, body: Buffer): SecretsError {
    const text = body.toString('utf8', 0, MAX_ERROR_BYTES)
    body.fill(0)
    return status === 200 ? this.#notUnderstood() : errorFromConnectBody(status, text, this.#errors)
  }

  #notUnderstood(cause?: unknown): SecretsError {
    return createError('SE_PLUGIN_FAILURE', `the plugin ${this.name} gave an answer that is none`, { cause })
  }
}

/** What the errors of plugins in other languages are taken for. Their messages may quote anything. */
const PLUGIN_ERRORS: Omit<ForeignErrors, 'who'> = {
  codes: {
    deadline_exceeded: 'SE_TIMEOUT',
    not_found: 'SE_NOT_FOUND',
    permission_denied: 'SE_ACCESS_DENIED',
    unauthenticated: 'SE_ACCESS_DENIED',
    resource_exhausted: 'SE_LIMIT_EXCEEDED',
    failed_precondition: 'SE_LOCKED',
    unavailable: 'SE_PLUGIN_UNAVAILABLE',
  },
  otherwise: 'SE_PLUGIN_FAILURE',
  shown: false,
}

function tooLate(timeoutMs: number): SecretsError {
  return createError('SE_TIMEOUT', `the plugin did not register within ${timeoutMs} ms`, { details: { timeoutMs } })
}
