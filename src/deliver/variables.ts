// Variables whose value is a reference, and groups: resolved in one batch, every problem collected.
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { FileOptions } from '../native/process.js'
import { parseReference } from '../reference.js'
import { type ResolveOptions, resolveBatch } from '../resolve.js'
import type { Secret } from '../secret.js'
import { type Given, type Group, type GroupProblem, nameKey, nameVariables } from './groups.js'

/** A variable whose value is a reference. */
export interface ReferringVariable {
  /** The name of the variable. */
  readonly name: string
  /** Its reference. */
  readonly reference: string
  /** Set for a variable that names a file with the secret in it. */
  readonly file?: FileOptions
}

/** Everything that is resolved for an environment. */
export interface Wanted<V extends ReferringVariable> {
  /** Variables, each for one secret. */
  readonly variables: readonly V[]
  /** Groups, each for all secrets that it names. */
  readonly groups: readonly Group[]
  /** What the groups' variables may not, or may, replace. */
  readonly given: Given
}

/** Where the secrets go. What these throw is the variable's problem. */
export interface Delivery<V extends ReferringVariable> {
  /** Gives a variable that is there its value. */
  bind(variable: V, secret: Secret): void
  /** Gives a variable a file with its value. Called for variables with {@link ReferringVariable.file}. */
  bindFile?(variable: V, file: FileOptions, secret: Secret): void
  /** Sets a variable of a group. Called when all others are bound. */
  set(name: string, secret: Secret): void
}

/** Something that could not be resolved: a variable, or a group as a whole. */
export type EnvProblem = GroupProblem

/**
 * Resolves variables and groups in one batch, and delivers each secret. The secrets are disposed in the end.
 * @returns the problems, in the order of the variables, then of the groups.
 * @throws what concerns all of them, such as `SE_ABORTED`.
 */
export async function deliverVariables<V extends ReferringVariable>(
  { variables, groups, given }: Wanted<V>,
  options: ResolveOptions,
  delivery: Delivery<V>,
): Promise<EnvProblem[]> {
  const problems: EnvProblem[] = []
  const collect = ({ name, reference }: ReferringVariable, deliver: () => void): void => {
    try {
      deliver()
    } catch (error) {
      if (!SecretsError.is(error)) throw error
      problems.push({ name, reference, error })
    }
  }
  const wanted = variables.filter((variable) => !isRefused(variable))
  const { each, all } = await resolveBatch(
    wanted.map(({ reference }) => reference),
    groups.map(({ reference }) => reference),
    options,
  )
  try {
    const ofGroups = nameVariables(groups, ({ reference }) => all.get(reference) ?? [], given)
    const replaced = new Set(ofGroups.variables.map(({ name }) => nameKey(name)))
    for (const variable of variables) {
      const { name, reference } = variable
      if (replaced.has(nameKey(name))) continue
      const answer = each.get(reference)
      collect(variable, () => {
        if (isRefused(variable)) throw noFile(name, reference)
        if (SecretsError.is(answer)) throw answer
        if (variable.file === undefined) delivery.bind(variable, answer as Secret)
        else delivery.bindFile?.(variable, variable.file, answer as Secret)
      })
    }
    problems.push(...ofGroups.problems)
    for (const variable of ofGroups.variables) collect(variable, () => delivery.set(variable.name, variable.secret))
  } finally {
    for (const answer of [...each.values(), ...[...all.values()].flat()]) if (!SecretsError.is(answer)) answer.dispose()
  }
  return problems
}

/** What is wrong with a variable, as far as that is known without asking anybody. */
export function foreseeProblem(variable: ReferringVariable): SecretsError | undefined {
  const { name, reference } = variable
  if (isRefused(variable)) return noFile(name, reference)
  try {
    parseReference(reference)
    return undefined
  } catch (error) {
    if (SecretsError.is(error)) return error
    throw error
  }
}

/** A program reads `DB_PASSWORD_FILE` as the path of a file, so a value in it would be both wrong and exposed. */
function isRefused({ name, file }: ReferringVariable): boolean {
  return name.endsWith('_FILE') && file === undefined
}

function noFile(name: string, reference: string): SecretsError {
  const plain = name.slice(0, -'_FILE'.length)
  return createError(
    'SE_UNSUPPORTED',
    `${name} means a file with the secret in it, and only a command can be given one`,
    {
      hint: `start the program with se run, which makes the file${plain === '' ? '' : `, or set ${plain}=${reference}`}`,
      details: { name, reference },
    },
  )
}
