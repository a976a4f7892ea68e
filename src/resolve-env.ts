import { checkString } from './argument.js'
import { deliverVariables, type EnvProblem } from './deliver/variables.js'
import { createError, type SecretsError } from './errors/secrets-error.js'
import type { ResolveOptions } from './resolve.js'

/**
 * Replaces every variable whose whole value is a reference, that is, begins with `se://`, in one batch. The others are
 * passed on as they are.
 * @param env - Such as `process.env`. It is not changed; variables that are undefined are left out.
 * @returns a new record. Its values are strings, which cannot be wiped.
 * @throws `PluginError` `SE_UNRESOLVED` when some cannot be resolved: `details.problems` lists each with its name,
 *   reference and code; `cause` is an `AggregateError` of all. Beside the codes of `resolve` these are
 *   `SE_VALUE_HAS_NUL`, `SE_NOT_TEXT`, and `SE_UNSUPPORTED` for a variable such as `PASSWORD_FILE`, which means a file.
 */
export async function resolveEnv(
  env: Readonly<Record<string, string | undefined>>,
  options: ResolveOptions = {},
): Promise<Record<string, string>> {
  const defined = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  for (const [name, value] of defined) checkString(name, value)
  const resolved = Object.fromEntries(defined)
  const references = defined
    .filter(([, value]) => value.startsWith('se://'))
    .map(([name, reference]) => ({ name, reference }))
  if (references.length === 0) return resolved
  const problems = await deliverVariables(references, options, ({ name }, secret) => {
    resolved[name] = variable(name, secret.text())
  })
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
function unresolved(problems: readonly EnvProblem[]): SecretsError {
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
