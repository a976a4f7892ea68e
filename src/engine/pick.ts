// Which of several answers a reference means.
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { parsePattern } from '../pattern.js'
import { parseReference } from '../reference.js'
import type { PluginOutcome } from './engine.js'
import { failuresOf } from './secrets-of.js'

/**
 * Which secret a reference means when there are several answers: `unique` (the default) takes none of them, `first` the
 * first in order of priority, then of id, `newest` the one that was created last (the first of them, when several were).
 */
export type Policy = 'unique' | 'first' | 'newest'

/** What is told from a secret to pick one. */
export interface Candidate {
  readonly id: string
  readonly plugin: string | undefined
  readonly createdAt: Date | undefined
}

/** @throws `SE_INVALID_OPTION` for a policy that does not exist. */
export function checkPolicy(policy: Policy | undefined): void {
  if (policy === undefined || ['unique', 'first', 'newest'].includes(policy)) return
  throw createError('SE_INVALID_OPTION', `there is no policy ${JSON.stringify(policy)}`, {
    hint: 'use unique, first or newest',
    details: { option: 'policy' },
  })
}

/**
 * Picks the one secret of a result. The others are left alone: they belong to the result.
 * @returns the secret, or why there is none: `SE_NOT_UNIQUE`, whose details list ids and plugins; the failure of a plugin
 *   that might have answered; `SE_NO_PLUGIN` when no plugin answers for the pattern; `SE_NOT_FOUND`.
 */
export function pick<S extends Candidate>(
  reference: string,
  { secrets, outcomes }: { readonly secrets: readonly S[]; readonly outcomes: readonly PluginOutcome[] },
  policy: Policy = 'unique',
): S | SecretsError {
  const [first] = secrets
  if (first === undefined) return noAnswer(reference, outcomes)
  switch (policy) {
    case 'first':
      return first
    case 'newest':
      return secrets.reduce((best, secret) => (createdAt(secret) > createdAt(best) ? secret : best))
    case 'unique':
      if (secrets.length > 1) return notUnique(reference, secrets)
      return failureOfOwn(outcomes) ?? first
  }
}

/**
 * Picks a secret for each id of a result. The others are left alone: they belong to the result.
 * @returns for each id its secret, or `SE_NOT_UNIQUE`; or one error alone, as of {@link pick}, where there is none, or the
 *   failure of a plugin may hide another answer.
 */
export function pickEach<S extends Candidate>(
  reference: string,
  { secrets, outcomes }: { readonly secrets: readonly S[]; readonly outcomes: readonly PluginOutcome[] },
  policy: Policy = 'unique',
): (S | SecretsError)[] {
  if (secrets.length === 0) return [noAnswer(reference, outcomes)]
  const failure = policy === 'unique' ? failureOfOwn(outcomes) : undefined
  if (failure !== undefined) return [failure]
  const byId = new Map<string, S[]>()
  for (const secret of secrets) byId.set(secret.id, [...(byId.get(secret.id) ?? []), secret])
  return [...byId].map(([id, same]) => pick(`se://${id}`, { secrets: same, outcomes: [] }, policy))
}

function noAnswer(reference: string, outcomes: readonly PluginOutcome[]): SecretsError {
  return failuresOf(outcomes)[0] ?? nothing(reference, outcomes)
}

/** The failure of a plugin made for just this part of the ids: what it would have said may be another value. */
function failureOfOwn(outcomes: readonly PluginOutcome[]): SecretsError | undefined {
  return failuresOf(outcomes.filter(({ pattern, failure }) => failure && !answersForAll(pattern)))[0]
}

function answersForAll(pattern: string): boolean {
  return parsePattern(pattern).includes(parsePattern('**'))
}

function createdAt(secret: Candidate): number {
  return secret.createdAt?.getTime() ?? Number.NEGATIVE_INFINITY
}

/** How many answers a message shows, and how many its details list. */
const SHOWN = 5
const LISTED = 100

function notUnique(reference: string, secrets: readonly Candidate[]): SecretsError {
  const answers = secrets.slice(0, LISTED).map(({ id, plugin }) => ({ id, plugin }))
  const plugins = [...new Set(secrets.map(({ plugin }) => plugin))]
  const shown = answers.slice(0, SHOWN).map(({ id, plugin }) => `${id} (${plugin})`)
  const more = secrets.length - shown.length
  const others = more > 0 ? ` and ${more} more, of ${plugins.join(', ')}` : ''
  return createError('SE_NOT_UNIQUE', `${reference} has ${secrets.length} answers: ${shown.join(', ')}${others}`, {
    hint: 'write one id, or choose: options plugin, and policy first or newest',
    details: { reference, answers, plugins, count: secrets.length },
  })
}

function nothing(reference: string, outcomes: readonly PluginOutcome[]): SecretsError {
  const asked = outcomes.filter(({ status }) => !status.startsWith('not asked'))
  const { pattern } = parseReference(reference)
  const disabled = outcomes
    .filter((outcome) => outcome.status === 'not asked: disabled' && parsePattern(outcome.pattern).overlaps(pattern))
    .map(({ plugin }) => plugin)
  const [one] = disabled
  const are = disabled.length === 1 ? 'is' : 'are'
  const hint = one === undefined ? undefined : `${disabled.join(', ')} ${are} disabled: se plugins enable ${one}`
  if (asked.length > 0) {
    return createError('SE_NOT_FOUND', `no secret is found for ${reference}`, {
      hint,
      details: { reference, plugins: asked.map(({ plugin }) => plugin), ...(one && { disabled }) },
    })
  }
  return createError('SE_NO_PLUGIN', `no plugin answers for ${reference}`, { hint, details: { reference, disabled } })
}
