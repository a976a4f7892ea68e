import { createError } from './errors/secrets-error.js'
import { type Pattern, parsePattern } from './pattern.js'

/** A reference: `se://` and an id or a pattern. */
export interface Reference {
  /** The reference as it was written. */
  readonly text: string
  /** What stands after `se://`. */
  readonly pattern: Pattern
}

/**
 * Takes a text that is a reference.
 * @throws `InvalidInputError` `SE_INVALID_REFERENCE`.
 */
export function parseReference(text: string): Reference {
  try {
    if (text.startsWith('se://')) return { text, pattern: parsePattern(text.slice(5)) }
  } catch {
    // One error for both.
  }
  throw createError('SE_INVALID_REFERENCE', `not a reference: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: 'a reference is se:// and an id, such as se://team/db/password',
  })
}
