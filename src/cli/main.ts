/**
 * The program `se`: finds the command, loads its module, takes the arguments apart and runs it. What is imported here is
 * loaded at every start, so it is small: no `readline`, `child_process` or `net`, and the addon last, by the commands.
 */

import { looksLikeName, nearest } from '../nearest.js'
import type { Command, CommandEntry, Context } from './command.js'
import { COMMANDS, HIDDEN, OTHER_NAMES } from './commands.js'
import { harden } from './harden.js'
import { createOutput, isTerminal } from './output.js'
import { parseArguments } from './parse-arguments.js'
import { UsageError } from './usage-error.js'

/** The number of words before the arguments in `process.argv`: the interpreter and the script. */
const ARGV_START = 2

/**
 * Runs one command line.
 * @param argv - As `process.argv`.
 * @param env - As `process.env`.
 * @returns The exit status.
 */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const stdout = createOutput(1, env)
  const stderr = createOutput(2, env)
  let command: Command | undefined
  try {
    const found = await findCommand(argv.slice(ARGV_START))
    command = found?.command
    const status = await perform(found, argv, { stdout, stderr, env })
    if (status === 0 && stdout.failure !== undefined) throw (await import('./report.js')).outputFailure(stdout.failure)
    return status
  } catch (error) {
    const { report } = await import('./report.js')
    const status = report(error, stderr, command)
    return command?.failureStatus ?? status
  }
}

/** A command that was named, and how many words that took. */
interface Found {
  readonly command: Command
  readonly words: number
}

/** Runs the command, or shows the help that is wanted instead. */
async function perform(
  found: Found | undefined,
  argv: readonly string[],
  streams: Pick<Context, 'stdout' | 'stderr' | 'env'>,
): Promise<number> {
  if (found === undefined) {
    const { overview } = await import('./help.js')
    streams.stdout.write(overview(COMMANDS))
    return 0
  }
  const { command, words } = found
  const start = ARGV_START + words
  const parsed = parseArguments(command, argv.slice(start))
  if (parsed.help) {
    const { commandHelp } = await import('./help.js')
    streams.stdout.write(commandHelp(command))
    return 0
  }
  const context: Context = {
    command,
    flags: parsed.flags,
    positionals: parsed.positionals,
    rest: parsed.rest,
    argvIndex: (position) => start + (parsed.positionalIndexes[position] ?? Number.NaN),
    restIndex: start + parsed.restIndex,
    ...streams,
    get stdinIsTerminal() {
      return isTerminal(0)
    },
  }
  if (command.storeless !== true) await harden()
  return (await command.run(context)) ?? 0
}

/** The command that the words name; nothing when help for everything was asked for. */
async function findCommand(words: readonly string[]): Promise<Found | undefined> {
  const [first] = words
  if (first === undefined || first === '--help' || first === '-h') return undefined
  if (first === '--version' || first === '-V')
    return { command: await entryNamed('version', COMMANDS).load(), words: 1 }
  if (first === 'help' && words.length === 1) return undefined
  if (first.startsWith('-')) throw flagFirst(first, words)
  let entry = HIDDEN.find(({ name }) => name === first) ?? entryNamed(first, COMMANDS)
  let command = await entry.load()
  let count = 1
  while (command.commands !== undefined) {
    const next = words[count]
    if (next === undefined || next.startsWith('-')) break
    entry = entryNamed(next, command.commands, command)
    command = await entry.load()
    count++
  }
  return { command, words: count }
}

/**
 * The entry with this name.
 * @throws {@link UsageError} with the nearest name.
 */
export function entryNamed(name: string, entries: readonly CommandEntry[], parent?: Command): CommandEntry {
  const entry = entries.find((candidate) => candidate.name === name)
  if (entry !== undefined) return entry
  const before = parent === undefined ? '' : `${parent.name} `
  const names = entries.map((candidate) => candidate.name)
  const usual = parent === undefined && Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined
  const meant = usual ?? nearest(name, names)
  const help = parent === undefined ? 'se --help' : `se help ${parent.name}`
  throw new UsageError(
    looksLikeName(name) ? `unknown command ${before}${name}` : 'unknown command',
    meant === undefined ? `${help} lists the commands` : `did you mean se ${before}${meant}?`,
    parent,
  )
}

/** The error for a flag where the command belongs. */
function flagFirst(flag: string, words: readonly string[]): UsageError {
  const name = flag.replace(/^-+/, '').split('=', 1)[0] ?? ''
  const command = COMMANDS.find((entry) => words.includes(entry.name))?.name ?? 'COMMAND'
  const meant = nearest(name, ['help', 'version'])
  const after = looksLikeName(name) && flag.startsWith('--') ? `: se ${command} --${name}` : ''
  return new UsageError(
    'a command comes first',
    meant === undefined ? `flags go after the command${after}` : `did you mean se --${meant}?`,
  )
}
