/** The tables of `config.toml`: `[plugins.NAME]` and `[daemon]`. Loaded only where a file has one. */
import { createError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import { parsePattern } from '../pattern.js'
import { absolutePath, type PathBase } from './paths.js'
import { MAX_TIMEOUT_MS } from './settings.js'

/** How a plugin is spoken to: over a session, as Docker's are, or by lines of JSON. */
export const PROTOCOLS = ['session', 'lines'] as const

/** A plugin that is configured: a program of its own. */
export interface PluginConfig {
  /** Its name, which no other plugin has. */
  readonly name: string
  /** The program, an absolute path or a name to be looked up on the `PATH`, and its arguments. */
  readonly command: readonly [string, ...string[]]
  /** Variables for it, beside the few that every plugin gets. */
  readonly env: Readonly<Record<string, string>>
  /** What it is asked for at most; what it registers, where left out. */
  readonly pattern: string | undefined
  /** How it is spoken to. */
  readonly protocol: (typeof PROTOCOLS)[number]
  /** Milliseconds for one answer. */
  readonly timeoutMs: number | undefined
  /** Milliseconds for which an answer is used again. */
  readonly cacheTtlMs: number | undefined
}

/** What is configured for the daemon. */
export interface DaemonConfig {
  /** Where it listens: absolute paths, and names in the abstract space that begin with `@`. */
  readonly addresses: readonly string[] | undefined
  /** Who may connect beside this user and root. */
  readonly allowedUids: readonly number[]
  /** Seconds without a request after which it ends. */
  readonly idleExitSeconds: number | undefined
  /** Names of plugins whose answers come first. */
  readonly priority: readonly string[]
}

const PLUGIN_KEYS = ['command', 'args', 'env', 'pattern', 'protocol', 'timeout_ms', 'cache_ttl_ms'] as const
const DAEMON_KEYS = ['addresses', 'allowed_uids', 'idle_exit_seconds', 'priority'] as const
const PLUGIN_NAME = /^[A-Za-z0-9._-]{1,128}$/
const BUILT_IN = 'docker-pass'
const LONGEST_IDLE_SECONDS = MAX_TIMEOUT_MS / 1000

/** Where a table comes from: its file, and what relative paths in it begin at. */
interface Place {
  readonly file: string
  readonly folder: string
  readonly base: PathBase
}

/**
 * Understands the table `plugins`.
 * @throws `SE_INVALID_CONFIG`, which names the file and the key and quotes no value.
 */
export function pluginConfigs(value: unknown, place: Place): PluginConfig[] {
  return Object.entries(tableOf(value, 'plugins', place)).map(([name, table]) => {
    if (!isPluginName(name)) {
      const hint = 'a name is 1 to 128 letters, digits, dots, underscores and hyphens'
      throw invalid(`a plugin in ${place.file} has a name that is none`, hint, place)
    }
    if (name === BUILT_IN) {
      throw invalid(`plugins.${name} in ${place.file} has the name of the built-in plugin`, 'choose another', place)
    }
    return pluginConfig(name, tableOf(table, `plugins.${name}`, place), place)
  })
}

/** Whether a plugin may have this name. */
export function isPluginName(name: string): boolean {
  return PLUGIN_NAME.test(name)
}

/**
 * Understands the table `daemon`.
 * @throws `SE_INVALID_CONFIG`, which names the file and the key and quotes no value.
 */
export function daemonConfig(value: unknown, place: Place): DaemonConfig {
  const table = tableOf(value, 'daemon', place)
  const read = reader('daemon', table, DAEMON_KEYS, place)
  const addresses = read('addresses', isList(isText), 'a list of paths and @names')
  return {
    addresses: addresses?.map((text) => (text.startsWith('@') ? text : absolutePath(text, place.folder, place.base))),
    allowedUids: read('allowed_uids', isList(isInteger(0, 2 ** 32 - 2)), 'a list of numbers of users') ?? [],
    idleExitSeconds: read('idle_exit_seconds', isInteger(1, LONGEST_IDLE_SECONDS), 'a whole number of seconds'),
    priority: read('priority', isList(isText), 'a list of names of plugins') ?? [],
  }
}

function pluginConfig(name: string, table: Table, place: Place): PluginConfig {
  const read = reader(`plugins.${name}`, table, PLUGIN_KEYS, place)
  const command = read('command', isCommand, 'a program, or a list of a program and its arguments')
  const args = read('args', isList(isArgument), 'a list of texts') ?? []
  if (command === undefined) {
    throw invalid(`plugins.${name} in ${place.file} has no command`, 'command = "/path/to/program"', place)
  }
  const [program = '', ...first] = typeof command === 'string' ? [command] : command
  return {
    name,
    command: [/[/\\]/.test(program) ? absolutePath(program, place.folder, place.base) : program, ...first, ...args],
    env: read('env', isEnvironment, 'a table of variables and their texts, none of them a passphrase of ours') ?? {},
    pattern: read('pattern', isPattern, 'a pattern'),
    protocol: read('protocol', isProtocol, PROTOCOLS.join(' or ')) ?? 'session',
    timeoutMs: read('timeout_ms', isInteger(1, MAX_TIMEOUT_MS), 'a whole number of milliseconds'),
    cacheTtlMs: read('cache_ttl_ms', isInteger(1, MAX_TIMEOUT_MS), 'a whole number of milliseconds'),
  }
}

type Table = Readonly<Record<string, unknown>>

function tableOf(value: unknown, key: string, place: Place): Table {
  // Only a plain object is a table: dates are objects of a class.
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
    return value as Table
  }
  throw invalid(`${key} in ${place.file} is not a table`, `write [${key === 'plugins' ? 'plugins.NAME' : key}]`, place)
}

