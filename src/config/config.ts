/**
 * The configuration: variables, then `config.toml`, then defaults, each setting with where it came from. The file is
 * read, and its parser loaded, only when it is there. Writing is `write-config.ts`.
 */
import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { createError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import { absolutePath, defaultPaths, type PathBase, type Paths, pathBase } from './paths.js'
import { parsePlainToml } from './plain-toml.js'
import { MAX_TIMEOUT_MS, SETTINGS, type SettingName, type SettingRow, STORE_KINDS, type StoreKind } from './settings.js'
import type { DaemonConfig, PluginConfig } from './tables.js'

/** Where a setting came from. */
export type Origin =
  | { readonly from: 'option' }
  | { readonly from: 'variable'; readonly name: string }
  | { readonly from: 'file'; readonly path: string; readonly key: string }
  | { readonly from: 'default' }

/** A setting and where it came from. */
export interface Setting<T> {
  readonly value: T
  readonly origin: Origin
}

/** Everything that is configured. */
export interface Config {
  /** `config.toml`, or what `SE_CONFIG` names. */
  readonly file: string
  /** Whether that file is there. */
  readonly fileExists: boolean
  readonly paths: Paths
  /** The chosen store, when one was chosen. */
  readonly store: Setting<StoreKind> | undefined
  /** The encrypted file. */
  readonly storePath: Setting<string>
  /** Its key: beside a configured `store_path` by default. */
  readonly identity: Setting<string>
  /** A file with the passphrase of the key, when one is named. */
  readonly passphraseFile: Setting<string> | undefined
  /** The time limit of a request, when one is set. */
  readonly timeoutMs: Setting<number> | undefined
  /** The plugins of the tables `[plugins.NAME]`, in the order of the file. */
  readonly plugins: readonly PluginConfig[]
  /** The table `[daemon]`. */
  readonly daemon: DaemonConfig
}

/** What a `config.toml` holds, with settings and tables as they were written. */
export interface ParsedFile {
  /** Settings by their name in code. */
  readonly settings: ReadonlyMap<SettingName, unknown>
  /** The table of plugins, where there is one. */
  readonly plugins: unknown
  /** The table of the daemon, where there is one. */
  readonly daemon: unknown
}

/** The keys of tables. */
const TABLES = ['plugins', 'daemon'] as const
const NO_DAEMON: DaemonConfig = { addresses: undefined, allowedUids: [], idleExitSeconds: undefined, priority: [] }

type Row = SettingRow & { readonly name: SettingName }

const ROWS: readonly Row[] = Object.entries(SETTINGS).map(([name, row]) => ({ ...row, name: name as SettingName }))

/**
 * Reads the configuration.
 * @param env - As `process.env`.
 * @throws `SE_INVALID_CONFIG` when the file cannot be read or understood, has an unknown key (the hint names the
 * nearest), or a setting has a value of the wrong kind. No value is quoted. `SE_LAX_MODE` when it has a table, which says
 * which programs run and who may ask, and others than this user and root may write it.
 */
export async function readConfig(env: NodeJS.ProcessEnv = process.env): Promise<Config> {
  const base = pathBase(env)
  const paths = defaultPaths(base)
  const file = fileOf(env, base)
  const found = readIfThere(file)
  const parsed = await parseFile(found?.text ?? '', file)
  const fromFile = parsed.settings

  const look = (name: SettingName): Setting<string | number> | undefined => {
    const row = SETTINGS[name]
    const variable = env[row.variable]
    if (variable !== undefined && variable !== '') {
      const origin: Origin = { from: 'variable', name: row.variable }
      const given = row.kind === 'milliseconds' && /^[0-9]{1,12}$/.test(variable) ? Number(variable) : variable
      return { value: understand(row, given, origin, process.cwd(), base), origin }
    }
    if (!fromFile.has(name)) return undefined
    const origin: Origin = { from: 'file', path: file, key: row.key }
    return { value: understand(row, fromFile.get(name), origin, dirname(file), base), origin }
  }

  const storePath = (look('storePath') as Setting<string> | undefined) ?? byDefault(paths.storeFile)
  const besideStore = storePath.origin.from === 'default' ? paths.identityFile : identityBeside(storePath.value)
  return {
    file,
    fileExists: found !== undefined,
    paths,
    store: look('store') as Setting<StoreKind> | undefined,
    storePath,
    identity: (look('identity') as Setting<string> | undefined) ?? byDefault(besideStore),
    passphraseFile: look('passphraseFile') as Setting<string> | undefined,
    timeoutMs: look('timeoutMs') as Setting<number> | undefined,
    ...(await readTables(parsed, file, base, found?.stat)),
  }
}

/**
 * Reads the table `[daemon]` alone: what else is wrong with the configuration keeps nobody from finding the daemon.
 * @throws `SE_INVALID_CONFIG` when the file cannot be read, is not TOML, or has this table wrong; `SE_LAX_MODE`.
 */
export async function readDaemonConfig(env: NodeJS.ProcessEnv = process.env): Promise<DaemonConfig> {
  const base = pathBase(env)
  const file = fileOf(env, base)
  const found = readIfThere(file)
  const { daemon } = await parseTables(found?.text ?? '', file)
  return (await readTables({ plugins: undefined, daemon }, file, base, found?.stat)).daemon
}

function fileOf(env: NodeJS.ProcessEnv, base: PathBase): string {
  const named = env['SE_CONFIG'] || undefined
  return named === undefined ? defaultPaths(base).configFile : absolutePath(named, process.cwd(), base)
}

async function readTables(
  { plugins, daemon }: Pick<ParsedFile, 'plugins' | 'daemon'>,
  file: string,
  base: PathBase,
  stat: Stats | undefined,
): Promise<Pick<Config, 'plugins' | 'daemon'>> {
  if (stat === undefined || (plugins === undefined && daemon === undefined)) return { plugins: [], daemon: NO_DAEMON }
  const [{ checkOwner }, { pluginConfigs, daemonConfig }] = await Promise.all([
    import('./check-owner.js'),
    import('./tables.js'),
  ])
  checkOwner(file, stat)
  const place = { file, folder: dirname(file), base }
  return {
    plugins: plugins === undefined ? [] : pluginConfigs(plugins, place),
    daemon: daemon === undefined ? NO_DAEMON : daemonConfig(daemon, place),
  }
}

/** The identity file of an encrypted file whose place was chosen: `identity.age` in the same folder. */
export function identityBeside(storePath: string): string {
  return absolutePath('identity.age', dirname(storePath), pathBase())
}

/** Where a setting came from, in words. */
export function describeOrigin(origin: Origin): string {
  if (origin.from === 'variable') return origin.name
  if (origin.from === 'file') return `${origin.key} in ${origin.path}`
  return origin.from
}

/**
 * Parses the text of `config.toml`.
 * @param text - TOML.
 * @param file - Its path, for messages.
 * @throws `SE_INVALID_CONFIG`, naming the file, and the line of what is no TOML or the key of what is wrong otherwise.
 */
export async function parseFile(text: string, file: string): Promise<ParsedFile> {
  const table = await parseTables(text, file)
  const settings = new Map<SettingName, unknown>()
  for (const [key, value] of Object.entries(table)) {
    if ((TABLES as readonly string[]).includes(key)) continue
    const row = ROWS.find((candidate) => candidate.key === key)
    if (row === undefined) throw unknownKey(key, file)
    settings.set(row.name, value)
  }
  return { settings, plugins: table['plugins'], daemon: table['daemon'] }
}

async function parseTables(text: string, file: string): Promise<Record<string, unknown>> {
  const plain = parsePlainToml(text)
  if (plain !== undefined) return plain
  const { parse, TomlError } = await import('smol-toml')
  try {
    return parse(text)
  } catch (error) {
    // The parser's message quotes the text around the error.
    const place = error instanceof TomlError ? ` at line ${error.line}, column ${error.column}` : ''
    throw invalid(`${file} is not valid TOML${place}`, 'mend it, or move it away', { file })
  }
}

function unknownKey(key: string, file: string): Error {
  const keys = ROWS.map((row) => row.key)
  const shown = /^[a-z][a-z_-]{0,23}$/i.test(key) ? ` ${key}` : '' // anything else may be a value
  if (key === 'passphrase') {
    const hint = 'name a file with passphrase_file, or set the variable SE_PASSPHRASE'
    return invalid(`${file} holds a passphrase, which is never kept there`, hint, { file, key })
  }
  const meant = nearest(key, [...keys, ...TABLES])
  const all = `the keys are ${keys.join(', ')}, the tables [plugins.NAME] and [daemon]`
  const hint = meant === undefined ? all : `did you mean ${meant}?`
  return invalid(`unknown key${shown} in ${file}`, hint, shown === '' ? { file } : { file, key })
}

function understand(row: SettingRow, value: unknown, origin: Origin, from: string, base: PathBase): string | number {
  const where = describeOrigin(origin)
  if (row.kind === 'milliseconds') {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS) return value
    throw invalid(`${where} is not a whole number of milliseconds`, `write a number from 1 to ${MAX_TIMEOUT_MS}`, {})
  }
  if (row.kind === 'store') {
    if (typeof value === 'string' && (STORE_KINDS as readonly string[]).includes(value)) return value
    const meant = typeof value === 'string' ? nearest(value, STORE_KINDS) : undefined
    const hint = meant === undefined ? `write ${STORE_KINDS.join(' or ')}` : `did you mean ${meant}?`
    throw invalid(`${where} names no store`, hint, {})
  }
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw invalid(`${where} is not a path`, 'write the path of a file, in quotes', {})
  }
  return absolutePath(value, from, base)
}

function byDefault<T>(value: T): Setting<T> {
  return { value, origin: { from: 'default' } }
}

/** The text, and of which file it is: another may take its place at any time. */
function readIfThere(file: string): { text: string; stat: Stats } | undefined {
  try {
    const fd = openSync(file, 'r')
    try {
      return { text: readFileSync(fd, 'utf8'), stat: fstatSync(fd) }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined // `se store use` makes it
    throw invalid(`${file} cannot be read (${code ?? 'unknown reason'})`, 'mend it, or name another with SE_CONFIG', {
      file,
    })
  }
}

function invalid(message: string, hint: string, details: Record<string, string>): Error {
  return createError('SE_INVALID_CONFIG', message, { hint, details })
}
