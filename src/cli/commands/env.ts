/** `se env`. */
import { planLaunch, resolveLaunch } from '../../deliver/launch.js'
import { CODES } from '../../errors/codes.js'
import { unwrap } from '../../native/outcome.js'
import { writeSecret } from '../../native/process.js'
import type { Command } from '../command.js'
import { ENV_FLAGS, launchOptions, launchRequest } from '../env-flags.js'
import { printError } from '../report.js'
import { UsageError } from '../usage-error.js'

const FORMATS = ['shell', 'json', 'dotenv'] as const

/** Prints variables with their secrets. */
export const command: Command = {
  name: 'env',
  summary: 'print variables with their secrets, for eval and direnv',
  usage: ['[--format FORMAT] [-f FILE]… [-e NAME=REF]… [--env-from REF]… [--force] [FLAGS]'],
  description: [
    'Prints what differs from the environment that se was started with: the variables of env files, of -e and of ' +
      'groups (--env-from, as for se run), and those of the environment that hold a reference. The values are secrets in plain text: on a terminal, --force is needed.',
    'When anything is wrong, nothing is printed, and the exit status is that of the first problem. eval of nothing ' +
      'succeeds, so that `eval "$(se env)"` would go on; with `|| echo false` it fails as well, and with `|| echo exit 1` ' +
      'in direnv, which passes over what fails.',
    'Where a command can be started directly, se run is safer: nothing is printed then.',
  ],
  flags: [
    ...ENV_FLAGS,
    { name: 'format', value: 'FORMAT', choices: FORMATS, summary: 'shell (the default), json or dotenv' },
    { name: 'force', summary: 'print to a terminal as well' },
  ],
  positionals: [],
  examples: [
    { note: 'into this shell', command: 'eval "$(se env -f .env || echo false)"' },
    { note: 'in .envrc, for direnv', command: 'eval "$(se env -e GH_TOKEN=se://github/token || echo exit 1)"' },
    { note: 'for a program', command: 'se env -f .env --format json | jq -r .DB_PASSWORD' },
  ],
  async run(context) {
    const { flags, stdout, stderr } = context
    if (stdout.isTerminal && !flags.has('force')) {
      throw new UsageError('secrets are not printed on a terminal', 'use se run, or add --force')
    }
    const plan = planLaunch({ ...launchRequest(context), words: 0 })
    const problems = await resolveLaunch(plan, launchOptions(context))
    const [first] = problems
    if (first !== undefined) {
      for (const problem of problems) printError(stderr, problem)
      return CODES[first.code].exit
    }
    const format = FORMATS.find((name) => name === flags.value('format')) ?? 'shell'
    const text = unwrap(plan.launch.render(format))
    await writeSecret(stdout.fd, text)
    text.dispose()
    return 0
  },
}
