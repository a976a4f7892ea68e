import { createError, type SecretsError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import { Pattern, parsePattern } from '../pattern.js'
import type { Secret, SecretFacts } from '../secret.js'
import { checkTimeout } from '../wait.js'
import type { PluginKind, PluginStatus } from './engine.js'

/** Who asks for a secret. */
export interface Requester {
  /** The process that asks. */
  readonly pid: number
  /** The name of its program. */
  readonly name: string
  /** The path of its program. */
  readonly path: string
}

/** Plain facts for a line of a log, such as ids, counts and codes. Never a value of a secret. */
export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>

/** Where a plugin writes what its user may want to know: the daemon's log, or standard error of a process of its own. */
export interface PluginLogger {
  /** For whoever looks for a fault. */
  debug(message: string, facts?: LogFacts): void
  /** What went as it should. */
  info(message: string, facts?: LogFacts): void
  /** What went wrong and was mended, or can wait. */
  warn(message: string, facts?: LogFacts): void
  /** What went wrong. */
  error(message: string, facts?: LogFacts): void
}

/** What a plugin is told beside the pattern. When several ask for the same at once, it is asked for the first of them. */
export interface PluginContext {
  /** Where to write what happened. Discards everything in an engine that was given no log. */
  readonly log: PluginLogger
  /**
   * Aborted when nobody waits for the answer any more. It is made when it is looked at, so a copy of the context
   * (`{ ...context }`) has none: pass the context on as it is.
   */
  readonly signal: AbortSignal
  /** Who asks. */
  readonly requester: Requester
  /** Whether `createdAt` is wanted even where finding it takes time. */
  readonly times: boolean
}

/** A secret as a plugin may answer with it: the engine copies the value. */
export interface AnswerFacts extends Omit<SecretFacts, 'plugin' | 'resolvedAt'> {
  /** The id. */
  readonly id: string
  /** The value. Wipe your own bytes; the engine takes its copy as soon as you have answered. */
  readonly value: Uint8Array | string
}

/** One secret of a plugin's answer. A `Secret` belongs to the engine from then on. */
export type Answer = Secret | AnswerFacts

/** What a plugin may return. */
export type Answers = Iterable<Answer> | Promise<Iterable<Answer>>

/** How a plugin is described to {@link definePlugin}. */
export interface PluginDefinition {
  /** A name that no other plugin of the engine has: letters, digits, `.`, `_` and `-`, at most 128. */
  readonly name: string
  /** A semantic version with a leading `v`, such as `v1.0.0`. */
  readonly version: string
  /** Which ids it answers for, such as `vault/**`. What it answers outside is dropped. */
  readonly pattern: string
  /** Milliseconds for one answer, prompts included. By default the engine's limit. */
  readonly timeoutMs?: number | undefined
  /**
   * Milliseconds for which an answer is used again, by equal requests of whoever; `expiresAt` may end it earlier. Off by
   * default: every request asks. The values are wiped when the plugin is disabled, taken out or closed, and by the
   * engine's `dropCache`. An answer without a secret is not kept, nor one of more than 1,000 secrets or 4 MiB, which is
   * also what is kept in all.
   */
  readonly cacheTtlMs?: number | undefined
  /**
   * Answers with the secrets that the pattern matches, in any order; none is an empty list. May throw: the engine keeps
   * the code of a `SecretsError`, and calls any other error `SE_PLUGIN_FAILURE`.
   * @param pattern - What is asked for: an id, or a pattern that overlaps the plugin's own.
   */
  getSecrets(pattern: Pattern, context: PluginContext): Answers
  /**
   * Answers for many patterns at once. By default `getSecrets` is called for each, all at the same time. When it throws an
   * error whose details name an `id`, it is asked once more without the patterns that match this id.
   * @param patterns - At least one, none twice.
   */
  getMany?(patterns: readonly Pattern[], context: PluginContext): Answers
  /** Lists ids without fetching values, for hints when one is not found. */
  listIds?(context: PluginContext): Iterable<string> | Promise<Iterable<string>>
  /** Lets go of what the plugin holds. Called once, by the engine's `close`. */
  close?(): void | Promise<void>
}

/** A plugin: a definition that was checked. */
export interface Plugin extends PluginDefinition {
  /** The parsed pattern. */
  readonly parsedPattern: Pattern
  /** Whether it comes with this package. Those are asked first, in the order of results. */
  readonly builtIn: boolean
  /** Whether it can be enabled and disabled. */
  readonly configurable: boolean
  /** What it is there for. One that decides about access is never asked for secrets. By default `secrets`. */
  readonly kind?: PluginKind
  /** How it is doing; running, where it is not there. */
  state?(): PluginState
  /** Is told when it is enabled or disabled, and starts or stops what it runs. */
  setEnabled?(enabled: boolean): Promise<void>
}

/** How a plugin is doing, and why. */
export interface PluginState {
  /** Whether it runs. */
  readonly status: PluginStatus
  /** Why, where there is more to say. */
  readonly message?: string | undefined
}

const NAME = /^[A-Za-z0-9._-]{1,128}$/
const VERSION = /^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/

const KEYS: readonly string[] = [
  'name',
  'version',
  'pattern',
  'timeoutMs',
  'cacheTtlMs',
  'getSecrets',
  'getMany',
  'listIds',
  'close',
] satisfies (keyof PluginDefinition)[]
/** What a plugin has beside them, of which a definition may be a copy. */
const MADE_KEYS: readonly string[] = ['parsedPattern', 'builtIn', 'configurable'] satisfies (keyof Plugin)[]

/**
 * Makes a plugin of its definition, to pass to `createEngine`.
 * @param definition - An object with these members and no other; or one of a class, which may have more.
 * @throws `PluginError` `SE_PLUGIN_INVALID` for a bad name, version or pattern, or a member that there is none of.
 */
export function definePlugin(definition: PluginDefinition): Plugin {
  checkKeys(definition)
  return makePlugin(definition, false)
}

/** One that is misspelt would have no effect. */
function checkKeys(definition: PluginDefinition): void {
  if (Object.getPrototypeOf(definition) !== Object.prototype) return
  for (const key of Object.keys(definition)) {
    if (KEYS.includes(key) || MADE_KEYS.includes(key)) continue
    const meant = nearest(key, KEYS)
    const hint =
      meant === undefined ? `the keys are ${KEYS.join(', ')}; a class may have more` : `did you mean ${meant}?`
    throw invalid(definition.name, `it has no key ${JSON.stringify(key.slice(0, 128))}`, undefined, hint)
  }
}

/** Whether it was made by {@link definePlugin}, of this copy of the package. */
export function isPlugin(plugin: Plugin | undefined): boolean {
  return plugin?.parsedPattern instanceof Pattern
}

/** Makes a plugin that comes with this package. */
export function makePlugin(definition: PluginDefinition, builtIn: boolean): Plugin {
  const { name, version, pattern, getSecrets } = definition
  if (typeof name !== 'string' || !NAME.test(name))
    throw invalid(name, 'its name must be 1 to 128 letters, digits, dots, underscores and hyphens')
  if (!VERSION.test(version)) throw invalid(name, 'its version must be like v1.0.0')
  if (typeof getSecrets !== 'function') throw invalid(name, 'getSecrets must be a function')
  try {
    checkTimeout(definition.timeoutMs)
    checkTimeout(definition.cacheTtlMs)
  } catch (cause) {
    throw invalid(name, 'its timeoutMs and cacheTtlMs must be milliseconds', cause)
  }
  let parsedPattern: Pattern
  try {
    parsedPattern = parsePattern(pattern)
  } catch (cause) {
    throw invalid(name, 'its pattern is not a pattern', cause)
  }
  return Object.freeze({
    name,
    version,
    pattern,
    parsedPattern,
    builtIn,
    configurable: !builtIn,
    timeoutMs: definition.timeoutMs,
    cacheTtlMs: definition.cacheTtlMs,
    getSecrets: getSecrets.bind(definition),
    getMany: definition.getMany?.bind(definition),
    listIds: definition.listIds?.bind(definition),
    close: definition.close?.bind(definition),
  } as Plugin)
}

function invalid(name: string, reason: string, cause?: unknown, hint?: string): SecretsError {
  const shown = JSON.stringify(String(name).slice(0, 128))
  return createError('SE_PLUGIN_INVALID', `the plugin ${shown} is not valid: ${reason}`, {
    hint,
    details: { reason },
    cause,
  })
}
