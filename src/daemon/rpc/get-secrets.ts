import type { LocalEngine, PatternResult } from '../../engine/engine.js'
import { secretsOf } from '../../engine/secrets-of.js'
import { CODES } from '../../errors/codes.js'
import { createError, SecretsError } from '../../errors/secrets-error.js'
import type { Secret } from '../../secret.js'
import type { WireForm } from '../../wire/body.js'
import { answerSecrets } from './answer-secrets.js'
import { askEngine, resultsFor } from './ask-engine.js'
import type { Call } from './call.js'

/** Answers a request of GetSecrets. @throws as {@link askEngine}. */
export function answerGetSecrets(engine: LocalEngine, call: Call, form: WireForm, pattern: string): void {
  askEngine(engine, call, [pattern], {
    answered(results) {
      try {
        answerSecrets(call, form, foundIn(call, results))
      } catch (error) {
        call.fail(error)
      }
    },
    failed: (error) => call.fail(told(error)),
  })
}

/**
 * Finds what GetSecrets answers with. Plugins that failed while others answered are logged.
 * @returns at least one secret, which the caller disposes.
 * @throws `SE_NOT_FOUND` with Docker's text when there is none; the failure of a plugin when none answered; `SE_TIMEOUT`
 *   after the caller's limit; `SE_INVALID_PATTERN`.
 */
export async function findSecrets(engine: LocalEngine, call: Call, pattern: string): Promise<readonly Secret[]> {
  let results: readonly PatternResult[]
  try {
    results = await resultsFor(engine, call, [pattern])
  } catch (error) {
    throw told(error)
  }
  return foundIn(call, results)
}

function foundIn(call: Call, [result]: readonly PatternResult[]): readonly Secret[] {
  let secrets: readonly Secret[]
  try {
    secrets = secretsOf(result as PatternResult, { onFailure: (failure) => logFailure(call, failure) })
  } catch (error) {
    throw told(error)
  }
  if (secrets.length === 0) throw createError('SE_NOT_FOUND', 'secret not found')
  return secrets
}

function logFailure({ host, id }: Call, { code, message, details }: SecretsError): void {
  const facts = { request: id, plugin: String(details['plugin']), code, reason: message }
  host.log.event('warn', 'a plugin failed while others answered', facts)
}

// A plugin that fails because something of its own is missing has not answered. On the wire `not_found` means that
// nobody has such a secret, and callers act on it.
function told(error: unknown): unknown {
  if (!SecretsError.is(error) || CODES[error.code].connect !== 'not_found') return error
  const { code, message, hint, details } = error
  return createError('SE_PLUGIN_FAILURE', message, { hint, details: { ...details, code }, cause: error })
}
