// The answer of GetBatch: a JSON text in which each value is left out, and written natively in its place.
import type { PatternResult, PluginOutcome } from '../../engine/engine.js'
import type { SecretsError } from '../../errors/secrets-error.js'
import { handleOf, type Secret } from '../../secret.js'
import { envelopeTemplate, spliceSecrets } from '../../wire/body.js'
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
    const templates = secrets.map(envelopeTemplate)
    const envelopes = (withoutValues ? templates.map(withoutValue) : templates).join()
    const told = JSON.stringify(results.map((result) => wireResult(result, places)))
    const template = `{"envelopes":[${envelopes}],"results":${told}}`
    if (withoutValues) return call.json(template)
    answerBody(call, 'json', spliceSecrets(template, secrets.map(handleOf)))
  } finally {
    for (const secret of secrets) secret.dispose()
  }
}

function withoutValue(template: string): string {
  return template.replace('"value":"\0",', '')
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
