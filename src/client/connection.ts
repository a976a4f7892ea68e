// The way to one daemon: requests, each with a limit and a way out, and what happens when the daemon goes and comes back.
import { now } from '../clock.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import type { DaemonCall, DaemonReply, NativeClient } from '../native/client.js'
import { native } from '../native/load.js'
import { type Outcome, unwrap } from '../native/outcome.js'
import { handleOf, type Secret } from '../secret.js'
import { VERSION } from '../version.js'
import { type WaitOptions, wait } from '../wait.js'
import { errorFromConnectBody } from '../wire/failure-detail.js'

/** How long a daemon may take to prove that it is alive. After that only the caller's limit counts. */
export const PROOF_TIMEOUT_MS = 1000

/** A request of ours. */
export interface DaemonRequest {
  /** Such as `/senative.engine.v1.EngineService/GetBatch`. */
  readonly procedure: string
  /** What is being done, such as `asking the daemon for a/b`. */
  readonly what: string
  /** Plain members. */
  readonly body: Readonly<Record<string, unknown>>
  /** A member that is a secret, sent as base64. */
  readonly secret?: { readonly member: string; readonly value: Secret }
}

/**
 * The way to the daemon at one address. Nothing is sent before the first request, and each first asks for the daemon's
 * version where that is not known, or may have changed since the connection broke.
 *
 * Every procedure of ours may be repeated: a request that fails because the connection broke is sent once more, within
 * the caller's limit. So a daemon that was restarted is found again; one that is gone is `SE_DAEMON_UNREACHABLE`.
 */
export class Connection {
  /** The daemon's address. */
  readonly address: string
  readonly #client: NativeClient
  #proof: Promise<void> | undefined
  #closed = false
  #lost = false

  /**
   * @param address - A path, or `@name` in the abstract space.
   * @throws `SE_UNSUPPORTED` on Windows.
   */
  constructor(address: string) {
    this.address = address
    this.#client = unwrap(native().openDaemonClient(address, process.getuid?.() ?? 0))
  }

  /** Whether the daemon was not reached the last time. */
  get lost(): boolean {
    return this.#lost
  }

