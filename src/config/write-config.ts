/**
 * Changes single keys and tables of `config.toml`, atomically, keeping comments, order and other keys. A file that is a
 * symbolic link is changed where it points to.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, isAbsolute } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { createError } from '../errors/secrets-error.js'
import { checkOwner } from './check-owner.js'
import { parseFile } from './config.js'
import { type PluginTable, withoutTable, withTable } from './plugin-table.js'
import { SETTINGS, type SettingName } from './settings.js'

/** Settings to write; `undefined` removes one. */
export type Changes = Partial<Record<SettingName, string | undefined>>

/**
 * Writes settings.
 * @param file - `config.toml`; made, with its folders, when it is not there.
 * @param changes - What to write.
 * @throws `SE_INVALID_CONFIG` when the file cannot be understood or written; nothing is changed then.
 */
export function writeConfig(file: string, changes: Changes): Promise<void> {
  return rewrite(file, (old) => changedText(old, changes, file))
}

/**
 * Adds a table `[plugins.NAME]`.
 * @param file - `config.toml`; made, with its folders, when it is not there.
 * @throws `SE_EXISTS` when there is one of this name; `SE_INVALID_CONFIG` as {@link writeConfig}; `SE_LAX_MODE` when others
 *   may write the file, with which nothing would run any more.
 */
export function addPluginTable(file: string, name: string, table: PluginTable): Promise<void> {
  return rewrite(file, (old, stat) => {
    if (stat !== undefined) checkOwner(file, stat)
    return withTable(old, name, table, file)
  })
}

/**
 * Removes a table `[plugins.NAME]`, with the tables below it. Comments above it stay.
 * @throws `SE_NO_PLUGIN` when there is none of this name; `SE_INVALID_CONFIG` as {@link writeConfig}.
 */
export function removePluginTable(file: string, name: string): Promise<void> {
  return rewrite(file, (old) => withoutTable(old, name, file))
}

/** @param change - Makes the new text of the old one; gets what the file is, where it is there. */
async function rewrite(
  file: string,
  change: (old: string, stat: Stats | undefined) => string | Promise<string>,
): Promise<void> {
  let old = ''
  let target = file
  let stat: Stats | undefined
  try {
    target = realpathSync(file)
    old = readFileSync(target, 'utf8')
    stat = statSync(target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unwritable(file, error)
    target = endOfLinks(file)
  }
  const text = await change(old, stat)
  if (text === old) return
  const temporary = `${target}.${process.pid}.tmp`
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
    writeFileSync(temporary, text, { mode: stat === undefined ? 0o644 : stat.mode & 0o777, flag: 'wx' })
    sync(temporary, 'r+')
    renameSync(temporary, target)
    if (process.platform !== 'win32') sync(dirname(target), 'r')
  } catch (error) {
    rmSync(temporary, { force: true })
    throw unwritable(file, error)
  }
}

/**
 * The text of `config.toml` with changes: a key's own line is replaced, its comment kept; a new key goes before the
 * first table.
 * @throws `SE_INVALID_CONFIG` when the text is not valid, or writes a key in a way that spans lines.
 */
export async function changedText(old: string, changes: Changes, file: string): Promise<string> {
  const before = await parseFile(old, file)
  const newline = old.includes('\r\n') ? '\r\n' : '\n'
  const lines = old === '' ? [] : old.replace(/\r?\n$/, '').split(/\r?\n/)
  const expected = new Map(before.settings)
  for (const [name, value] of Object.entries(changes) as [SettingName, string | undefined][]) {
    const { key } = SETTINGS[name]
    const table = lines.findIndex((line) => /^\s*\[/.test(line))
    const end = table < 0 ? lines.length : table
    const at = lines.findIndex((line, number) => number < end && new RegExp(`^\\s*["']?${key}["']?\\s*=`).test(line))
    if (value === undefined) {
      expected.delete(name)
      if (at >= 0) lines.splice(at, 1)
      continue
    }
    expected.set(name, value)
    const written = `${key} = ${JSON.stringify(value)}`
    if (at >= 0) lines[at] = `${written}${commentOf(lines[at] ?? '')}`
    else lines.splice(end, 0, written)
  }
  const text = lines.length === 0 ? '' : lines.join(newline) + newline
  const after = await parseFile(text, file).catch(() => undefined)
  if (!isDeepStrictEqual(after, { ...before, settings: expected })) {
    const lines = Object.entries(changes)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${SETTINGS[name as SettingName].key} = ${JSON.stringify(value)}`)
    throw createError('SE_INVALID_CONFIG', `${file} is written in a way that cannot be changed here`, {
      hint: `write these lines yourself: ${lines.join(', ')}`,
      details: { file },
    })
  }
  return text
}

/** The comment after a value, with the spaces before it. */
function commentOf(line: string): string {
  return /^[^=]*=\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"']+)(\s+#.*)$/.exec(line)?.[1] ?? ''
}

/** Where links lead to that end at nothing. */
function endOfLinks(file: string): string {
  let link: string
  try {
    link = readlinkSync(file)
  } catch {
    return file // no link, or not there
  }
  // Not `join`: what `..` means after a linked folder is the system's to say.
  return endOfLinks(isAbsolute(link) ? link : `${dirname(file)}/${link}`)
}

function sync(path: string, flags: 'r' | 'r+'): void {
  const fd = openSync(path, flags)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function unwritable(file: string, cause: unknown): Error {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason'
  return createError('SE_INVALID_CONFIG', `${file} cannot be written (${reason})`, {
    hint: 'check who owns the folder, or name another file with SE_CONFIG',
    details: { file },
    cause,
  })
}
