// One request: from its headers until its answer is written, or its caller has gone.
import type { ErrorCode } from '../../errors/codes.js'
import { createError, SecretsError } from '../../errors/secrets-error.js'
import type { Secret } from '../../secret.js'
import type { WireForm } from '../../wire/body.js'
import { connectErrorBody } from '../../wire/failure-detail.js'
import type { Connection } from '../connection.js'
import type { DaemonLimits } from '../limits.js'
import type { DaemonLog } from '../log.js'

/** An answer as it is written. */
export interface WholeAnswer {
  readonly status: number
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly body: string | Uint8Array
  /** Whether the connection is closed after it. */
  readonly last: boolean
}

/** What all requests of a server share. */
export interface CallHost {
  readonly log: DaemonLog
  readonly limits: DaemonLimits
  /** Whether the server is about to stop: the last answer of a connection closes it. */
  readonly draining: boolean
  /** The bytes of all answers that are being written. */
  pendingBytes: number
  /** Is told when a request is done. */
  done(): void
}

const PREFIX = Math.random().toString(36).slice(2, 8)
let lastNumber = 0

/** A request and its one answer. How it came, and how the answer is written, is the subclass's. */
export abstract class Call {
  /** The request's name, in the log and in the answer's header `X-Request-Id`. */
  readonly id = `${PREFIX}-${++lastNumber}`
  readonly connection: Connection
  readonly host: CallHost
  /** The path, without a query. */
  abstract readonly procedure: string
  /**
   * The caller's limit in milliseconds, from `Connect-Timeout-Ms`: undefined when there is none, or none that a timer
   * can take, and null when the header is not valid.
   */
  abstract readonly timeoutMs: number | undefined | null
  /** What is asked for, for the log. */
  patterns: readonly string[] = []
  /** How many secrets the answer holds, for the log. */
  secrets = 0
  /** Why the answer holds no secret, for the log, where it is no error of the request. */
  noted: ErrorCode | undefined
  /** When the answer was given, on the clock of `performance.now()`. */
  answeredAt: number | undefined
  readonly #began = performance.now()
  #release: (() => void) | undefined
  #leave: ((reason: SecretsError) => void) | undefined
  #done = false

  constructor(host: CallHost, connection: Connection) {
    this.host = host
    this.connection = connection
    connection.take(this)
  }

  /** Ends the work by this when the caller goes away. Instead of an `AbortSignal`, which costs more than a request. */
  whenLeft(leave: (reason: SecretsError) => void): void {
    if (this.#done) leave(leftError())
    else this.#leave = leave
  }

  /**
   * Gives the answer. Later ones are ignored.
   * @param headers - Beside `Content-Length` and the request's name.
   * @param release - Called once, when nobody reads the bytes any more: they are written, or the caller has gone.
   */
  answer(
    status: number,
    headers: readonly string[],
    body: string | Uint8Array,
    release?: () => void,
    code?: ErrorCode,
  ): void {
    if (!this.open) {
      release?.()
      return
    }
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    this.answeredAt = performance.now()
    this.#release = release
    const { last } = this
    this.write({ status, headers: ['X-Request-Id', this.id, 'Content-Length', String(length), ...headers], body, last })
    const why = code ?? this.noted
    this.#log(why === undefined && status < 400 ? 'answered' : 'failed', why)
  }

  /**
   * Answers GetSecrets with one secret, where there is a shorter way for that.
   * @param _secret - It stays the caller's.
   * @returns whether it has answered; otherwise nothing has happened.
   */
  answerSecret(_form: WireForm, _secret: Secret): boolean {
    return false
  }

  /** Whether it can be answered still. */
  protected get open(): boolean {
    return this.answeredAt === undefined && !this.#done
  }

  /** Whether its answer is the last of the connection. */
  protected get last(): boolean {
    const { surplus, latest } = this.connection
    return surplus || (this.host.draining && latest === this)
  }

  /** Notes an answer that was written in another way than by {@link write}. */
  protected noteAnswer(): void {
    this.answeredAt = performance.now()
    this.#log('answered')
  }

  /** Writes the answer, and calls {@link finish} later, when it is written. */
  protected abstract write(answer: WholeAnswer): void

  /** Ends the request: its answer is written, or nobody reads it any more. */
  protected finish(): void {
    if (this.#done) return
    this.#done = true
    this.#release?.()
    this.#release = undefined
    this.connection.finish(this)
    this.host.done()
  }

  /** Answers with JSON. */
  json(body: string): void {
    this.answer(200, JSON_HEADERS, body)
  }

  /** Answers with a line of text, for callers that do not speak Connect. */
  text(status: number, text: string): void {
    this.answer(status, TEXT_HEADERS, `${text}\n`)
  }

  /**
   * Answers with an error.
   * @param status - Another HTTP status than that of the error's Connect code.
   */
  fail(error: unknown, status?: number): void {
    if (!SecretsError.is(error)) this.#reportFault(error)
    const { status: own, body } = connectErrorBody(error)
    this.answer(status ?? own, JSON_HEADERS, body, undefined, SecretsError.is(error) ? error.code : 'SE_INTERNAL')
  }

  /** Ends the request: its caller has gone. */
  hangUp(): void {
    if (this.answeredAt === undefined) {
      this.#log('abandoned')
      this.finish()
      this.#leave?.(leftError())
    } else this.finish()
  }

  #log(outcome: 'answered' | 'failed' | 'abandoned', code?: ErrorCode): void {
    const { id, procedure, patterns, secrets } = this
    const latencyMs = (this.answeredAt ?? performance.now()) - this.#began
    const { requester } = this.connection
    this.host.log.request({ id, requester, procedure, patterns, outcome, code, latencyMs, secrets })
  }

  // What is not an error of ours is a fault of this program. Its message may quote anything: only its place is logged.
  #reportFault(error: unknown): void {
    const at = error instanceof Error ? error.stack?.match(/^ +at .+/m)?.[0].trim() : undefined
    const name = error instanceof Error ? error.name : typeof error
    this.host.log.event('error', 'a fault of this program', { request: this.id, name, at })
  }
}

function leftError(): SecretsError {
  return createError('SE_ABORTED', 'the caller closed the connection')
}

/** The headers of a JSON body. */
export const JSON_HEADERS: readonly string[] = ['Content-Type', 'application/json']
/** The headers of a protobuf body. */
export const PROTO_HEADERS: readonly string[] = ['Content-Type', 'application/proto']
const TEXT_HEADERS: readonly string[] = ['Content-Type', 'text/plain; charset=utf-8']
