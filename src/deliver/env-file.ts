// Env files, read strictly: what `util.parseEnv` would pass over, cut off or misread is an error here, with its line. On
// a file without errors both say the same, but for what versions of Node misread: Node 20 an indented comment or a line
// of spaces, Node 22 and 24 a name that only spaces follow, all a comment with `=` that ends the file. Lines of groups
// are ours alone.
import { isUtf8 } from 'node:buffer'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { isPrefix } from './group-name.js'

/** One variable of an env file. */
export interface EnvFileVariable {
  readonly name: string
  readonly value: string
  /** The line that it begins on, counted from 1. */
  readonly line: number
}

/** A line `@from REF`: a variable for each secret that it names. */
export interface EnvFileGroup {
  readonly reference: string
  /** What stands before their names. */
  readonly prefix?: string
  /** Counted from 1. */
  readonly line: number
}

/** A line that cannot be understood. Holds nothing of the file's content. */
export interface EnvFileFault {
  /** Counted from 1. */
  readonly line: number
  /** What is wrong. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
}

/** What a file says: its variables in order, a repeated name as often as it is there (the last one counts). */
export interface EnvFile {
  readonly variables: readonly EnvFileVariable[]
  readonly groups: readonly EnvFileGroup[]
  readonly faults: readonly EnvFileFault[]
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/
const QUOTES = `'"\``

/**
 * Takes the text of an env file apart.
 *
 * A line is empty, a comment (`#` first), or `NAME=value`, with `export ` before it or not; spaces around name and value
 * do not count. A value between `'`, `"` or backticks may hold anything but its own quote, line ends too; between double
 * quotes `\n` is a line end, and nothing else is escaped. After an unquoted or quoted value, ` #` begins a comment.
 * `\r\n` is a line end, and a byte order mark at the beginning does not count. A line `@from REF`, or `@from REF prefix=NAME`,
 * is a group.
 */
export function parseEnvFile(text: string): EnvFile {
  const variables: EnvFileVariable[] = []
  const groups: EnvFileGroup[] = []
  const faults: EnvFileFault[] = []
  const lines = text
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n')
    .split('\n')
  let index = 0
  while (index < lines.length) {
    const line = index + 1
    const read = readLine(lines, index)
    index += read.lines
    if ('message' in read) faults.push({ line, message: read.message, ...(read.hint && { hint: read.hint }) })
    else if (read.group !== undefined) groups.push({ ...read.group, line })
    else if (read.name !== undefined) variables.push({ name: read.name, value: read.value ?? '', line })
  }
  return { variables, groups, faults }
}

/** What begins at a line: a variable, a group, nothing, or a fault; and how many lines that took. */
type Read = { lines: number } & (
  | { name?: string; value?: string; group?: { reference: string; prefix?: string } }
  | { message: string; hint?: string }
)

function readLine(lines: readonly string[], index: number): Read {
  const line = trim(lines[index] ?? '')
  if (line === '' || line.startsWith('#')) return { lines: 1 }
  if (/[\0\r]/.test(line)) return fault('a control character', 'remove it: programs do not agree on what it means')
  if (line.startsWith('@')) return readGroup(line)
  const equals = line.indexOf('=')
  if (equals < 0) return fault('no = in the line', 'a line is NAME=value, a comment, or empty')
  const name = trim(line.slice(0, equals)).replace(/^export /, '')
  if (!NAME.test(name)) {
    return fault('not a name before the =', 'a name has letters, digits, _, . and -, and begins with a letter or _')
  }
  const value = trim(line.slice(equals + 1))
  if (/^\t|\t$/.test(value)) return fault('a tab around the value', 'use spaces: programs do not agree on tabs')
  const quote = value.charAt(0)
  if (value !== '' && QUOTES.includes(quote)) return readQuoted(lines, index, name, quote)
  const comment = value.indexOf('#')
  if (comment > 0 && value.charAt(comment - 1) !== ' ') {
    return fault('a # inside a value without quotes', 'put the value between quotes, or a space before the comment')
  }
  const plain = comment < 0 ? value : trim(value.slice(0, comment))
  return plain.endsWith('\t') ? fault('a tab around the value') : { lines: 1, name, value: plain }
}

/** `@from REF` with `prefix=NAME` behind it or not, and a comment or not. */
function readGroup(line: string): Read {
  const [word, reference, prefix, ...more] = line.replace(/ #.*$/, '').split(/ +/)
  const hint = 'such as @from se://app/prod/** prefix=APP_, with spaces between and without quotes'
  if (word !== '@from') return fault('a line that begins with @ and is not @from', hint)
  if (reference?.startsWith('se://') !== true) return fault('no reference behind @from', hint)
  if (prefix === undefined || prefix === '') return { lines: 1, group: { reference } }
  if (!prefix.startsWith('prefix=') || more.join('') !== '')
    return fault('more than a prefix behind the reference', hint)
  const text = prefix.slice('prefix='.length)
  if (isPrefix(text)) return { lines: 1, group: { reference, prefix: text } }
  return fault('not a prefix', 'a prefix has letters, digits and _, and begins with no digit')
}

/** A value between quotes, which may go over several lines. */
function readQuoted(lines: readonly string[], index: number, name: string, quote: string): Read {
  const first = lines[index] ?? ''
  const start = first.indexOf(quote, first.indexOf('=')) + 1
  const parts: string[] = []
  for (let at = index; at < lines.length; at++) {
    const line = at === index ? first.slice(start) : (lines[at] ?? '')
    if (/[\0\r]/.test(line)) return { ...fault('a control character'), lines: at - index + 1 }
    const end = line.indexOf(quote)
    if (end < 0) {
      parts.push(line)
      continue
    }
    parts.push(line.slice(0, end))
    const after = trim(line.slice(end + 1))
    if (after !== '' && !after.startsWith('#')) {
      const hint = `a quote cannot be escaped: use another of ${[...QUOTES].join(' ')} around the value`
      return { ...fault('text after the closing quote', hint), lines: at - index + 1 }
    }
    const value = parts.join('\n')
    return { lines: at - index + 1, name, value: quote === '"' ? value.replaceAll('\\n', '\n') : value }
  }
  return { ...fault('the quote is not closed', 'close it, or use other quotes around the value'), lines: lines.length }
}

function fault(message: string, hint?: string): { lines: number; message: string; hint?: string } {
  return { lines: 1, message, ...(hint !== undefined && { hint }) }
}

/** Takes spaces off, and only spaces: what else counts as white space differs between programs. */
function trim(text: string): string {
  return text.replace(/^ +| +$/g, '')
}

/** What was read from a file: its variables and groups, and an error for each of its faults. */
export interface ReadEnvFile {
  readonly variables: readonly EnvFileVariable[]
  readonly groups: readonly EnvFileGroup[]
  readonly problems: readonly SecretsError[]
}

/** Reads an env file. Its problems have the code `SE_INVALID_ENV`, name the file and the line, and quote nothing. */
export function readEnvFile(path: string): ReadEnvFile {
  const problem = (message: string, hint?: string, line?: number) =>
    createError('SE_INVALID_ENV', `${path}${line === undefined ? '' : `:${line}`}: ${message}`, {
      hint,
      details: line === undefined ? { path } : { path, line },
    })
  let bytes: Buffer
  try {
    const fd = openSync(path, 'r')
    try {
      bytes = readFileSync(fd)
      if (bytes.length === 0 && fstatSync(fd).isFIFO()) {
        const hint = 'Node itself reads what --env-file names before se starts: give a pipe by -f'
        return { variables: [], groups: [], problems: [problem('the pipe is empty', hint)] }
      }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    return { variables: [], groups: [], problems: [problem(...reason(error as NodeJS.ErrnoException))] }
  }
  if (!isUtf8(bytes)) return { variables: [], groups: [], problems: [problem('the file is not UTF-8 text')] }
  const { variables, groups, faults } = parseEnvFile(bytes.toString())
  return { variables, groups, problems: faults.map(({ message, hint, line }) => problem(message, hint, line)) }
}

/** Why a file cannot be read, and what to do about it. */
function reason({ code }: NodeJS.ErrnoException): [message: string, hint?: string] {
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return ['there is no such file', 'a path that does not begin with / counts from the folder that se is started in']
    case 'EACCES':
    case 'EPERM':
      return ['the file may not be read', 'look at its owner and mode']
    case 'EISDIR':
      return ['it is a folder', 'name a file in it']
    default:
      return [`the file cannot be read (${code ?? 'unknown error'})`]
  }
}
