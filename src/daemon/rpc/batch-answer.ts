// The answer of GetBatch: every secret once, and for each pattern where in that list its own are.
import type { PatternResult, PluginOutcome } from '../../engine/engine.js'
import type { SecretsError } from '../../errors/secrets-error.js'
import type { Secret } from '../../secret.js'
import { encodeSecrets } from '../../wire/body.js'
import { answerBody, checkAnswer } from './answer-secrets.js'
import type { Call } from './call.js'

/**
 * Answers GetBatch. The secrets belong to the call, and are wiped.
 * @param withoutValues - Leaves the values out.
 */
export function answerBatch(call: Call, results: readonly PatternResult[], withoutValues: boolean): void {
  const places = new Map<Secret, number>()
  for (const { secrets } of results) {
    for (const secret of secrets) if (!places.has(secret)) places.set(secret, places.size)
  }
  const secrets = [...places.keys()]
  try {
    checkAnswer(call, withoutValues ? [] : secrets)
    call.secrets = secrets.length
    const told = JSON.stringify(results.map((result) => wireResult(result, places)))
    answerBody(call, 'json', encodeSecrets('json', secrets, { members: `,"results":${told}`, withoutValues }))
  } finally {
    for (const secret of secrets) secret.dispose()
  }
}

function wireResult({ secrets, outcomes }: PatternResult, places: ReadonlyMap<Secret, number>) {
  return { envelopes: secrets.map((secret) => places.get(secret)), outcomes: outcomes.map(wireOutcome) }
}

function wireOutcome({ failure, ...facts }: PluginOutcome) {
  return failure === undefined ? facts : { ...facts, failure: wireFailure(failure) }
}

function wireFailure({ code, message, hint, details }: SecretsError) {
  return { code, message, hint, details: jsonOf(details) }
}

// What somebody put into the details may be no JSON.
function jsonOf(details: unknown): string {
  try {
    return JSON.stringify(details)
  } catch {
    return '{}'
  }
}
