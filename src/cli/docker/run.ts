/** `docker pass run`: as `se run`, with Docker's words for what is wrong. */
import { planLaunch, resolveLaunch } from '../../deliver/launch.js'
import { SecretsError } from '../../errors/secrets-error.js'
import { unwrap } from '../../native/outcome.js'
import type { Command } from '../command.js'
import { command as seRun } from '../commands/run.js'
import { launchOptions, launchRequest } from '../env-flags.js'
import { DockerUsageError } from './arguments.js'
import { printDockerError } from './errors.js'

/** Becomes a command, with its references resolved. */
export const command: Command = {
  ...seRun,
  summary: 'Run a command with its secrets',
  description: [
    'Every variable whose value is se://ID is replaced by the secret of that ID. Flags of the command go after --.',
  ],
  flags: seRun.flags.filter(({ name }) => name !== 'dry-run' && name !== 'file'),
  examples: [],
  async run(context) {
    const { rest, restIndex, stderr } = context
    if (restIndex + rest.length !== process.argv.length) {
      throw new DockerUsageError('flags of docker pass run go before the command: docker pass run [FLAGS] -- COMMAND')
    }
    const plan = planLaunch({ ...launchRequest(context), files: [] })
    const problems = await resolveLaunch(plan, {
      ...launchOptions(context),
      onFailure: (failure) => printDockerError(stderr, failure),
    })
    for (const problem of problems) {
      const variable = plan.variables.find(({ name }) => name === problem.details['variable'])
      if (variable === undefined) printDockerError(stderr, problem)
      else {
        const message = problem.message.replace(`${variable.name}: `, '')
        printDockerError(stderr, restated(problem, message, variable.reference), `resolving ${variable.name}: `)
      }
    }
    if (problems.length > 0) return 1
    try {
      if (process.platform === 'win32') return unwrap(plan.launch.spawn())
      unwrap(plan.launch.exec())
      return 1
    } catch (error) {
      return notStarted(error, rest[0] ?? '', (text) => stderr.write(`starting child: ${text}\n`))
    }
  },
}

function restated({ code, hint, details }: SecretsError, message: string, reference: string): SecretsError {
  return new SecretsError(code, message, { hint, details: { ...details, reference } })
}

/** Docker's own ends with 1 here; every shell, and se, tells these two apart. */
function notStarted(error: unknown, name: string, say: (text: string) => void): number {
  if (!SecretsError.is(error)) throw error
  if (error.code === 'SE_COMMAND_NOT_FOUND') {
    say(`exec: ${JSON.stringify(name)}: executable file not found in $PATH`)
    return 127
  }
  say(error.message)
  return error.code === 'SE_COMMAND_NOT_EXECUTABLE' ? 126 : 1
}
