/** Takes a command line apart as Docker's own programs do (cobra and pflag), with their words for what is wrong. */
import type { Command, Flag } from '../command.js'
import { HELP_FLAG } from '../parse-arguments.js'

/** A wrong use in Docker's words: one line on standard error, and exit status 1. */
export class DockerUsageError extends Error {}

/** A command line taken apart. */
export interface DockerArguments {
  /** Values of flags by their name; an empty text for those that take none. */
  readonly given: ReadonlyMap<string, readonly string[]>
  readonly positionals: readonly string[]
  /** For each positional, its place among the arguments. */
  readonly indexes: readonly number[]
}

/**
 * Takes the arguments of one command apart. Flags may stand anywhere before `--`.
 * @throws {@link DockerUsageError} for an unknown flag, one without its value, and for too few or too many arguments.
 */
export function parseDockerArguments(command: Command, args: readonly string[]): DockerArguments {
  const flags = [...command.flags, HELP_FLAG]
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  const indexes: number[] = []
  let index = 0
  const take = (flag: Flag, spelling: string, attached: string | undefined): void => {
    if (flag.value === undefined) {
      if (attached !== 'false') given.set(flag.name, [''])
      return
    }
    const value = attached ?? args[++index]
    if (value === undefined) throw new DockerUsageError(`flag needs an argument: ${spelling}`)
    const others = flag.repeat === true ? (given.get(flag.name) ?? []) : []
    given.set(flag.name, [...others, value])
  }
  const takeShort = (argument: string): void => {
    for (let at = 1; at < argument.length; at++) {
      const letter = argument[at] as string
      const flag = flags.find(({ short }) => short === letter)
      const spelling = `'${letter}' in ${argument}`
      if (flag === undefined) throw new DockerUsageError(`unknown shorthand flag: ${spelling}`)
      const rest = argument.slice(at + 1)
      if (flag.value !== undefined || rest.startsWith('=')) {
        take(flag, spelling, rest === '' ? undefined : rest.replace(/^=/, ''))
        return
      }
      take(flag, spelling, undefined)
    }
  }
  for (let onlyArguments = false; index < args.length; index++) {
    const argument = args[index] as string
    if (onlyArguments || argument === '-' || !argument.startsWith('-')) {
      positionals.push(argument)
      indexes.push(index)
    } else if (argument === '--') onlyArguments = true
    else if (argument.startsWith('--')) {
      const [spelling = '', ...value] = argument.split('=')
      const flag = flags.find(({ name }) => `--${name}` === spelling)
      if (flag === undefined) throw new DockerUsageError(`unknown flag: ${spelling}`)
      take(flag, spelling, value.length === 0 ? undefined : value.join('='))
    } else takeShort(argument)
  }
  if (!given.has('help')) checkCount(command, positionals.length)
  return { given, positionals, indexes }
}

function checkCount({ positionals, rest }: Command, received: number): void {
  if (rest !== undefined && received === 0) throw new DockerUsageError('requires at least 1 arg(s), only received 0')
  if (rest !== undefined) return
  const least = positionals.filter(({ optional }) => optional !== true).length
  const most = positionals.at(-1)?.repeat === true ? Number.POSITIVE_INFINITY : positionals.length
  if (received >= least && received <= most) return
  if (least === most) throw new DockerUsageError(`accepts ${least} arg(s), received ${received}`)
  if (received > most) throw new DockerUsageError(`accepts at most ${most} arg(s), received ${received}`)
  throw new DockerUsageError(`requires at least ${least} arg(s), only received ${received}`)
}
