// The flags that `run` and `env` share: where references come from, and how they are resolved.
import type { LaunchOptions, LaunchRequest } from '../deliver/launch.js'
import type { Context, Flag } from './command.js'
import { printError } from './report.js'
import { UsageError } from './usage-error.js'

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
  { name: 'strict', summary: 'refuse when any plugin fails, though others answered' },
  { name: 'no-daemon', summary: 'resolve in this process, which this release always does: it has no daemon yet' },
]

/** What the flags ask for. */
export function launchRequest({ flags, rest }: Pick<Context, 'flags' | 'rest'>): LaunchRequest {
  const assignments = flags.values('env').map((text) => {
    const equals = text.indexOf('=')
    const name = text.slice(0, Math.max(equals, 0))
    const reference = text.slice(equals + 1)
    if (name === '' || !reference.startsWith('se://')) {
      throw new UsageError(
        '--env takes NAME=REF, and REF begins with se://',
        'a plain value goes before the command: NAME=value se run -- …',
      )
    }
    if (/^SE_.*PASSPHRASE/.test(name)) {
      throw new UsageError('--env cannot set SE_*PASSPHRASE variables', 'they never reach a command')
    }
    return { name, reference }
  })
  return { words: rest.length, envFiles: flags.values('env-file'), assignments }
}

/** How it is resolved: a plugin's failure beside answers is a line on standard error. */
export function launchOptions(context: Pick<Context, 'flags' | 'stderr' | 'env'>): LaunchOptions {
  return {
    open: async () => (await import('./open-engine.js')).openCliEngine(context),
    strict: context.flags.has('strict'),
    onFailure: (failure) => printError(context.stderr, failure),
  }
}
