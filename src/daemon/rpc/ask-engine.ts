import type { AskOptions, LocalEngine, PatternResult, Settled } from '../../engine/engine.js'
import { createError, type SecretsError } from '../../errors/secrets-error.js'
import type { Call } from './call.js'

/** What is asked beside the patterns. */
export type Wanted = Omit<AskOptions, 'requester'>

const ALL: Wanted = {}

/**
 * Asks the engine for the caller, within the caller's limit, and until the caller goes away.
 * @param settled - As of `engine.ask`; fails with `SE_TIMEOUT` after the caller's limit.
 * @throws `SE_TIMEOUT` for a limit of 0; as `engine.ask`.
 */
export function askEngine(
  engine: LocalEngine,
  call: Call,
  patterns: readonly string[],
  settled: Settled,
  wanted: Wanted = ALL,
): void {
  call.patterns = patterns
  const { timeoutMs } = call
  if (timeoutMs === 0) throw tooLate(timeoutMs)
  const { plugin, times } = wanted
  const { requester } = call.connection
  if (typeof timeoutMs !== 'number') {
    call.whenLeft(engine.ask(patterns, { requester, plugin, times }, settled))
    return
  }
  let late: SecretsError | undefined
  const timer = setTimeout(() => {
    late = tooLate(timeoutMs)
    abandon(late)
  }, timeoutMs)
  const limited: Settled = {
    answered(results) {
      clearTimeout(timer)
      settled.answered(results)
    },
    failed(error) {
      clearTimeout(timer)
      settled.failed(late ?? error)
    },
  }
  let abandon: (reason: unknown) => void
  try {
    abandon = engine.ask(patterns, { requester, plugin, times }, limited)
  } catch (error) {
    clearTimeout(timer)
    throw error
  }
  call.whenLeft(abandon)
}

/** The same as a promise. */
export function resultsFor(
  engine: LocalEngine,
  call: Call,
  patterns: readonly string[],
  wanted?: Wanted,
): Promise<PatternResult[]> {
  return new Promise((answered, failed) => askEngine(engine, call, patterns, { answered, failed }, wanted))
}

function tooLate(timeoutMs: number): SecretsError {
  return createError('SE_TIMEOUT', `the answer did not come within the ${timeoutMs} ms that the caller gave it`, {
    hint: 'a prompt may be open somewhere; give it more time',
    details: { timeoutMs },
  })
}
