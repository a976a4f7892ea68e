// Ids: the names of secrets.
import { firstWrong, invalidText } from './grammar.js'

/**
 * Whether the text is an id: components of `A-Z a-z 0-9 . _ : -`, separated by `/`, none empty, at most 4,096 characters
 * in all. Case-sensitive. Anything but a string is none.
 */
export function isId(text: unknown): text is string {
  return typeof text === 'string' && firstWrong('id', text) < 0
}

/**
 * Takes a text that {@link isId | is an id}, and returns it.
 * @param text - Such as `team/db/password`.
 * @throws {@link InvalidInputError} `SE_INVALID_ID`, which says what is wrong at which offset; `details.at` is that offset.
 */
export function parseId(text: string): string {
  if (!isId(text)) throw invalidText('id', text)
  return text
}
