import type { SecretsError } from '../errors/secrets-error.js'
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

/** Why plugins failed, in order of priority. */
export function failuresOf(outcomes: readonly PluginOutcome[]): SecretsError[] {
  const failures: SecretsError[] = []
  for (const { failure } of outcomes) if (failure !== undefined) failures.push(failure)
  return failures
}
