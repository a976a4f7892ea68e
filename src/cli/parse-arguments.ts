/** Takes a command line apart by a command's tables. Every wrong use is a {@link UsageError} with the right word. */

import { looksLikeName, nearest } from '../nearest.js'
import type { Command, Flag, FlagValues } from './command.js'
import { UsageError } from './usage-error.js'

/** The flag that every command has. */
export const HELP_FLAG: Flag = { name: 'help', short: 'h', summary: 'show this help' }

/** A command line taken apart. */
export interface ParsedArguments {
  readonly flags: FlagValues
  readonly positionals: readonly string[]
  /** For each positional, its place among the arguments. */
  readonly positionalIndexes: readonly number[]
  readonly rest: readonly string[]
  /** Where the rest begins among the arguments; their number when there is none. */
  readonly restIndex: number
  /** True when help was asked for; nothing else was checked then. */
  readonly help: boolean
}

/**
 * Takes the arguments of one command apart.
 * @param command - Whose flags and positionals count.
 * @param args - What follows the command's name.
 * @throws {@link UsageError} for an unknown, repeated, contradicting or incomplete flag, and for missing or extra
 * arguments.
 */
export function parseArguments(command: Command, args: readonly string[]): ParsedArguments {
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  const positionalIndexes: number[] = []
  let restIndex = args.length
  let index = 0
  const result = (help: boolean): ParsedArguments => ({
    flags: flagValues(command, given),
    positionals,
    positionalIndexes,
    rest: args.slice(restIndex),
    restIndex,
    help,
  })

  const take = (flag: Flag, written: string, attached: string | undefined): void => {
    const values = given.get(flag.name) ?? []
    if (flag.value === undefined) {
      if (attached !== undefined) throw new UsageError(`${written} takes no value`, `write ${written} alone`)
      given.set(flag.name, [''])
      return
    }
    let value = attached ?? flag.bare
    if (value === undefined) {
      index++
      value = args[index]
      if (value === undefined) throw new UsageError(`${written} needs a value`, `write ${written} ${flag.value}`)
    }
    if (values.length > 0 && flag.repeat !== true) throw new UsageError(`${written} is given twice`)
    check(flag, written, value)
    values.push(value)
    given.set(flag.name, values)
  }

  for (; index < args.length; index++) {
    const argument = args[index] ?? ''
    if (argument === '--') {
      restIndex = index + 1
      break
    }
    if (argument.startsWith('--')) {
      const equals = argument.indexOf('=')
      const name = equals < 0 ? argument.slice(2) : argument.slice(2, equals)
      const flag = findLong(command, name)
      take(flag, `--${flag.name}`, equals < 0 ? undefined : argument.slice(equals + 1))
    } else if (argument.startsWith('-') && argument.length > 1) {
      takeShort(command, argument, take)
    } else if (command.rest !== undefined && positionals.length === command.positionals.length) {
      restIndex = index
      break
    } else {
      positionals.push(argument)
      positionalIndexes.push(index)
    }
    if (given.has('help')) return result(true)
  }
  if (command.rest === undefined) {
    for (; restIndex < args.length; restIndex++) {
      positionals.push(args[restIndex] ?? '')
      positionalIndexes.push(restIndex)
    }
  }
  checkTogether(command, given)
  checkPositionals(command, positionals)
  if (command.rest !== undefined && command.rest.optional !== true && restIndex >= args.length) {
    const before = [command.name, ...(command.positionals ?? []).map(({ name }) => name)].join(' ')
    throw new UsageError(`${command.rest.name} is missing`, `write it after --: se ${before} -- ${command.rest.name}`)
  }
  return result(false)
}

function takeShort(command: Command, argument: string, take: (flag: Flag, written: string, attached?: string) => void) {
  const long = longNames(command).find((name) => name === argument.slice(1).split('=', 1)[0])
  if (long !== undefined && long.length > 1) throw new UsageError(`unknown flag -${long}`, `did you mean --${long}?`)
  for (let at = 1; at < argument.length; at++) {
    const letter = argument[at] ?? ''
    const flag = [...command.flags, HELP_FLAG].find((candidate) => candidate.short === letter)
    if (flag === undefined) throw unknownShort(command, argument, letter)
    const attached = argument.slice(at + 1)
    if (flag.value !== undefined) {
      take(flag, `-${letter}`, attached === '' ? undefined : attached.replace(/^=/, ''))
      return
    }
    take(flag, `-${letter}`)
  }
}

