/** `se redact`. */
import { planLaunch } from '../../deliver/launch.js'
import { collectMaskValues } from '../../deliver/mask.js'
import { CODES } from '../../errors/codes.js'
import { createError } from '../../errors/secrets-error.js'
import { redactDescriptor } from '../../native/mask.js'
import { writeSecret } from '../../native/process.js'
import { resolveAll } from '../../resolve.js'
import type { Command, Context } from '../command.js'
import { ENV_FLAGS, launchOptions, launchRequest } from '../env-flags.js'
import { printError, printProblem } from '../report.js'
import { UsageError } from '../usage-error.js'

const STDIN = 0

/** Filters standard input. */
export const command: Command = {
  name: 'redact',
  summary: 'replace secrets in a stream',
  usage: ['[--pattern REF]… [-f FILE]… [-e NAME=REF]… [--env-from REF]… [--github]'],
  description: [
    'Copies standard input to standard output, with [se://ID] in place of each value. A value is found as it is, escaped ' +
      'for JSON, a shell or a URL, in base64 and hexadecimal digits, line by line, and where colours change inside.',
    'What is masked are the secrets that se run would give to a command here: those of the environment, of env files and ' +
      'of -e. With --pattern, everything that it matches is masked, and nothing that only the environment refers to.',
    'A value of fewer than 5 bytes is not masked, nor a word or a number of fewer than 8, nor one of more than 1 MiB; a ' +
      'warning names them. Where a secret cannot be read, nothing is copied.',
    'With --github, standard output begins with an ::add-mask:: line for each value, and for each line of one: there the ' +
      'values stand in plain text, for the runner of GitHub Actions, which hides these lines.',
  ],
  flags: [
    {
      name: 'pattern',
      value: 'REF',
      repeat: true,
      summary: "mask everything that REF matches, such as --pattern 'se://app/prod/**'",
    },
    ...ENV_FLAGS,
    { name: 'github', summary: 'have GitHub’s runner mask the values too, from here on' },
  ],
  positionals: [],
  examples: [
    { note: 'a program’s output', command: 'npm test 2>&1 | se redact -f .env' },
    { note: 'a log that others may read', command: "se redact --pattern 'se://**' < build.log > shared.log" },
    { note: 'in a step of GitHub Actions', command: "./deploy 2>&1 | se redact --pattern 'se://prod/**' --github" },
  ],
  async run(context) {
    const { flags, stdout, stderr } = context
    const { references, status } = referencesOf(context)
    if (status !== undefined) return status
    const { open, strict, onFailure } = launchOptions(context)
    const { engine, timeoutMs } = await open()
    const secrets = await resolveAll(references, { engine, timeoutMs, strict, onFailure }).finally(() => engine.close())
    if (secrets.length === 0) throw nothingFound(references)
    const values = collectMaskValues(secrets)
    for (const secret of secrets) secret.dispose()
    if (flags.has('github')) {
      const masks = values.githubMasks()
      await writeSecret(stdout.fd, masks)
      masks.dispose()
    }
    const mask = values.prepare()
    const warning = mask.warning()
    if (warning !== null) printProblem(stderr, warning.message, warning.hint)
    await redactDescriptor(mask, STDIN, stdout.fd)
    return 0
  },
}

/** The references, each once; or the exit status, when something is wrong with them. */
function referencesOf(context: Context): { references: string[]; status?: number } {
  const { flags, stderr } = context
  const patterns = flags.values('pattern')
  const wrong = patterns.findIndex((reference) => !reference.startsWith('se://'))
  if (wrong !== -1) {
    throw new UsageError(`--pattern number ${wrong + 1}: REF begins with se://`, "such as --pattern 'se://app/prod/**'")
  }
  const plan = planLaunch({ ...launchRequest(context), words: 0 })
  for (const problem of plan.problems) printError(stderr, problem)
  const [first] = plan.problems
  if (first !== undefined) return { references: [], status: CODES[first.code].exit }
  const variables = plan.variables.filter(({ source }) => patterns.length === 0 || source !== 'the environment')
  const references = new Set([...patterns, ...[...variables, ...plan.groups].map(({ reference }) => reference)])
  if (references.size === 0) {
    throw new UsageError(
      'there is nothing to mask: no variable holds a reference',
      "add --pattern 'se://**', or -f FILE",
    )
  }
  return { references: [...references] }
}

function nothingFound(references: readonly string[]): Error {
  const message = `no secret matches ${references.length === 1 ? references[0] : `any of ${references.length} references`}`
  return createError('SE_NOT_FOUND', message, { hint: 'nothing would be masked; se ls shows what is kept' })
}
