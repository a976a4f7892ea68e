// GetBatch of our own client: every secret once, and for each pattern where in that list its own are.
import type { LocalEngine, PatternResult, PluginOutcome } from '../../engine/engine.js'
import type { ErrorCode } from '../../errors/codes.js'
import type { SecretsError } from '../../errors/secrets-error.js'
import type { Secret } from '../../secret.js'
import { encodeSecrets } from '../../wire/body.js'
import { limitExceeded } from '../limits.js'
import { answerBody, checkAnswer } from './answer-secrets.js'
import { askEngine } from './ask-engine.js'
import type { Call } from './call.js'
import { flag, parse, strings, text } from './json-request.js'

/** The most patterns of one batch. */
const MAX_PATTERNS = 10_000

/** Answers a request of GetBatch. @throws for what is wrong with it; as {@link askEngine}. */
export function answerGetBatch(engine: LocalEngine, call: Call, body: Buffer): void {
  const request = parse(body)
  const patterns = strings(request, 'patterns')
  if (patterns.length > MAX_PATTERNS) throw tooManyPatterns(patterns.length)
  const wanted = { plugin: text(request, 'plugin'), times: flag(request, 'times') }
  const withoutValues = flag(request, 'withoutValues')
  askEngine(
    engine,
    call,
    patterns,
    {
      answered(results) {
        try {
          answerBatch(call, results, withoutValues)
        } catch (error) {
          call.fail(error)
        }
      },
      failed: (error) => call.fail(error),
    },
    wanted,
  )
}

/** The secrets belong to the call, and are wiped. */
function answerBatch(call: Call, results: readonly PatternResult[], withoutValues: boolean): void {
  const places = new Map<Secret, number>()
  for (const { secrets } of results) {
    for (const secret of secrets) if (!places.has(secret)) places.set(secret, places.size)
  }
  const secrets = [...places.keys()]
  try {
    checkAnswer(call, withoutValues ? [] : secrets)
    call.secrets = secrets.length
    if (secrets.length === 0) call.noted = reasonOf(results)
    const told = JSON.stringify(results.map((result) => wireResult(result, places)))
    answerBody(call, 'json', encodeSecrets('json', secrets, { members: `,"results":${told}`, withoutValues }))
  } finally {
    for (const secret of secrets) secret.dispose()
  }
}

/** Why there is no secret, for the log. */
function reasonOf(results: readonly PatternResult[]): ErrorCode {
  for (const { outcomes } of results) for (const { failure } of outcomes) if (failure !== undefined) return failure.code
  return 'SE_NOT_FOUND'
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

function tooManyPatterns(count: number): Error {
  return limitExceeded(
    'maxPatterns',
    `the request has ${count} patterns, and one request may have at most ${MAX_PATTERNS}`,
    MAX_PATTERNS,
  )
}
