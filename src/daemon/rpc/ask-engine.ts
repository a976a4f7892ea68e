import type { AskOptions, LocalEngine, PatternResult } from '../../engine/engine.js'
import { createError, type SecretsError } from '../../errors/secrets-error.js'
import type { Call } from './call.js'

/**
 * Asks the engine for the caller, within the caller's limit, and until the caller goes away.
 * @throws `SE_TIMEOUT` after the caller's limit; `SE_INVALID_PATTERN`; as `engine.getBatch`.
 */
export async function askEngine(
  engine: LocalEngine,
  call: Call,
  patterns: readonly string[],
  options: Omit<AskOptions, 'requester'> = {},
): Promise<PatternResult[]> {
  call.patterns = patterns
  const { timeoutMs } = call
  if (timeoutMs === 0) throw tooLate(timeoutMs)
  const asking = engine.ask(patterns, { ...options, requester: call.connection.requester })
  call.whenLeft(asking.abandon)
  if (typeof timeoutMs !== 'number') return asking.results
  let late: SecretsError | undefined
  const timer = setTimeout(() => {
    late = tooLate(timeoutMs)
    asking.abandon(late)
  }, timeoutMs)
  try {
    return await asking.results
  } catch (error) {
    throw late ?? error
  } finally {
    clearTimeout(timer)
  }
}

function tooLate(timeoutMs: number): SecretsError {
  return createError('SE_TIMEOUT', `the answer did not come within the ${timeoutMs} ms that the caller gave it`, {
    hint: 'a prompt may be open somewhere; give it more time',
    details: { timeoutMs },
  })
}
