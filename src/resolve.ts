import { checkOptions, wrongArgument } from './argument.js'
import type { Engine, PatternResult, RequestOptions } from './engine/engine.js'
import { isHidden } from './engine/hidden.js'
import { checkPolicy, type Policy, pick, pickEach } from './engine/pick.js'
import { secretsOf } from './engine/secrets-of.js'
import { createError, SecretsError } from './errors/secrets-error.js'
import { isId } from './id.js'
import { parseReference } from './reference.js'
import type { Secret } from './secret.js'
import type { SecretSink } from './secret-sink.js'

/** How to resolve. */
export interface ResolveOptions extends RequestOptions {
  /** Who answers; by default the user's daemon where one runs, else an engine in this process with the same plugins. */
  readonly engine?: Engine | undefined
  /** Which secret is meant when there are several answers. Default `unique`. */
  readonly policy?: Policy | undefined
}

/** How long a hint may take that names the id that was meant. */
const HINT_TIMEOUT_MS = 500

/** The names of {@link ResolveOptions}. */
export const RESOLVE_OPTIONS: readonly (keyof ResolveOptions)[] = [
  'engine',
  'policy',
  'plugin',
  'strict',
  'times',
  'requester',
  'onFailure',
  'signal',
  'timeoutMs',
]

/**
 * A promise of a secret, with short ways to its value. Each of them disposes the secret when it is done, and rejects as
 * {@link resolve} and the method of `Secret` with the same name do.
 */
export type Resolution = Promise<Secret> & {
  /** The value as a string. */
  text(): Promise<string>
  /** A copy of the value that the caller owns. */
  bytes(): Promise<Uint8Array<ArrayBuffer>>
  /** Lends a copy of the value while `fn` runs. */
  use<T>(fn: (bytes: Uint8Array<ArrayBuffer>) => T | PromiseLike<T>): Promise<T>
  /** Writes the value to a stream. */
  writeTo(stream: SecretSink): Promise<void>
}

/**
 * Resolves a reference to the one secret that it names.
 * @param reference - `se://` and an id, or a pattern that exactly one secret matches.
 * @returns a promise of a secret that the caller disposes.
 * @throws `NotFoundError` `SE_NOT_FOUND`, `SE_NO_PLUGIN`; `PluginError` `SE_NOT_UNIQUE`; `InvalidInputError`
 *   `SE_INVALID_REFERENCE`; `CancelledError` `SE_ABORTED`, `SE_TIMEOUT`; what the plugin fails with, such as `SE_LOCKED`
 *   or `SE_STORE_UNAVAILABLE`.
 */
export function resolve(reference: string, options: ResolveOptions = {}): Resolution {
  const secret = resolveOne(reference, options)
  const then = async <T>(read: (secret: Secret) => T | Promise<T>): Promise<T> => {
    const value = await secret
    try {
      return await read(value)
    } finally {
      value.dispose()
    }
  }
  return Object.assign(secret, {
    text: () => then((value) => value.text()),
    bytes: () => then((value) => value.bytes()),
    use: <T>(fn: (bytes: Uint8Array<ArrayBuffer>) => T | PromiseLike<T>) => then((value) => value.use(fn)),
    writeTo: (stream: SecretSink) => then((value) => value.writeTo(stream)),
  })
}

async function resolveOne(reference: string, options: ResolveOptions): Promise<Secret> {
  const resolved = await resolveEach([reference], options)
  const answer = resolved.get(reference) as Secret | SecretsError
  if (SecretsError.is(answer)) throw answer
  return answer
}

/**
 * Resolves references to all secrets that they name.
 * @param references - One reference, or a list of them.
 * @returns secrets that the caller disposes, each once, in order of priority of their plugins, then of id; of a list, in
 *   the order of the list. None when nothing matches.
 * @throws as {@link resolve}, but neither `SE_NOT_FOUND` nor `SE_NOT_UNIQUE`. A plugin that failed while others answered
 *   is told to `onFailure`, and thrown under `strict`.
 */
export async function resolveAll(
  references: string | readonly string[],
  options: ResolveOptions = {},
): Promise<Secret[]> {
  const list = typeof references === 'string' ? [references] : references
  if (!Array.isArray(list)) throw wrongArgument('references', 'a string or an array', list)
  checkOptions(options, RESOLVE_OPTIONS)
  const patterns = list.map(patternOf)
  const engine = options.engine ?? (await defaultEngine())
  const results = await engine.getBatch(patterns, options)
  try {
    return [...new Set(results.flatMap((result) => secretsOf(result, options)))]
  } catch (error) {
    for (const secret of results.flatMap(({ secrets }) => secrets)) secret.dispose()
    throw error
  }
}

/**
 * Resolves many references in one batch, each to one secret or to the reason why there is none. A reference that is
 * repeated is fetched once. The secrets are the caller's to dispose; two references to the same secret share it.
 * @throws what concerns all of them, such as `SE_ABORTED`.
 */
export async function resolveEach(
  references: readonly string[],
  options: ResolveOptions = {},
): Promise<Map<string, Secret | SecretsError>> {
  if (!Array.isArray(references)) throw wrongArgument('references', 'an array', references)
  checkOptions(options, RESOLVE_OPTIONS)
  return (await resolveBatch(references, [], options)).each
}

