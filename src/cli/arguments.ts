/** Arguments and flag values that several commands understand alike. */
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { firstWrong, MAX_LENGTH } from '../grammar.js'
import { quote } from '../quote.js'
import { UsageError } from './usage-error.js'

/**
 * The id in an argument.
 * @throws `SE_INVALID_ID` when it is none. Of the text one character is quoted at most: it may be a value in the wrong place.
 */
export async function idArgument(text: string): Promise<string> {
  const at = firstWrong('id', text)
  if (at < 0) return text
  if (text.startsWith('se://')) throw invalidId('an ID is wanted here, not a reference', 'leave out se://')
  const [wrong] = text.slice(at)
  if (wrong === '*') {
    throw invalidId(
      'an ID has no *',
      'an ID names one secret; se ls, and references such as se://github/*, take patterns',
    )
  }
  const has = wrong === undefined ? 'ends too early' : `has ${quote(wrong)} at offset ${at}`
  const what = at === MAX_LENGTH ? `has more than ${MAX_LENGTH} characters` : has
  throw invalidId(
    `the ID is not valid: it ${what}`,
    'an ID is parts of letters, digits and . _ : - with / between them, such as team/db/password',
  )
}

function invalidId(message: string, hint: string): SecretsError {
  return createError('SE_INVALID_ID', message, { hint })
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
