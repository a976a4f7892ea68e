/** What may follow on an unfinished command line: the one answer behind the completions of all shells. */
import type { Command, CommandEntry, Flag, Positional } from './command.js'
import { HELP_FLAG } from './parse-arguments.js'

/** A word that may be typed, and what it means. */
export interface Candidate {
  readonly word: string
  readonly note?: string
}

/** What is offered: words of ours, or what the shell itself knows. */
export interface Offer {
  readonly kind: 'words' | 'files' | 'programs'
  readonly words: readonly Candidate[]
}

/** List what begins with a text, without asking anybody anything. */
export interface Listers {
  /** The ids of the chosen store. */
  id(prefix: string): Promise<readonly string[]>
  /** The names of plugins. */
  plugin(prefix: string): Promise<readonly string[]>
}

const NOTHING: Offer = { kind: 'words', words: [] }

/**
 * Completes a command line.
 * @param words - The words after `se`, the last one unfinished and perhaps empty.
 * @param entries - The table of commands.
 * @param listers - Called only where what they list is wanted.
 */
export async function complete(
  words: readonly string[],
  entries: readonly CommandEntry[],
  listers: Listers,
): Promise<Offer> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  let known = entries
  let command: Command | undefined
  let start = 0
  for (; start < before.length && known.length > 0; start++) {
    const entry = known.find(({ name }) => name === before[start])
    if (entry === undefined) break
    command = await entry.load()
    known = command.commands ?? []
  }
  if (command === undefined) {
    if (before.length > 0) return NOTHING
    const all = entries.map(({ name, summary }) => ({ word: name, note: summary }))
    return filtered(current.startsWith('-') ? [{ word: '--help' }, { word: '--version' }] : all, current)
  }
  if (command.name === 'help') return completeHelp(before.slice(start), current, entries)
  const place = read(command, before.slice(start))
  if (place.flag !== undefined) return offer(place.flag, current, '', listers)
  if (place.rest !== undefined) return { kind: place.rest === 0 ? 'programs' : 'files', words: [] }
  if (current.startsWith('-') && !place.onlyArguments) return completeFlag(command, place.given, current, listers)
  if (known.length > 0 && place.positional === 0) {
    return filtered(
      known.map(({ name, summary }) => ({ word: name, note: summary })),
      current,
    )
  }
  const table = command.positionals
  const last = table.at(-1)
  const positional = table[place.positional] ?? (last?.repeat === true ? last : undefined)
  if (positional !== undefined) return offer(positional, current, '', listers)
  return command.rest === undefined ? NOTHING : { kind: 'programs', words: [] }
}

/** Where a command line stands after its finished words. */
interface Place {
  /** The flag whose value comes next. */
  readonly flag: Flag | undefined
  /** How many words of the other program are there, once it has begun. */
  readonly rest: number | undefined
  readonly positional: number
  /** Whether `--` came. */
  readonly onlyArguments: boolean
  readonly given: ReadonlySet<string>
}

function read(command: Command, words: readonly string[]): Place {
  const flags = [...command.flags, HELP_FLAG]
  const given = new Set<string>()
  let positional = 0
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    const after = words.length - index - 1
    const isRest = command.rest !== undefined && !word.startsWith('-') && positional === command.positionals.length
    if (word === '--' || isRest) {
      const rest = word === '--' ? after : after + 1
      if (command.rest !== undefined) return { flag: undefined, rest, positional, onlyArguments: true, given }
      return { flag: undefined, rest: undefined, positional: positional + after, onlyArguments: true, given }
    }
    if (!word.startsWith('-') || word === '-') {
      positional++
      continue
    }
    const flag = flags.find(({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`))
    given.add(flag?.name ?? word.slice(2).split('=', 1)[0] ?? '')
    if (flag?.value === undefined || flag.bare !== undefined) continue
    if (after === 0) return { flag, rest: undefined, positional, onlyArguments: false, given }
    index++
  }
  return { flag: undefined, rest: undefined, positional, onlyArguments: false, given }
}

async function completeFlag(
  command: Command,
  given: ReadonlySet<string>,
  current: string,
  listers: Listers,
): Promise<Offer> {
  const flags = [...command.flags, HELP_FLAG]
  const equals = current.indexOf('=')
  if (equals > 0) {
    const flag = flags.find(({ name }) => `--${name}` === current.slice(0, equals))
    return flag?.value === undefined
      ? NOTHING
      : offer(flag, current.slice(equals + 1), current.slice(0, equals + 1), listers)
  }
  const open = flags.filter(
    ({ name, repeat, excludes = [] }) =>
      (repeat === true || !given.has(name)) &&
      !excludes.some((other) => given.has(other)) &&
      !flags.some((other) => given.has(other.name) && other.excludes?.includes(name)),
  )
  return filtered(
    open.map(({ name, summary }) => ({ word: `--${name}`, note: summary })),
    current,
  )
}

async function completeHelp(
  before: readonly string[],
  current: string,
  entries: readonly CommandEntry[],
): Promise<Offer> {
  let known = entries
  for (const word of before) known = (await known.find(({ name }) => name === word)?.load())?.commands ?? []
  return filtered(
    known.map(({ name, summary }) => ({ word: name, note: summary })),
    current,
  )
}

async function offer(
  { choices, complete: kind }: Flag | Positional,
  current: string,
  prefix: string,
  listers: Listers,
): Promise<Offer> {
  if (choices !== undefined) {
    return filtered(
      choices.map((word) => ({ word: `${prefix}${word}` })),
      `${prefix}${current}`,
    )
  }
  switch (kind) {
    case 'id':
    case 'plugin':
      return filtered(
        (await listers[kind](current)).map((word) => ({ word: `${prefix}${word}` })),
        `${prefix}${current}`,
      )
    case 'file':
      return { kind: 'files', words: [] }
    default:
      return NOTHING
  }
}

function filtered(candidates: readonly Candidate[], current: string): Offer {
  return { kind: 'words', words: candidates.filter(({ word }) => word.startsWith(current)) }
}