  /**
   * Asks, and answers with what came.
   * @throws `DaemonError` `SE_DAEMON_UNREACHABLE`, `SE_DAEMON_INCOMPATIBLE`, `SE_SOCKET_UNSAFE`, `SE_LIMIT_EXCEEDED`;
   *   `CancelledError`, at which the daemon stops its work; `SE_DISPOSED`; the daemon's own error.
   */
  async ask(request: DaemonRequest, { signal, timeoutMs }: WaitOptions = {}): Promise<DaemonReply> {
    const end = timeoutMs === undefined ? undefined : now() + timeoutMs
    let call: DaemonCall | undefined
    let abandoned = false
    const once = async (): Promise<DaemonReply> => {
      await this.prove()
      if (abandoned) throw createError('SE_ABORTED', `${request.what} was abandoned by the caller`)
      call = this.#call(request, end === undefined ? undefined : Math.max(Math.ceil(end - now()), 1))
      const outcome = await call.reply()
      call = undefined
      return this.#checked(outcome)
    }
    const begin = async (): Promise<DaemonReply> => {
      try {
        return await once()
      } catch (error) {
        if (!this.#brokeWith(error)) throw error
      }
      return once().catch((error: unknown) => {
        this.#brokeWith(error)
        throw error
      })
    }
    try {
      return await wait({ what: request.what, begin, discard: wipe }, { signal, timeoutMs })
    } catch (error) {
      abandoned = true
      call?.cancel()
      throw error
    }
  }

  /**
   * Has the daemon prove that it is alive, and speaks our version. Once for each connection.
   * @throws `SE_DAEMON_UNREACHABLE` after a second; `SE_DAEMON_INCOMPATIBLE`; `SE_SOCKET_UNSAFE`; `SE_DISPOSED`.
   */
  prove(): Promise<void> {
    this.#proof ??= this.#prove().catch((error: unknown) => {
      this.#proof = undefined
      throw error
    })
    return this.#proof
  }

  /** Lets idle connections go; requests under way go on. Later ones throw `SE_DISPOSED`. Again: nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#client.close()
  }

  #call({ body, procedure, secret }: DaemonRequest, timeoutMs: number | undefined): DaemonCall {
    if (this.#closed) throw createError('SE_DISPOSED', 'the client was closed before')
    const text = JSON.stringify(body)
    if (secret === undefined) return this.#client.call(procedure, text, [], timeoutMs)
    const member = `{${JSON.stringify(secret.member)}:"\0"}`
    return this.#client.call(procedure, member, [handleOf(secret.value)], timeoutMs)
  }

  async #prove(): Promise<void> {
    const request = { procedure: '/health.v1.VersionService/GetVersion', what: '', body: {} }
    const outcome = await this.#call(request, PROOF_TIMEOUT_MS).reply()
    if (outcome.error?.code === 'SE_TIMEOUT') throw this.#hangs()
    const { version } = parse(this.#checked(outcome).body)
    if (typeof version !== 'string' || !isCompatible(version, VERSION)) throw this.#incompatible(version)
    this.#lost = false
  }

  /** The reply, where it is one; else the error that it is. */
  #checked(outcome: Outcome<DaemonReply>): DaemonReply {
    if (outcome.error?.code === 'SE_CORRUPT') throw notUnderstood(new Error(outcome.error.message))
    const reply = unwrap(outcome)
    if (reply.status === 200) return reply
    const error = errorFromConnectBody(reply.status, reply.body)
    throw error.details['connect'] === 'unimplemented' ? this.#foreign(error) : error
  }

  /** Whether the connection broke, so that another may be tried. Whoever listens there next has to prove itself. */
  #brokeWith(error: unknown): boolean {
    const { code, details } = error as SecretsError
    if (code !== 'SE_DAEMON_UNREACHABLE') return false
    this.#lost = true
    this.#proof = undefined
    return details['hangs'] !== true
  }

  #hangs(): SecretsError {
    const message = `the daemon at ${this.address} is there and does not answer`
    const hint = 'end it with se daemon stop, or ask without it by --no-daemon'
    return createError('SE_DAEMON_UNREACHABLE', message, { hint, details: { address: this.address, hangs: true } })
  }

  #incompatible(version: unknown): SecretsError {
    const named = typeof version === 'string' && /^[\w.+-]{1,40}$/.test(version) ? version : 'another version'
    return createError('SE_DAEMON_INCOMPATIBLE', `the daemon at ${this.address} is ${named}, and this is v${VERSION}`, {
      hint: 'se daemon stop, then se daemon start, puts this version in its place; --no-daemon asks without it',
      details: { address: this.address, version: named },
    })
  }

  #foreign(cause: SecretsError): SecretsError {
    return createError('SE_DAEMON_INCOMPATIBLE', `the daemon at ${this.address} is not one of se-native`, {
      hint: 'it lacks senative.engine.v1.EngineService: name another address with SE_SOCKET, or start one with se daemon start',
      details: { address: this.address },
      cause,
    })
  }
}

/** Whether two versions speak alike: the same major, and while that is 0, the same minor. */
export function isCompatible(theirs: string, ours: string): boolean {
  const speech = (version: string): string | undefined => {
    const [, major, minor] = /^v?(\d+)\.(\d+)\.\d/.exec(version) ?? []
    return major === '0' ? `0.${minor}` : major
  }
  return speech(theirs) !== undefined && speech(theirs) === speech(ours)
}

/**
 * The object in a body.
 * @throws `SE_DAEMON_INCOMPATIBLE` when there is none.
 */
export function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw notUnderstood()
}

/** The error for an answer that has another shape than ours. */
export function notUnderstood(cause?: Error): SecretsError {
  return createError('SE_DAEMON_INCOMPATIBLE', 'the daemon’s answer cannot be understood', {
    hint: 'it may be another version: se daemon stop, then se daemon start; --no-daemon asks without it',
    cause,
  })
}

function wipe({ envelopes }: DaemonReply): void {
  for (const { secret } of envelopes) secret.dispose()
}
