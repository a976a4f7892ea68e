// `--file`: secrets as files, and what is wrong with the flags before anybody is asked.
import { FILE_MODE, type FileFlag, parseFileFlag } from '../deliver/file-flag.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import type { Context, Flag } from './command.js'
import { isNameToShow } from './env-flags.js'

/** The flag. */
export const FILE_FLAG: Flag = {
  name: 'file',
  value: 'NAME=REF[,OPTION]…',
  repeat: true,
  summary: 'set the variable NAME to the path of a file with the secret REF in it: in memory, or at path=/…',
}

/** What the flags ask for. */
export interface FileFlags {
  readonly files: readonly FileFlag[]
  readonly problems: readonly SecretsError[]
}

/**
 * Reads the flags. A variable that is set twice, by `-e` too, and a path that is there twice are problems.
 * @param assignments - What `-e` sets.
 */
export function fileFlags(
  { flags }: Pick<Context, 'flags'>,
  assignments: readonly { readonly name: string }[],
): FileFlags {
  const problems: SecretsError[] = []
  const names = new Map(assignments.map(({ name }) => [name, '-e']))
  const paths = new Set<string>()
  const files = flags.values('file').flatMap((text, index) => {
    const parsed = parseFileFlag(text)
    const shown = isNameToShow(parsed.name, parsed.reference)
    const where = shown ? `--file ${parsed.name}` : `--file number ${index + 1}`
    const wrong = (message: string, hint: string): void => {
      problems.push(createError('SE_INVALID_OPTION', `${where}: ${message}`, { hint, details: { option: 'file' } }))
    }
    for (const { message, hint } of parsed.problems) wrong(message, hint)
    const { file } = parsed
    if (file === undefined) return []
    const setBy = names.get(file.name)
    if (setBy !== undefined) wrong(`the variable is set by ${setBy} as well`, 'give each variable once')
    if (file.path !== undefined && paths.has(file.path)) wrong(`path= is that of another --file`, 'give each path once')
    names.set(file.name, 'another --file')
    if (file.path !== undefined) paths.add(file.path)
    return [file]
  })
  return { files, problems }
}

/** How a file is shown by `--dry-run`. */
export function shownFile({ path, mode, owner }: Omit<FileFlag, 'name' | 'reference'>): string {
  const facts = [path === undefined ? 'as a file in memory' : `as ${path}`]
  if (mode !== FILE_MODE) facts.push(`mode ${mode.toString(8).padStart(4, '0')}`)
  if (owner !== undefined) facts.push(`owner ${owner}`)
  return facts.join(', ')
}
