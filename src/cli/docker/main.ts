/**
 * `se` as a Docker CLI plugin, which it is when its file is named `docker-pass`: `docker pass …` with Docker's behaviour, where
 * scripts rely on it, over the store and the engine of `se`.
 * @see https://docs.docker.com/extend/cli_plugins/
 */
import { VERSION } from '../../version.js'
import type { Command, CommandEntry, Context } from '../command.js'
import { harden } from '../harden.js'
import { createOutput, isTerminal } from '../output.js'
import { flagValues } from '../parse-arguments.js'
import { type DockerArguments, parseDockerArguments } from './arguments.js'
import { DOCKER_COMMANDS } from './commands.js'
import { printDockerError } from './errors.js'

const METADATA = {
  SchemaVersion: '0.1.0',
  Vendor: 'se-native',
  Version: `v${VERSION}`,
  ShortDescription: 'Manage secrets of the OS keychain or an encrypted file',
}

/** The flags of `docker` itself that take a value. It hands them on as they were given. */
const GLOBAL_VALUES = /^(--(config|context|host|log-level|tlscacert|tlscert|tlskey)|-[cHl])$/

/**
 * Runs one command line.
 * @param argv - As `process.argv`: what `docker` was given follows the program.
 * @param env - As `process.env`.
 * @returns The exit status.
 */
export async function dockerMain(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const stdout = createOutput(1, env)
  const stderr = createOutput(2, env)
  if (argv[2] === 'docker-cli-plugin-metadata') {
    stdout.write(`${JSON.stringify(METADATA)}\n`)
    return 0
  }
  try {
    const found = await find(argv, 2 + wordsOfDocker(argv.slice(2)))
    const parsed = found && parseDockerArguments(found.command, argv.slice(found.start))
    if (found === undefined || parsed === undefined || parsed.given.has('help')) {
      stdout.write(await help(found?.command))
      return 0
    }
    if (found.command.storeless !== true) await harden()
    const status = (await found.command.run(contextOf(found, parsed, argv, { stdout, stderr, env }))) ?? 0
    if (status === 0 && stdout.failure !== undefined) throw (await import('../report.js')).outputFailure(stdout.failure)
    return status
  } catch (error) {
    printDockerError(stderr, error)
    return 1
  }
}

/** How many words come before the command: global flags, and `pass`. */
function wordsOfDocker(words: readonly string[]): number {
  let count = 0
  while (words[count]?.startsWith('-') && words[count] !== '--help' && words[count] !== '-h') {
    count += GLOBAL_VALUES.test(words[count] as string) ? 2 : 1
  }
  return words[count] === 'pass' ? count + 1 : count
}

interface Found {
  readonly command: Command
  /** Where its arguments begin in `argv`. */
  readonly start: number
}

/** The command that the words name. None: help is wanted, as for a word that names none. */
async function find(argv: readonly string[], start: number): Promise<Found | undefined> {
  let entries: readonly CommandEntry[] = DOCKER_COMMANDS
  let command: Command | undefined
  let at = start
  for (; ; at++) {
    const entry = entries.find(({ name }) => name === argv[at])
    if (entry === undefined) break
    command = await entry.load()
    entries = command.commands ?? []
  }
  return command === undefined ? undefined : { command, start: at }
}

function contextOf(
  { command, start }: Found,
  { given, positionals, indexes }: DockerArguments,
  argv: readonly string[],
  streams: Pick<Context, 'stdout' | 'stderr' | 'env'>,
): Context {
  const isRest = command.rest !== undefined
  return {
    command,
    flags: flagValues(command, given),
    positionals: isRest ? [] : positionals,
    rest: isRest ? positionals : [],
    argvIndex: (position) => start + (indexes[position] ?? Number.NaN),
    restIndex: isRest ? start + (indexes[0] ?? argv.length - start) : argv.length,
    ...streams,
    get stdinIsTerminal() {
      return isTerminal(0)
    },
  }
}

async function help(command: Command | undefined): Promise<string> {
  const { flagSpelling, flagSummary, table } = await import('../help.js')
  if (command === undefined) {
    const rows = DOCKER_COMMANDS.map(({ name, summary }) => [name, summary] as const)
    return `Usage:  docker pass COMMAND\n\n${METADATA.ShortDescription}\n\nCommands:\n${table(rows)}\nRun 'docker pass COMMAND --help' for more information on a command.\n`
  }
  const flags = command.flags.map((flag) => [flagSpelling(flag), flagSummary(flag)] as const)
  const usage = command.usage.map((text) => `docker pass ${command.name} ${text}`).join('\n        ')
  return `Usage:  ${usage}\n\n${command.summary}\n\nOptions:\n${table(flags)}`
}