function unknownShort(command: Command, argument: string, letter: string): UsageError {
  const meant = nearest(argument.slice(1), longNames(command))
  const hint = meant !== undefined && argument.length > 3 ? `did you mean --${meant}?` : flagsHint(command)
  const shown = /^[a-z]$/i.test(letter) ? ` -${letter}` : ''
  return new UsageError(`unknown flag${shown}`, hint)
}

function findLong(command: Command, name: string): Flag {
  const flags = [...command.flags, HELP_FLAG]
  const flag = flags.find((candidate) => candidate.name === name)
  if (flag !== undefined) return flag
  const meant = nearest(name, longNames(command))
  throw new UsageError(
    looksLikeName(name) ? `unknown flag --${name}` : 'unknown flag',
    meant === undefined ? flagsHint(command) : `did you mean --${meant}?`,
  )
}

function longNames(command: Command): string[] {
  return [...command.flags, HELP_FLAG].map((flag) => flag.name)
}

function flagsHint(command: Command): string {
  const names = longNames(command).map((name) => `--${name}`)
  return `the flags of se ${command.name} are ${names.join(', ')}; what begins with a dash goes after --`
}

function check(flag: Flag, written: string, value: string): void {
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const meant = nearest(value, flag.choices)
    throw new UsageError(
      `${written} takes ${oneOf(flag.choices)}`,
      meant === undefined ? undefined : `did you mean ${written}${written.startsWith('--') ? '=' : ' '}${meant}?`,
    )
  }
  if (flag.integer !== undefined) {
    const { min, max } = flag.integer
    const number = Number(value)
    if (!/^[0-9]{1,15}$/.test(value) || number < min || number > max) {
      throw new UsageError(`${written} takes a whole number from ${min} to ${max}`)
    }
  }
}

function checkTogether(command: Command, given: ReadonlyMap<string, string[]>): void {
  for (const flag of command.flags) {
    if (!given.has(flag.name)) continue
    const other = flag.excludes?.find((name) => given.has(name))
    if (other !== undefined) {
      throw new UsageError(`--${flag.name} and --${other} contradict each other`, 'give one of them')
    }
    if (flag.needs !== undefined && !flag.needs.some((name) => given.has(name))) {
      throw new UsageError(`--${flag.name} needs ${oneOf(flag.needs.map((name) => `--${name}`))} beside it`)
    }
  }
}

function checkPositionals(command: Command, positionals: readonly string[]): void {
  const table = command.positionals
  const missing = table.find((positional, place) => positional.optional !== true && positionals.length <= place)
  if (missing !== undefined) throw new UsageError(`${missing.name} is missing`)
  if (positionals.length > table.length && table.at(-1)?.repeat !== true) {
    const takes = table.length === 0 ? 'no argument' : table.length === 1 ? '1 argument' : `${table.length} arguments`
    throw new UsageError(
      `se ${command.name} takes ${takes}, ${positionals.length} ${positionals.length === 1 ? 'was' : 'were'} given`,
      command.extraHint,
    )
  }
  table.forEach((positional, place) => {
    const typed = positionals[place]
    if (typed === undefined || positional.choices === undefined || positional.choices.includes(typed)) return
    const meant = nearest(typed, positional.choices)
    throw new UsageError(
      `${positional.name} is ${oneOf(positional.choices)}`,
      meant === undefined ? undefined : `did you mean ${meant}?`,
    )
  })
}

/** `a, b or c`. */
export function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

/** The flags as a command asks for them. */
export function flagValues(command: Command, given: ReadonlyMap<string, readonly string[]>): FlagValues {
  const get = (name: string): readonly string[] => {
    if (!command.flags.some((flag) => flag.name === name)) throw new Error(`se ${command.name} has no flag --${name}`)
    return given.get(name) ?? []
  }
  return {
    has: (name) => get(name).length > 0,
    value: (name) => get(name)[0],
    values: get,
    integer: (name) => {
      const value = get(name)[0]
      return value === undefined ? undefined : Number(value)
    },
  }
}
