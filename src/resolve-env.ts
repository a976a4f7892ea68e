import { createError, SecretsError } from './errors/secrets-error.js'
import { type ResolveOptions, resolveEach } from './resolve.js'

/** One variable that could not be resolved. */
export interface EnvProblem {
  /** The name of the variable. */
  readonly name: string
  /** Its reference. */
  readonly reference: string
  /** Why. */
  readonly error: SecretsError
}

/**
 * Replaces every variable whose whole value is a reference, that is, begins with `se://`, in one batch. The others are
 * passed on as they are.
 * @param env - Such as `process.env`. It is not changed; variables that are undefined are left out.
 * @returns a new record. Its values are strings, which cannot be wiped.
 * @throws `PluginError` `SE_UNRESOLVED` when some cannot be resolved: `details.problems` lists each with its name,
 *   reference and code; `cause` is an `AggregateError` of all; `InvalidInputError` `SE_VALUE_HAS_NUL`.
 */
export async function resolveEnv(
  env: Readonly<Record<string, string | undefined>>,
  options: ResolveOptions = {},
): Promise<Record<string, string>> {
  const resolved: Record<string, string> = {}
  const references: [name: string, reference: string][] = []
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue
    resolved[name] = value
    if (value.startsWith('se://')) references.push([name, value])
  }
  if (references.length === 0) return resolved
  const answers = await resolveEach(
    references.map(([, reference]) => reference),
    options,
  )
  const problems: EnvProblem[] = []
  try {
    for (const [name, reference] of references) {
      const answer = answers.get(reference) as Exclude<ReturnType<typeof answers.get>, undefined>
      try {
        if (SecretsError.is(answer)) throw answer
        resolved[name] = variable(name, answer.text())
      } catch (error) {
        if (!SecretsError.is(error)) throw error
        problems.push({ name, reference, error })
      }
    }
  } finally {
    for (const answer of answers.values()) if (!SecretsError.is(answer)) answer.dispose()
  }
  if (problems.length > 0) throw unresolved(problems)
  return resolved
}

function variable(name: string, value: string): string {
  if (!value.includes('\0')) return value
  throw createError('SE_VALUE_HAS_NUL', `the value for ${name} holds a zero byte, which a variable cannot carry`, {
    details: { name },
  })
}

/** One error for all variables that could not be resolved. */
export function unresolved(problems: readonly EnvProblem[]): SecretsError {
  const lines = problems.map(({ name, error }) => `\n  ${name}: ${error.message}`).join('')
  const count = problems.length === 1 ? 'one variable' : `${problems.length} variables`
  return createError('SE_UNRESOLVED', `${count} could not be resolved:${lines}`, {
    hint: problems.find(({ error }) => error.hint !== undefined)?.error.hint,
    details: {
      problems: problems.map(({ name, reference, error }) => ({
        name,
        reference,
        code: error.code,
        message: error.message,
        hint: error.hint,
      })),
    },
    cause: new AggregateError(
      problems.map(({ error }) => error),
      'each variable has its own reason',
    ),
  })
}
