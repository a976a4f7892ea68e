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
  if (/^__complete(NoDesc)?$/.test(argv[2] ?? '')) {
    stdout.write(await completed(argv.slice(3), env))
    return 0
  }
  try {
    const found = await find(argv, 2 + wordsOfDocker(argv.slice(2)))
    if (found === undefined || found.command.commands !== undefined) {
      stdout.write(await help(found?.command))
      return 0
    }
    const parsed = parseDockerArguments(found.command, argv.slice(found.start))
    if (parsed.given.has('help')) {
      stdout.write(await help(found.command))
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

/**
 * What Docker's completion asks for: a word a line with what it means, and a last line that says whether the shell may offer
 * files (0) or not (4).
 */
async function completed(words: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const [{ complete }, { listers }] = await Promise.all([import('../complete.js'), import('../listers.js')])
  const offer = await complete(words.slice(wordsOfDocker(words)), DOCKER_COMMANDS, listers(env))
  const lines = offer.words.map(({ word, note = '' }) => `${word}\t${note}\n`)
  return `${lines.join('')}:${offer.kind === 'words' ? 4 : 0}\n`
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
  const entries = command === undefined ? DOCKER_COMMANDS : command.commands
  const name = command === undefined ? 'docker pass' : `docker pass ${command.name}`
  const summary = command?.summary ?? METADATA.ShortDescription
  if (entries !== undefined) {
    const rows = entries.map((entry) => [entry.name, entry.summary] as const)
    const more = `Run '${name} COMMAND --help' for more information on a command.`
    return `Usage:  ${name} COMMAND\n\n${summary}\n\nCommands:\n${table(rows)}\n${more}\n`
  }
  const flags = (command?.flags ?? []).map((flag) => [flagSpelling(flag), flagSummary(flag)] as const)
  const usage = (command?.usage ?? []).map((text) => `${name} ${text}`.trimEnd()).join('\n        ')
  return `Usage:  ${usage}\n\n${summary}\n${flags.length === 0 ? '' : `\nOptions:\n${table(flags)}`}`
}
