import { isErrorCode } from '../errors/codes.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'

/** A failure as the native part describes it. */
export interface NativeFailure {
  /** The code, such as `SE_NOT_FOUND`. */
  code: string
  /** What failed, and on what. */
  message: string
  /** What to do next. */
  hint?: string
  /** Plain facts. */
  details: Record<string, string>
  /** The messages of the failures behind it. */
  cause?: string
}

/** How results cross from the native part: as values, since an async export cannot reject with a code of its own. */
export type Outcome<T> = { value: T; error?: never } | { value?: never; error: NativeFailure }

/**
 * Gives the value of an outcome.
 * @throws the error that the native part describes, with the stack of the caller.
 */
export function unwrap<T>(outcome: Outcome<T>): T {
  if (outcome.error === undefined) return outcome.value
  throw failureError(outcome.error)
}

/** The error that the native part describes. */
export function failureError({ code, message, hint, details, cause }: NativeFailure): SecretsError {
  return createError(isErrorCode(code) ? code : 'SE_INTERNAL', message, {
    hint,
    details: isErrorCode(code) ? details : { ...details, code },
    cause: cause === undefined ? undefined : new Error(cause),
  })
}