/** Reads keys of a table that has no others. */
function reader<K extends string>(name: string, table: Table, keys: readonly K[], place: Place) {
  for (const key of Object.keys(table)) {
    if ((keys as readonly string[]).includes(key)) continue
    const shown = /^[a-z][a-z_-]{0,23}$/i.test(key) ? ` ${key}` : '' // anything else may be a value
    const meant = nearest(key, keys)
    const hint = meant === undefined ? `the keys are ${keys.join(', ')}` : `did you mean ${meant}?`
    throw invalid(`unknown key${shown} in ${name} in ${place.file}`, hint, place)
  }
  return <T>(key: K, is: (value: unknown) => value is T, what: string): T | undefined => {
    const value = table[key]
    if (value === undefined || is(value)) return value
    throw invalid(`${name}.${key} in ${place.file} is not ${what}`, `write ${what}, or leave it out`, place)
  }
}

function isText(value: unknown): value is string {
  return isArgument(value) && value !== ''
}

function isArgument(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0')
}

function isList<T>(is: (value: unknown) => value is T) {
  return (value: unknown): value is T[] => Array.isArray(value) && value.every(is)
}

function isInteger(min: number, max: number) {
  return (value: unknown): value is number => Number.isInteger(value) && Number(value) >= min && Number(value) <= max
}

function isCommand(value: unknown): value is string | string[] {
  return isText(value) || (isList(isArgument)(value) && isText(value[0]))
}

function isProtocol(value: unknown): value is PluginConfig['protocol'] {
  return (PROTOCOLS as readonly unknown[]).includes(value)
}

function isPattern(value: unknown): value is string {
  if (typeof value !== 'string') return false
  try {
    parsePattern(value)
    return true
  } catch {
    return false
  }
}

function isEnvironment(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.entries(value).every(
    ([name, text]) =>
      /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) &&
      !/^(SE_.*PASSPHRASE.*|DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG)$/.test(name) &&
      isArgument(text),
  )
}

function invalid(message: string, hint: string, { file }: Place): Error {
  return createError('SE_INVALID_CONFIG', message, { hint, details: { file } })
}
