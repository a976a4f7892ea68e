import { CODES, type CodesByClass, type ErrorClassName, type ErrorCode } from './codes.js'

const BRAND: unique symbol = Symbol.for('se-native.SecretsError') as never

/** Plain facts about a failure, such as ids, paths, names and counts. Never a value. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** What an error carries beside its code and message. */
export interface ErrorFacts {
  /** What to do next, where something can be done. */
  hint?: string | undefined
  /** Plain facts. */
  details?: ErrorDetails | undefined
  /** The failure behind this one. It stays in this process: `toJSON` leaves it out. */
  cause?: unknown
}

/** An error as JSON. */
export interface ErrorJson<C extends ErrorCode = ErrorCode> {
  /** The name of its class. */
  name: string
  /** What went wrong. */
  code: C
  /** What failed, and on what. */
  message: string
  /** What to do next. */
  hint?: string
  /** Plain facts. */
  details: ErrorDetails
}

/**
 * The base of every error that this package throws. Branch on `code`; the table of codes is docs/errors.md.
 * Neither message, hint nor details ever hold the value of a secret.
 */
export class SecretsError<C extends ErrorCode = ErrorCode> extends Error {
  /** What went wrong, as a stable code. */
  readonly code: C
  /** What to do next, where something can be done. */
  readonly hint: string | undefined
  /** Plain facts, such as ids, paths, names and counts. */
  readonly details: ErrorDetails

  /**
   * Whether something was thrown by this package. Works by brand, so that two installed copies, or a page and its
   * worker, agree about each other's errors.
   */
  static is(error: unknown): error is SecretsError {
    return typeof error === 'object' && error !== null && BRAND in error
  }

  /**
   * @param code - What went wrong.
   * @param message - One sentence without a full stop: what failed, and on what.
   * @param facts - Hint, details and cause.
   */
  constructor(code: C, message: string, facts: ErrorFacts = {}) {
    super(message, 'cause' in facts && facts.cause !== undefined ? { cause: facts.cause } : undefined)
    this.code = code
    this.hint = facts.hint
    this.details = Object.freeze({ ...facts.details })
    Object.defineProperty(this, 'name', { value: CODES[code].class, configurable: true })
  }

  /** The brand that {@link SecretsError.is} looks for. */
  get [BRAND](): true {
    return true
  }

  /** The error for logs and for other processes: without its cause and its stack. */
  toJSON(): ErrorJson<C> {
    const { name, code, message, hint, details } = this
    return hint === undefined ? { name, code, message, details } : { name, code, message, hint, details }
  }
}

/** What the caller gave is wrong: a text, an option, a size, or a thing disposed before. */
export class InvalidInputError extends SecretsError<CodesByClass['InvalidInputError']> {}
/** What was asked for is not there. */
export class NotFoundError extends SecretsError<CodesByClass['NotFoundError']> {}
/** It is there, and may not be read or used: locked, denied, dismissed, the wrong key. */
export class AccessError extends SecretsError<CodesByClass['AccessError']> {}
/** A store failed. */
export class StoreError extends SecretsError<CodesByClass['StoreError']> {}
/** A plugin failed, or plugins disagree. `details` name them. */
export class PluginError extends SecretsError<CodesByClass['PluginError']> {}
/** The daemon is not there, or cannot be used. */
export class DaemonError extends SecretsError<CodesByClass['DaemonError']> {}
/** The caller stopped waiting. `details` say what was abandoned. */
export class CancelledError extends SecretsError<CodesByClass['CancelledError']> {}
/** A fault of this program or of its installation. */
export class InternalError extends SecretsError<CodesByClass['InternalError']> {}

const CLASSES: {
  [C in ErrorClassName]: new (
    code: CodesByClass[C],
    message: string,
    facts?: ErrorFacts,
  ) => SecretsError
} = {
  InvalidInputError,
  NotFoundError,
  AccessError,
  StoreError,
  PluginError,
  DaemonError,
  CancelledError,
  InternalError,
}

/** Makes an error of the class that carries the code. */
export function createError(code: ErrorCode, message: string, facts?: ErrorFacts): SecretsError {
  const Class = CLASSES[CODES[code].class] as new (code: ErrorCode, message: string, facts?: ErrorFacts) => SecretsError
  const error = new Class(code, message, facts)
  Error.captureStackTrace(error, createError)
  return error
}
