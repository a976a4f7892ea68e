// The text of one `--file`: NAME=REF[,path=/…][,mode=0400][,owner=…]. Pure, and tested by __test__/vectors/file-flags.json.
import type { FileOptions } from '../native/process.js'

/** The mode of a file unless another is asked for: its owner may read it. */
export const FILE_MODE = 0o400

/** What one `--file` asks for: the variable, the secret, and the file that the variable names. */
export interface FileFlag extends FileOptions {
  readonly name: string
  readonly reference: string
}

/** What is wrong with a `--file`. Quotes nothing: what was typed may be a value. */
export interface FileFlagProblem {
  readonly message: string
  readonly hint: string
}

/** What a `--file` says, and all that is wrong with it. Without a problem there is a file. */
export interface ParsedFileFlag {
  /** What stands before the first `=`. */
  readonly name: string
  /** What stands between that and the first comma. */
  readonly reference: string
  readonly file?: FileFlag
  readonly problems: readonly FileFlagProblem[]
}

const OPTIONS = ['path', 'mode', 'owner'] as const
type Option = (typeof OPTIONS)[number]

/** Takes a `--file` apart. The reference itself is not looked at but for its beginning. */
export function parseFileFlag(text: string): ParsedFileFlag {
  const [assignment = '', ...parts] = text.split(',')
  const equals = assignment.indexOf('=')
  const name = equals < 0 ? '' : assignment.slice(0, equals)
  const reference = assignment.slice(equals + 1)
  const problems: FileFlagProblem[] = []
  const wrong = (message: string, hint: string): void => void problems.push({ message, hint })

  if (name === '' || reference === '') wrong('NAME=REF is wanted', 'such as --file TLS_KEY=se://tls/key')
  else if (!reference.startsWith('se://')) wrong('REF begins with se://', 'such as --file TLS_KEY=se://tls/key')
  else if (/^SE_.*PASSPHRASE/.test(name)) {
    wrong('SE_*PASSPHRASE* variables cannot be set', 'they never reach a command')
  }

  const given = new Map<Option, string>()
  for (const part of parts) {
    const [key, ...value] = part.split('=')
    const option = OPTIONS.find((one) => one === key)
    if (option === undefined || value.length === 0) {
      wrong('an option that is not known', 'path=, mode= and owner= are; a path cannot hold a comma')
    } else if (given.has(option)) wrong(`${option}= is there twice`, 'give it once')
    else given.set(option, value.join('='))
  }
  const path = given.get('path')
  const mode = given.get('mode')
  const owner = given.get('owner')
  if (path !== undefined) {
    if (!path.startsWith('/')) wrong('path= is not absolute', 'write it from / on')
    else if (!isFilePath(path)) {
      wrong(
        'path= does not name a file',
        'it ends in the name of a file, and has neither . nor .. nor control characters',
      )
    }
  }
  if (mode !== undefined && !/^0?[46][0246]{2}$/.test(mode)) {
    wrong('mode= is no mode of a secret', 'octal digits, such as 0400 or 0440: read by its owner, never executed')
  }
  if (owner !== undefined && !/^[^\s:,]+(:[^\s:,]+)?$/.test(owner)) {
    wrong('owner= is no owner', 'USER or USER:GROUP, each a name or a number')
  }
  if (problems.length > 0) return { name, reference, problems }
  const file: FileFlag = {
    name,
    reference,
    ...(path !== undefined && { path: path.replaceAll(/\/+/g, '/') }),
    mode: mode === undefined ? FILE_MODE : Number.parseInt(mode, 8),
    ...(owner !== undefined && { owner }),
  }
  return { name, reference, file, problems }
}

/** Whether the last part of a path is a name, and all of it is meant: text that was no UTF-8 would be another path. */
function isFilePath(path: string): boolean {
  if (/[\0-\x1f\x7f\ufffd]/.test(path) || path.endsWith('/')) return false
  return !path.split('/').some((part) => part === '.' || part === '..')
}
