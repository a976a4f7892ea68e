/** Arguments and flag values that several commands understand alike. */
import { createError } from '../errors/secrets-error.js'
import { UsageError } from './usage-error.js'

/**
 * The id in an argument.
 * @throws `SE_INVALID_ID` when it is none; the text is not quoted, for it may be a value in the wrong place.
 */
export async function idArgument(text: string): Promise<string> {
  const { isId } = await import('../id.js')
  const isReference = text.startsWith('se://')
  if (isId(text)) return text
  throw createError('SE_INVALID_ID', isReference ? 'an ID is wanted here, not a reference' : 'the ID is not valid', {
    hint: isReference
      ? 'leave out se://'
      : 'an ID is parts of letters, digits and . _ : - with / between them, such as team/db/password',
  })
}

/** The ids of a command that takes two. */
export async function twoIds([from = '', to = '']: readonly string[]): Promise<[string, string]> {
  return [await idArgument(from), await idArgument(to)]
}

/**
 * The metadata of `--metadata KEY=VALUE` flags.
 * @throws {@link UsageError} when one has no `=`, an empty key, or repeats a key.
 */
export function parseMetadata(pairs: readonly string[]): Record<string, string> {
  const metadata = new Map<string, string>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new UsageError('--metadata takes KEY=VALUE', 'such as --metadata owner=ada')
    const key = pair.slice(0, equals)
    if (metadata.has(key)) throw new UsageError('--metadata has the same key twice')
    metadata.set(key, pair.slice(equals + 1))
  }
  return Object.fromEntries(metadata)
}
