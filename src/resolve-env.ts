import { checkOptions, checkString, wrongArgument } from './argument.js'
import { isPrefix } from './deliver/group-name.js'
import { type Group, nameKey } from './deliver/groups.js'
import { deliverVariables, type EnvProblem } from './deliver/variables.js'
import { createError, type SecretsError } from './errors/secrets-error.js'
import { RESOLVE_OPTIONS, type ResolveOptions } from './resolve.js'

/** How to resolve an environment. */
export interface ResolveEnvOptions extends ResolveOptions {
  /**
   * References of groups, such as `se://app/prod/**`: each sets one variable for every secret that it names. The variable
   * is named after what the wildcards match, in upper case, with `_` for everything but letters and digits:
   * `app/prod/db/password` is `DB_PASSWORD`. Where they match nothing, after the id's last component.
   */
  readonly from?: string | readonly string[] | undefined
  /** What stands before the names of variables of `from`, such as `APP_`: letters, digits and `_`, no digit first. */
  readonly prefix?: string | undefined
  /** Whether variables of `from` replace those of `env`. Default false: the same name is a problem. */
  readonly override?: boolean | undefined
}

/**
 * Replaces every variable whose whole value is a reference, that is, begins with `se://`, and adds the variables of the
 * groups in `from`, in one batch. The others are passed on as they are.
 * @param env - Such as `process.env`. It is not changed; variables that are undefined are left out.
 * @returns a new record. Its values are strings, which cannot be wiped.
 * @throws `PluginError` `SE_UNRESOLVED` when some cannot be resolved: `details.problems` lists each with its name,
 *   reference and code; `cause` is an `AggregateError` of all. Beside the codes of `resolve` these are
 *   `SE_VALUE_HAS_NUL`, `SE_NOT_TEXT`, and `SE_UNSUPPORTED` for a variable such as `PASSWORD_FILE`, which means a file.
 *   Of groups: `SE_NOT_FOUND` for one without secrets (it has no name then), and `SE_INVALID_ENV` for a name that several
 *   secrets have, that begins with a digit, that is one of ours (`SE_*PASSPHRASE*`) or that `env` has without `override`.
 */
export async function resolveEnv(
  env: Readonly<Record<string, string | undefined>>,
  options: ResolveEnvOptions = {},
): Promise<Record<string, string>> {
  checkOptions(options, [...RESOLVE_OPTIONS, 'from', 'prefix', 'override'])
  const { from, prefix, override = false, ...others } = options
  const defined = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  for (const [name, value] of defined) checkString(name, value)
  const resolved = Object.fromEntries(defined)
  const variables = defined
    .filter(([, value]) => value.startsWith('se://'))
    .map(([name, reference]) => ({ name, reference }))
  const groups = groupsOf(from, prefix)
  if (variables.length === 0 && groups.length === 0) return resolved
  const names = new Map(defined.map(([name]) => [nameKey(name), name]))
  const given = {
    source: (name: string) => (names.has(nameKey(name)) ? '`env`' : undefined),
    stays: () => false,
    override,
  }
  const problems = await deliverVariables({ variables, groups, given }, others, {
    bind({ name }, secret) {
      resolved[name] = variable(name, secret.text())
    },
    set(name, secret) {
      const value = variable(name, secret.text())
      const before = names.get(nameKey(name)) ?? name
      if (before !== name) delete resolved[before]
      resolved[name] = value
    },
  })
  if (problems.length > 0) throw unresolved(problems)
  return resolved
}

function groupsOf(from: ResolveEnvOptions['from'] = [], prefix: string | undefined): Group[] {
  const references = typeof from === 'string' ? [from] : from
  if (!Array.isArray(references)) throw wrongArgument('from', 'a string or an array', references)
  for (const reference of references) checkString('from', reference)
  checkString('prefix', prefix)
  if (prefix !== undefined && !isPrefix(prefix)) {
    throw createError('SE_INVALID_OPTION', 'prefix is not what the name of a variable may begin with', {
      hint: 'it has letters, digits and _, and begins with no digit',
      details: { option: 'prefix' },
    })
  }
  return references.map((reference: string) => ({ reference, prefix, source: 'from' }))
}

function variable(name: string, value: string): string {
  if (!value.includes('\0')) return value
  throw createError('SE_VALUE_HAS_NUL', `the value for ${name} holds a zero byte, which a variable cannot carry`, {
    details: { name },
  })
}

/** One error for everything that could not be resolved. */
function unresolved(problems: readonly EnvProblem[]): SecretsError {
  const lines = problems.map(({ name, error }) => `\n  ${named(name, error.message)}`).join('')
  const what = problems.every(({ name }) => name !== undefined) ? 'variable' : 'reference'
  const count = problems.length === 1 ? `one ${what}` : `${problems.length} ${what}s`
  return createError('SE_UNRESOLVED', `${count} could not be resolved:${lines}`, {
    hint: problems.find(({ error }) => error.hint !== undefined)?.error.hint,
    details: {
      problems: problems.map(({ name, reference, error }) => ({
        ...(name !== undefined && { name }),
        reference,
        code: error.code,
        message: error.message,
        hint: error.hint,
      })),
    },
    cause: new AggregateError(
      problems.map(({ error }) => error),
      'each has its own reason',
    ),
  })
}

function named(name: string | undefined, message: string): string {
  return name === undefined || message.startsWith(name) ? message : `${name}: ${message}`
}
