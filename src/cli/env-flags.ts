// The flags that `run` and `env` share: where references come from, and how they are resolved.
import { isPrefix } from '../deliver/group-name.js'
import type { Group } from '../deliver/groups.js'
import type { LaunchOptions, LaunchRequest } from '../deliver/launch.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import type { Context, Flag } from './command.js'
import { NO_DAEMON_FLAG } from './flags.js'
import { printError } from './report.js'

/** The flags. */
export const ENV_FLAGS: readonly Flag[] = [
  {
    name: 'env-file',
    short: 'f',
    value: 'FILE',
    repeat: true,
    summary: 'read variables from FILE; they win over the environment, later files over earlier ones',
    complete: 'file',
  },
  {
    name: 'env',
    short: 'e',
    value: 'NAME=REF',
    repeat: true,
    summary: 'set the variable NAME to the secret REF, such as -e TOKEN=se://github/token',
  },
  {
    name: 'env-from',
    value: 'REF',
    repeat: true,
    summary: "set a variable for each secret that REF names, such as --env-from 'se://app/prod/**'",
  },
  {
    name: 'prefix',
    value: 'PREFIX',
    needs: ['env-from'],
    summary: 'what the names of variables from --env-from begin with, such as APP_',
  },
  { name: 'override', summary: 'let groups replace variables that are set, but for those of -e' },
  { name: 'strict', summary: 'refuse when any plugin fails, though others answered' },
  NO_DAEMON_FLAG,
]

/** What the flags ask for. */
export function launchRequest({ flags, rest }: Pick<Context, 'flags' | 'rest'>): LaunchRequest {
  const problems: SecretsError[] = []
  const assignments = flags.values('env').flatMap((text, index) => {
    const [name = '', ...others] = text.split('=')
    const reference = others.join('=')
    const problem = problemOf(name, reference)
    if (problem === undefined) return [{ name, reference }]
    const where = isNameToShow(name, reference) ? `-e ${name}` : `-e number ${index + 1}`
    problems.push(createError('SE_INVALID_OPTION', `${where}: ${problem.message}`, { hint: problem.hint }))
    return []
  })
  return {
    words: rest.length,
    envFiles: flags.values('env-file'),
    assignments,
    groups: groupsOf(flags, problems),
    override: flags.has('override'),
    problems,
  }
}

function groupsOf(flags: Context['flags'], problems: SecretsError[]): Group[] {
  const prefix = flags.value('prefix')
  if (prefix !== undefined && !isPrefix(prefix)) {
    const hint = 'a prefix has letters, digits and _, and begins with no digit'
    problems.push(createError('SE_INVALID_OPTION', '--prefix is not what a name may begin with', { hint }))
    return []
  }
  return flags.values('env-from').flatMap((reference, index) => {
    if (reference.startsWith('se://')) return [{ reference, prefix, source: '--env-from' }]
    const hint = "such as --env-from 'se://app/prod/**'"
    problems.push(createError('SE_INVALID_OPTION', `--env-from number ${index + 1}: REF begins with se://`, { hint }))
    return []
  })
}

function problemOf(name: string, reference: string): { message: string; hint: string } | undefined {
  if (name === '' || reference === '') {
    return { message: 'NAME=REF is wanted', hint: 'such as -e TOKEN=se://github/token' }
  }
  if (!reference.startsWith('se://')) {
    const plain = 'a plain value goes before the command: NAME=value se run -- …'
    const hint = /^\s*se:/i.test(reference) ? 'in small letters, with two slashes and nothing before it' : plain
    return { message: 'REF begins with se://', hint }
  }
  return /^SE_.*PASSPHRASE/.test(name)
    ? { message: 'SE_*PASSPHRASE* variables cannot be set', hint: 'they never reach a command' }
    : undefined
}

/** Whether a name is one: a value in its place, perhaps one that ends with `=`, is not shown. */
export function isNameToShow(name: string, reference: string): boolean {
  return /^=*$/.test(reference) ? /^[A-Z_]{1,24}$/.test(name) : /^[a-z_][a-z0-9_]*$/i.test(name)
}

/** How it is resolved: a plugin's failure beside answers is a line on standard error. */
export function launchOptions(context: Pick<Context, 'flags' | 'stderr' | 'env'>): LaunchOptions {
  return {
    open: async () => (await import('./open-engine.js')).openCliEngine(context),
    strict: context.flags.has('strict'),
    onFailure: (failure) => printError(context.stderr, failure),
  }
}
