// References: what is written where a secret is wanted.
import { firstWrong, invalidText, SCHEME } from './grammar.js'
import { isId } from './id.js'
import { Pattern } from './pattern.js'

/** A reference, taken apart. */
export interface Reference {
  /** The reference as it was written, such as `se://team/db/password`. */
  readonly text: string
  /** What it asks for; an id is the pattern that matches itself alone. */
  readonly pattern: Pattern
  /** The id that it names; `undefined` when its pattern has a wildcard. */
  readonly id: string | undefined
}

/** Whether the text claims to be a reference: it begins with `se://`. What follows may still be wrong. */
export function isReference(text: string): boolean {
  return text.startsWith(SCHEME)
}

/**
 * Takes a reference: `se://` and an id or a pattern.
 * @param text - Such as `se://team/db/password` or `se://docker/auth/**`.
 * @throws {@link InvalidInputError} `SE_INVALID_REFERENCE`, which says what is wrong at which offset of the whole text;
 * `details.at` is that offset.
 */
export function parseReference(text: string): Reference {
  if (typeof text !== 'string' || !isReference(text)) throw invalidText('reference', text)
  const rest = text.slice(SCHEME.length)
  if (firstWrong('pattern', rest) >= 0) throw invalidText('reference', text)
  return { text, pattern: new Pattern(rest), id: isId(rest) ? rest : undefined }
}
