/**
 * The text of `config.toml` with a table `[plugins.NAME]` more or less. Lines are added and taken out, and nothing else is
 * touched: the text is parsed before and after, and must hold what was meant.
 */
import { createError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import { type ParsedFile, parseFile } from './config.js'

/** The keys of a table `[plugins.NAME]`, as they are written. */
export interface PluginTable {
  readonly command: readonly string[]
  readonly pattern?: string | undefined
  readonly protocol?: string | undefined
}

/**
 * The text with a table at its end.
 * @throws `SE_EXISTS`, `SE_INVALID_CONFIG`.
 */
export async function withTable(old: string, name: string, table: PluginTable, file: string): Promise<string> {
  const before = await parseFile(old, file)
  const plugins = tables(before)
  if (Object.hasOwn(plugins, name)) {
    throw createError('SE_EXISTS', `${file} has a plugin ${name} already`, {
      hint: `remove it first: se plugins remove ${name}`,
      details: { file, plugin: name },
    })
  }
  const given = Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined))
  const lines = [header(name), ...Object.entries(given).map(([key, value]) => `${key} = ${toml(value)}`)]
  const newline = old.includes('\r\n') ? '\r\n' : '\n'
  const gap = old === '' ? '' : /\r?\n$/.test(old) ? newline : newline + newline
  const text = `${old}${gap}${lines.join(newline)}${newline}`
  return checked(text, { ...before, plugins: { ...plugins, [name]: given } }, file, `add ${lines.join(', ')}`)
}

/**
 * The text without the table of a plugin.
 * @throws `SE_NO_PLUGIN`, `SE_INVALID_CONFIG`.
 */
export async function withoutTable(old: string, name: string, file: string): Promise<string> {
  const before = await parseFile(old, file)
  const { [name]: removed, ...others } = tables(before)
  if (removed === undefined) {
    const meant = nearest(name, Object.keys(others))
    throw createError('SE_NO_PLUGIN', `${file} has no plugin ${name}`, {
      hint: meant === undefined ? 'se plugins ls shows all plugins' : `did you mean ${meant}?`,
      details: { file, plugin: name },
    })
  }
  const kept: string[] = []
  let inside = false
  // What stands between its last key and the next table may well belong to that one.
  let loose: string[] = []
  const leave = (next: string): void => {
    // One of the empty lines around a table goes with it.
    if (!isEmpty(kept.at(-1) ?? '') || !isEmpty(loose[0] ?? next)) kept.push(...loose)
    else if (loose.length > 0) kept.push(...loose.slice(1))
    else kept.pop()
  }
  const { parse } = await import('smol-toml')
  for (const line of old.split(/(?<=\n)/)) {
    const path = headerPath(line, parse)
    if (path !== undefined) {
      const isRemoved = path[0] === 'plugins' && path[1] === name
      if (inside && !isRemoved) leave(line)
      loose = []
      inside = isRemoved
    }
    if (!inside) kept.push(line)
    else if (/^\s*(#.*)?$/.test(line.trimEnd())) loose.push(line)
    else loose = []
  }
  if (inside) leave('')
  const text = kept.join('')
  return checked(text, { ...before, plugins: others }, file, `remove ${header(name)}`)
}

const isEmpty = (line: string): boolean => line.trim() === ''

async function checked(text: string, expected: ParsedFile, file: string, what: string): Promise<string> {
  const after = await parseFile(text, file).catch(() => undefined)
  if (after !== undefined && written(after) === written(expected)) return text
  throw createError('SE_INVALID_CONFIG', `${file} is written in a way that cannot be changed here`, {
    hint: `change it yourself: ${what}`,
    details: { file },
  })
}

function tables({ plugins = {} }: ParsedFile): Record<string, unknown> {
  return typeof plugins === 'object' && plugins !== null ? { ...plugins } : {}
}

/** All that a file holds, to be compared: tables in their order. */
function written(file: ParsedFile): string {
  return JSON.stringify([[...file.settings], tables(file), file.daemon])
}

function header(name: string): string {
  return `[plugins.${/^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name)}]`
}

/** A text, or a list of texts. What JSON escapes, TOML reads alike. */
function toml(value: unknown): string {
  return Array.isArray(value) ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]` : JSON.stringify(value)
}

/** The names in a header of a table; nothing for any other line. */
function headerPath(line: string, parse: (text: string) => unknown): string[] | undefined {
  if (!/^\s*\[/.test(line)) return undefined
  const path: string[] = []
  try {
    let table: unknown = parse(line)
    while (typeof table === 'object' && table !== null) {
      const [key] = Object.keys(table)
      if (key === undefined) return path
      path.push(key)
      table = (table as Record<string, unknown>)[key]
      if (Array.isArray(table)) return path
    }
    return undefined
  } catch {
    return undefined // inside of a list over several lines
  }
}
