// Arguments of the library that TypeScript would have refused: from JavaScript, and from data that nobody checked.
import { createError, type SecretsError } from './errors/secrets-error.js'
import { nearest } from './nearest.js'

/**
 * The error for an argument of the wrong kind, which is not repeated: it may be a value.
 * @param name - The argument or option, such as `metadata`.
 * @param wanted - What it should have been, such as `a string`.
 */
export function wrongArgument(name: string, wanted: string, given: unknown, hint?: string): SecretsError {
  const kind = given === null ? 'null' : Array.isArray(given) ? 'an array' : typeof given
  const details = { option: name }
  return createError('SE_INVALID_OPTION', `${name} must be ${wanted}, and is ${kind}`, { hint, details })
}

/** @throws `SE_INVALID_OPTION` for an option that is given and not a string. */
export function checkString(name: string, given: unknown): void {
  if (given !== undefined && typeof given !== 'string') throw wrongArgument(name, 'a string', given)
}

/** @throws `SE_NOT_TEXT` for a text that has no UTF-8 form. */
export function checkWellFormed(name: string, text: string, hint?: string): void {
  if ((text as string & { isWellFormed(): boolean }).isWellFormed()) return
  throw createError('SE_NOT_TEXT', `${name} holds a lone surrogate, which has no UTF-8 form`, { hint })
}

/**
 * Refuses options that do not exist: one that is misspelt may be the one that protects.
 * @throws `SE_INVALID_OPTION`, which names the nearest that does.
 */
export function checkOptions(options: object | undefined, known: readonly string[]): void {
  if (options === undefined) return
  if (typeof options !== 'object' || options === null) throw wrongArgument('options', 'an object', options)
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const meant = nearest(name, known)
    throw createError('SE_INVALID_OPTION', `there is no option ${JSON.stringify(name)}`, {
      hint: meant === undefined ? `the options are ${known.join(', ')}` : `did you mean ${meant}?`,
      details: { option: name },
    })
  }
}