/** What came of a batch. The secrets are the caller's to dispose; some may be there several times. */
export interface ResolvedBatch {
  /** For each reference its one secret, or why there is none. */
  readonly each: Map<string, Secret | SecretsError>
  /** For each group all its secrets, one for each id, and why others are not there. */
  readonly all: Map<string, readonly (Secret | SecretsError)[]>
}

/**
 * Resolves references, each to one secret, and groups, each to all secrets that it names, in one batch.
 * @throws what concerns all of them, such as `SE_ABORTED`.
 */
export async function resolveBatch(
  references: readonly string[],
  groups: readonly string[],
  options: ResolveOptions,
): Promise<ResolvedBatch> {
  checkPolicy(options.policy)
  const each: ResolvedBatch['each'] = new Map()
  const all: ResolvedBatch['all'] = new Map()
  const patterns = new Map<string, string>()
  const single = new Set(references)
  const several = new Set(groups)
  for (const reference of several.size === 0 ? single : new Set([...single, ...several])) {
    try {
      patterns.set(reference, patternOf(reference))
    } catch (error) {
      if (!SecretsError.is(error)) throw error
      if (single.has(reference)) each.set(reference, error)
      if (several.has(reference)) all.set(reference, [error])
    }
  }
  if (patterns.size === 0) return { each, all }
  const engine = options.engine ?? (await defaultEngine())
  const asked = [...patterns.keys()]
  const times = options.times ?? options.policy === 'newest'
  const results = await engine.getBatch([...patterns.values()], { ...options, times })
  const unused = new Set(results.flatMap(({ secrets }) => secrets))
  try {
    for (const [index, result] of results.entries()) {
      const reference = asked[index] as string
      if (single.has(reference)) {
        const answer = pickFrom(reference, result, options)
        each.set(reference, answer)
        if (!SecretsError.is(answer)) unused.delete(answer)
      }
      if (several.has(reference)) {
        const answers = pickEachFrom(reference, result, options)
        all.set(reference, answers)
        for (const answer of answers) if (!SecretsError.is(answer)) unused.delete(answer)
      }
    }
  } finally {
    for (const secret of unused) secret.dispose()
  }
  const hints = { ...options, timeoutMs: Math.min(options.timeoutMs ?? HINT_TIMEOUT_MS, HINT_TIMEOUT_MS) }
  const hinting: Promise<unknown>[] = []
  for (const [reference, answer] of each) {
    if (!SecretsError.is(answer)) continue
    hinting.push(withHint(answer, patterns.get(reference), engine, hints).then((error) => each.set(reference, error)))
  }
  for (const [group, [answer, ...others]] of all) {
    if (!SecretsError.is(answer) || others.length > 0) continue
    hinting.push(withHint(answer, patterns.get(group), engine, hints).then((error) => all.set(group, [error])))
  }
  await Promise.all(hinting)
  return { each, all }
}

function pickFrom(reference: string, result: PatternResult, options: ResolveOptions): Secret | SecretsError {
  const { strict, onFailure, policy } = options
  const failures = result.outcomes.flatMap(({ failure }) => failure ?? [])
  if (strict === true && failures[0] !== undefined) return failures[0]
  const answer = pick(reference, result, policy)
  if (!SecretsError.is(answer)) for (const failure of failures) onFailure?.(failure)
  return answer
}

function pickEachFrom(group: string, result: PatternResult, options: ResolveOptions): (Secret | SecretsError)[] {
  const { strict, onFailure, policy } = options
  const failures = result.outcomes.flatMap(({ failure }) => failure ?? [])
  if (strict === true && failures[0] !== undefined) return [failures[0]]
  const answers = pickEach(group, result, policy)
  if (answers.some((answer) => !SecretsError.is(answer))) for (const failure of failures) onFailure?.(failure)
  return answers
}

/**
 * The error with a hint, where it is that an id was not found: one that is like it, or how to store it. Ids are not secret.
 * @param pattern - What was asked for; only an id gets a hint.
 */
export async function withHint(
  error: SecretsError,
  pattern: string | undefined,
  engine: Engine,
  options: ResolveOptions,
): Promise<SecretsError> {
  if (error.code !== 'SE_NOT_FOUND' || error.hint !== undefined || pattern === undefined || !isId(pattern)) return error
  if (isHidden(pattern)) {
    const hint = 'ids below docker/secrets-engine are kept for the engine itself, which gives them to nobody'
    return createError(error.code, error.message, { hint, details: error.details })
  }
  const meant = await engine.suggest(pattern, options)
  const hint = meant === undefined ? `store it with: se set ${pattern}` : `did you mean se://${meant}?`
  return createError(error.code, error.message, { hint, details: { ...error.details, nearest: meant } })
}

// The command line always gives an engine, and starts without what finds the default one.
let finder: Promise<typeof import('./engine/default-engine.js')> | undefined

async function defaultEngine(): Promise<Engine> {
  finder ??= import('./engine/default-engine.js')
  return (await finder).defaultEngine()
}

function patternOf(reference: string): string {
  return parseReference(reference).pattern.text
}
