import type { SecretsError } from '../errors/secrets-error.js'
import { type Pattern, parsePattern } from '../pattern.js'
import type { Secret } from '../secret.js'
import { wipe } from './brought.js'
import type { PatternResult, PluginOutcome, RequestOptions } from './engine.js'

/**
 * The secrets of a result.
 * @throws the first failure when nothing was answered, or under `strict`. Otherwise `onFailure` is told of each.
 */
export function secretsOf({ secrets, outcomes }: PatternResult, { strict, onFailure }: RequestOptions): Secret[] {
  const failures = failuresOf(outcomes)
  const [first] = failures
  if (first !== undefined && (secrets.length === 0 || strict === true)) {
    wipe(secrets)
    throw first
  }
  for (const failure of failures) onFailure?.(failure)
  return secrets as Secret[]
}

/**
 * Why plugins failed, in the order in which it tells most about what was asked for: of the plugin that is made for the
 * fewest ids first; one that does not run after one that was asked and failed; else in order of priority.
 */
export function failuresOf(outcomes: readonly PluginOutcome[]): SecretsError[] {
  const failed = outcomes.filter(({ failure }) => failure !== undefined)
  return (failed.length > 1 ? mostTelling(failed) : failed).map(({ failure }) => failure as SecretsError)
}

function mostTelling(failed: readonly PluginOutcome[]): PluginOutcome[] {
  const patterns = failed.map(({ pattern }) => parsePattern(pattern))
  const ranked = failed.map((outcome, index) => {
    const own = patterns[index] as Pattern
    const narrower = patterns.filter((other) => own.includes(other) && !other.includes(own)).length
    // One that never registered, and was configured without a pattern, counts as `**`.
    return { outcome, narrower, runs: outcome.failure?.code !== 'SE_PLUGIN_UNAVAILABLE' }
  })
  ranked.sort((one, other) => one.narrower - other.narrower || Number(other.runs) - Number(one.runs))
  return ranked.map(({ outcome }) => outcome)
}
