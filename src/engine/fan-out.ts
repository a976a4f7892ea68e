// Asks plugins, all at once, each under its deadline. One that fails hides no other's answer.
import { CODES } from '../errors/codes.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import { addFacts, Secret } from '../secret.js'
import { wait } from '../wait.js'
import { isHidden } from './hidden.js'
import type { Answer, AnswerFacts, Plugin, PluginContext, PluginLogger, Requester } from './plugin.js'

const discard = (): void => undefined

/** Where plugins write when nobody reads it. */
export const NO_LOG: PluginLogger = { debug: discard, info: discard, warn: discard, error: discard }

/** What one plugin brought. */
export interface Brought {
  /** The plugin. */
  readonly plugin: Plugin
  /** The patterns that it was asked for. */
  readonly patterns: readonly Pattern[]
  /** Its secrets, in the order of their ids (by bytes). */
  readonly secrets: readonly Secret[]
  /** Ids that it answered with and that were not asked of it. */
  readonly dropped: readonly string[]
  /** Why it failed. */
  readonly failure: SecretsError | undefined
  /** How long it took. */
  readonly latencyMs: number
}

/** What is the same for every plugin of a request. */
export interface Round {
  /** Aborted when the caller stops waiting, where the caller can. */
  readonly signal: AbortSignal | undefined
  readonly requester: Requester
  readonly times: boolean
  /** The limit for plugins that have none of their own. */
  readonly timeoutMs: number
}

/**
 * Asks one plugin. Never rejects. Where it fails by one id, the patterns that do not match that id are asked for again:
 * one bad item hides no other.
 */
export async function ask(plugin: Plugin, patterns: readonly Pattern[], round: Round): Promise<Brought[]> {
  const began = now()
  const limit = plugin.timeoutMs ?? round.timeoutMs
  const parts: Brought[] = []
  let rest = patterns
  while (rest.length > 0) {
    const timeoutMs = Math.max(Math.ceil(limit - (now() - began)), 1)
    const brought = await askOnce(plugin, rest, { ...round, timeoutMs })
    const id = brought.failure?.details['id']
    const others = typeof id === 'string' ? rest.filter((pattern) => !pattern.matches(id)) : []
    const wholly = others.length === rest.length
    parts.push(wholly ? brought : { ...brought, patterns: rest.filter((pattern) => !others.includes(pattern)) })
    rest = wholly ? [] : others
  }
  return parts
}

/** Asks one plugin within `round.timeoutMs`. */
async function askOnce(plugin: Plugin, patterns: readonly Pattern[], round: Round): Promise<Brought> {
  const began = now()
  const deadline = new AbortController()
  const asked = { plugin, patterns }
  try {
    const answers = await wait(
      {
        what: `asking the plugin ${plugin.name}`,
        begin: () =>
          answersOf(plugin, patterns, {
            log: NO_LOG,
            signal: deadline.signal,
            requester: round.requester,
            times: round.times,
          }),
        discard: (late) => wipe(late),
      },
      { timeoutMs: round.timeoutMs, signal: round.signal },
    )
    return { ...asked, ...take(plugin, patterns, answers), failure: undefined, latencyMs: now() - began }
  } catch (error) {
    // Nobody waits for the plugin any more, whether its time is over or the caller's.
    deadline.abort(error)
    const failure = failureOf(plugin, error)
    return { ...asked, secrets: [], dropped: [], failure, latencyMs: now() - began }
  }
}

async function answersOf(plugin: Plugin, patterns: readonly Pattern[], context: PluginContext): Promise<Answer[]> {
  if (plugin.getMany !== undefined) return [...(await plugin.getMany(patterns, context))]
  const settled = await Promise.allSettled(
    patterns.map(async (pattern) => [...(await plugin.getSecrets(pattern, context))]),
  )
  const failed = settled.find((result) => result.status === 'rejected')
  const answers = settled.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
  if (failed === undefined) return answers
  wipe(answers)
  throw failed.reason
}

function wipe(answers: Iterable<Answer>): void {
  for (const answer of answers) if (answer instanceof Secret) answer.dispose()
}

function take(plugin: Plugin, patterns: readonly Pattern[], answers: Answer[]): Pick<Brought, 'secrets' | 'dropped'> {
  const secrets: Secret[] = []
  const dropped: string[] = []
  const resolvedAt = new Date()
  try {
    for (const answer of answers) {
      const { id } = answer
      if (typeof id !== 'string') throw new TypeError('an answer has no id')
      const wanted = patterns.some((pattern) => pattern.matches(id)) && plugin.parsedPattern.matches(id)
      if (!wanted || isHidden(id)) {
        if (!wanted) dropped.push(id)
        wipe([answer])
        continue
      }
      const secret = answer instanceof Secret ? answer : secretOf(plugin, answer)
      addFacts(secret, { plugin: plugin.name, resolvedAt: secret.resolvedAt ?? resolvedAt })
      secrets.push(secret)
    }
  } catch (error) {
    wipe(answers)
    wipe(secrets)
    throw error
  }
  return { secrets: secrets.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)), dropped: dropped.sort() }
}

function secretOf({ name }: Plugin, answer: AnswerFacts): Secret {
  const { id, value, version, metadata, createdAt, expiresAt } = answer
  if (typeof value === 'string' || value instanceof Uint8Array) {
    return Secret.from(id, value, { version, metadata, createdAt, expiresAt })
  }
  throw createError('SE_PLUGIN_FAILURE', `the value for ${id} is neither bytes nor a text`, {
    details: { plugin: name, id },
  })
}

// A foreign error may quote anything in its message: only its code is shown, itself it stays the cause.
function failureOf(plugin: Plugin, error: unknown): SecretsError {
  const { name } = plugin
  if (SecretsError.is(error) && error.code in CODES) {
    const details = { ...error.details, plugin: name }
    const message = plugin.builtIn ? error.message : `${name}: ${error.message}`
    return createError(error.code, message, { hint: error.hint, details, cause: error })
  }
  const code = (error as { code?: unknown } | null)?.code
  const shown = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? ` (${code})` : ''
  return createError('SE_PLUGIN_FAILURE', `the plugin ${name} failed${shown}`, {
    hint: 'its own error is the cause of this one',
    details: { plugin: name },
    cause: error,
  })
}

/** Milliseconds of a clock that never goes back. The global `performance` would load `node:perf_hooks`, in 1 ms. */
function now(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
