// Variables whose value is a reference: resolved in one batch, every problem collected.
import { createError, SecretsError } from '../errors/secrets-error.js'
import { parseReference } from '../reference.js'
import { type ResolveOptions, resolveEach } from '../resolve.js'
import type { Secret } from '../secret.js'

/** A variable whose value is a reference. */
export interface ReferringVariable {
  /** The name of the variable. */
  readonly name: string
  /** Its reference. */
  readonly reference: string
}

/** One variable that could not be resolved. */
export interface EnvProblem extends ReferringVariable {
  /** Why. */
  readonly error: SecretsError
}

/**
 * Resolves variables in one batch, and lets `deliver` have each secret. The secrets are disposed in the end. What
 * `deliver` throws is that variable's problem.
 * @returns the problems, in the order of the variables.
 * @throws what concerns all of them, such as `SE_ABORTED`.
 */
export async function deliverVariables<V extends ReferringVariable>(
  variables: readonly V[],
  options: ResolveOptions,
  deliver: (variable: V, secret: Secret) => void,
): Promise<EnvProblem[]> {
  const problems: EnvProblem[] = []
  const wanted = variables.filter((variable) => !variable.name.endsWith('_FILE'))
  const answers = await resolveEach(
    wanted.map(({ reference }) => reference),
    options,
  )
  try {
    for (const variable of variables) {
      const { name, reference } = variable
      const answer = answers.get(reference)
      try {
        if (name.endsWith('_FILE')) throw fileDelivery(name, reference)
        if (SecretsError.is(answer)) throw answer
        deliver(variable, answer as Secret)
      } catch (error) {
        if (!SecretsError.is(error)) throw error
        problems.push({ name, reference, error })
      }
    }
  } finally {
    for (const answer of answers.values()) if (!SecretsError.is(answer)) answer.dispose()
  }
  return problems
}

/** What is wrong with a variable, as far as that is known without asking anybody. */
export function foreseeProblem({ name, reference }: ReferringVariable): SecretsError | undefined {
  if (name.endsWith('_FILE')) return fileDelivery(name, reference)
  try {
    parseReference(reference)
    return undefined
  } catch (error) {
    if (SecretsError.is(error)) return error
    throw error
  }
}

/** A program reads `DB_PASSWORD_FILE` as the path of a file, so a value in it would be both wrong and exposed. */
function fileDelivery(name: string, reference: string): SecretsError {
  return createError('SE_UNSUPPORTED', `${name} means a file with the secret in it, and files are not delivered yet`, {
    hint: `write the file with se get --output FILE, or set ${name.slice(0, -'_FILE'.length)}=${reference}`,
    details: { name, reference },
  })
}
