import { createError } from './errors/secrets-error.js'

const ID = /^[A-Za-z0-9._:-]+(?:\/[A-Za-z0-9._:-]+)*$/

/** Whether a text is an id: components of `[A-Za-z0-9._:-]` between slashes, at most 4,096 bytes. */
export function isId(text: string): boolean {
  return text.length <= 4096 && ID.test(text)
}

/**
 * Takes a text that is an id.
 * @throws `InvalidInputError` `SE_INVALID_ID`.
 */
export function parseId(text: string): string {
  if (isId(text)) return text
  throw createError('SE_INVALID_ID', `not an id: ${JSON.stringify(text.slice(0, 80))}`)
}
