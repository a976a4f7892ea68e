/** `se run`. */
import { foreseeProblems, type LaunchPlan, planLaunch, resolveLaunch } from '../../deliver/launch.js'
import { createError, SecretsError } from '../../errors/secrets-error.js'
import { launcherPath } from '../../native/launcher.js'
import { unwrap } from '../../native/outcome.js'
import type { Command, Context } from '../command.js'
import { ENV_FLAGS, launchOptions, launchRequest } from '../env-flags.js'
import { FILE_FLAG, fileFlags, shownFile } from '../file-flags.js'
import { printError, report } from '../report.js'

const MASKS = ['auto', 'always', 'never'] as const

/** The exit statuses that every shell uses when it cannot start a command. */
const NOT_EXECUTABLE = 126
const NOT_FOUND = 127
const FAILED = 125

/** Becomes a command, with its references resolved. */
export const command: Command = {
  name: 'run',
  summary: 'start a command with its secrets',
  usage: ['[-f FILE]… [-e NAME=REF]… [--env-from REF]… [--file NAME=REF]… [FLAGS] -- COMMAND…'],
  description: [
    'Every variable whose value begins with se:// is replaced by the secret that it names; everything else stays as it is.',
    'A pattern, such as se://**/db/password, serves where exactly one secret matches.',
    'With --env-from, every secret that REF names sets a variable, named after what the wildcards match: of ' +
      'se://app/prod/** the secret app/prod/db/password is DB_PASSWORD. Where they match nothing, the name is the last ' +
      'component. Names that two secrets have, that begin with a digit or end with _FILE, or that are set already, are ' +
      'refused; --override lets groups replace what is set, but for -e.',
    'With --file, the variable NAME is the path of a file with the secret in it, as is a variable NAME_FILE whose value ' +
      'begins with se://. The file is in memory and has no name of its own: it can be read many times, also by programs ' +
      'that the command starts, and is gone with the command. With path=/… it is at that path, which must be in memory ' +
      'too (/run, /dev/shm), until the command ends, and se stays as the command’s parent. mode=0440 and ' +
      'owner=USER:GROUP say who else may read it.',
    'se then becomes the command: same process, same terminal, same descriptors, and nothing of se stays behind.',
    'With --mask, the command runs on a terminal of its own, or with pipes of its own, and every value that was resolved ' +
      'is shown as [se://ID]; se stays as its parent, and otherwise nothing is different.',
    'When anything is wrong, all of it is listed, nothing is started, and the exit status is 125; it is 126 when the ' +
      'command cannot be executed and 127 when there is none, else the command’s own.',
  ],
  flags: [
    ...ENV_FLAGS,
    FILE_FLAG,
    {
      name: 'mask',
      value: 'WHEN',
      bare: 'auto',
      choices: MASKS,
      summary:
        'mask the secrets in what the command writes: auto (what --mask alone means: terminals, and pipes and files where ' +
        'CI is set), always (all of its output) or never (the default)',
    },
    { name: 'dry-run', summary: 'show what would be resolved, and what is wrong already; start nothing, ask no store' },
  ],
  positionals: [],
  rest: { name: 'COMMAND' },
  examples: [
    { note: 'a reference in the environment', command: 'DB_PASSWORD=se://shop/db/password se run -- npm start' },
    { note: 'a project’s env file', command: 'se run -f .env -- docker compose up' },
    { note: 'one variable, for once', command: 'se run -e GH_TOKEN=se://github/token -- gh pr list' },
    { note: 'all secrets of a project', command: "se run --env-from 'se://shop/prod/**' -- npm start" },
    { note: 'a key as a file', command: 'se run --file TLS_KEY=se://tls/key -- node server.js' },
    { note: 'no secret on the screen, nor in a recording', command: 'se run --mask -f .env -- npm start' },
    { note: 'what would happen', command: 'se run -f .env --dry-run -- npm start' },
  ],
  failureStatus: FAILED,
  async run(context) {
    const asked = MASKS.find((when) => when === context.flags.value('mask')) ?? 'never'
    const mask = asked === 'never' ? undefined : asked
    if (mask !== undefined && process.platform === 'win32') throw maskUnsupported()
    const request = launchRequest(context)
    const { files, problems } = fileFlags(context, request.assignments)
    const plan = planLaunch({ ...request, files, problems: [...request.problems, ...problems] })
    const isDry = context.flags.has('dry-run')
    if (isDry) for (const line of await describe(plan)) context.stdout.write(line)
    const options = { ...launchOptions(context), mask: mask !== undefined }
    const refused = refuse(await (isDry ? foreseeProblems(plan) : resolveLaunch(plan, options)), context)
    if (refused !== undefined) return refused
    try {
      if (isDry) return check(plan)
      if (process.platform === 'win32') return unwrap(plan.launch.spawn())
      const hasParent = mask !== undefined || plan.variables.some(({ file }) => file?.path !== undefined)
      unwrap(hasParent ? plan.launch.supervise(launcherPath(), mask) : plan.launch.exec())
      return FAILED
    } catch (error) {
      report(error, context.stderr, command)
      return SecretsError.is(error) ? statusOf(error) : FAILED
    }
  },
}

function maskUnsupported(): SecretsError {
  const hint = 'se run -- COMMAND | se redact masks what goes through a pipe'
  return createError('SE_UNSUPPORTED', '--mask needs a terminal of its own for the command, which Windows has not', {
    hint,
  })
}

async function describe({ variables, groups }: LaunchPlan): Promise<string[]> {
  const { shownName } = await import('../../deliver/groups.js')
  const single = variables.map(({ source, file, ...variable }) => ({
    ...variable,
    source: file === undefined ? source : `${source}, ${shownFile(file)}`,
  }))
  const all = [...single, ...groups.map((group) => ({ ...group, name: shownName(group) }))]
  return all.map(({ name, reference, source }) => `${name}=${reference} (${source})\n`)
}

/** Looks for the command, where its PATH is known before anything is resolved. */
function check({ launch, variables, groups, given }: LaunchPlan): number {
  const mayCome = groups.length > 0 && (given.override || !launch.has('PATH'))
  if (!mayCome && !variables.some(({ name }) => name === 'PATH')) unwrap(launch.check())
  return 0
}

/** Prints every problem. Nothing when there is none. */
function refuse(problems: readonly SecretsError[], { stderr }: Context): number | undefined {
  if (problems.length === 0) return undefined
  for (const problem of problems) printError(stderr, problem)
  stderr.write(`${problems.length === 1 ? '1 problem' : `${problems.length} problems`}: nothing was started\n`)
  return FAILED
}

function statusOf({ code }: SecretsError): number {
  if (code === 'SE_COMMAND_NOT_FOUND') return NOT_FOUND
  return code === 'SE_COMMAND_NOT_EXECUTABLE' ? NOT_EXECUTABLE : FAILED
}
