// A plugin's answer, as it came, becomes secrets: checked, named, in order. Nothing of what a plugin says is believed.
import { createError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import { PatternSet } from '../pattern-set.js'
import { addFacts, Secret } from '../secret.js'
import { wipe } from './brought.js'
import { isHidden } from './hidden.js'
import type { Answer } from './plugin.js'
import { byId, inPortions } from './portions.js'

/** What was taken from an answer. */
export interface Taken {
  /** For each pattern its secrets, in order of their ids. One that several patterns match is one object. */
  readonly lists: readonly (readonly Secret[])[]
  /** Ids outside of what was asked or of the plugin's own pattern, in their order. Their values are wiped. */
  readonly dropped: readonly string[]
}

/**
 * Takes the answers of a plugin: at once when they are few, in portions when they are many, so that others get their turn.
 * @param plugin - Its name, which becomes that of the secrets.
 * @param own - The plugin's own pattern.
 * @param patterns - What it was asked for.
 * @throws for anything that is no answer; all are wiped then.
 */
export function take(
  plugin: string,
  own: Pattern,
  patterns: readonly Pattern[],
  answers: readonly Answer[],
): Taken | Promise<Taken> {
  const taking = new Taking(plugin, own, patterns)
  try {
    for (const { id } of answers) if (typeof id !== 'string') throw new TypeError('an answer has no id')
    const [only] = answers
    if (answers.length > 1) return taking.takeMany(answers)
    if (only !== undefined) taking.take(only)
    return taking
  } catch (error) {
    wipeAnswers(answers)
    throw error
  }
}

class Taking implements Taken {
  readonly lists: Secret[][]
  readonly dropped: string[] = []
  readonly #plugin: string
  readonly #own: Pattern
  readonly #patterns: readonly Pattern[]
  #set: PatternSet | undefined
  #resolvedAt: Date | undefined

  constructor(plugin: string, own: Pattern, patterns: readonly Pattern[]) {
    this.lists = patterns.length === 1 ? [[]] : patterns.map(() => [])
    this.#plugin = plugin
    this.#own = own
    this.#patterns = patterns
  }

  async takeMany(answers: readonly Answer[]): Promise<Taken> {
    try {
      await inPortions(await byId(answers), (answer) => this.take(answer))
      return this
    } catch (error) {
      wipeAnswers(answers)
      wipe(this.lists.flat())
      throw error
    }
  }

  take(answer: Answer): void {
    const { id } = answer
    const rows = this.#own.matches(id) ? this.#rowsOf(id) : NONE
    if (rows.length === 0) this.dropped.push(id)
    if (rows.length === 0 || isHidden(id)) return wipeAnswers([answer])
    const secret = this.#secretFrom(answer)
    for (const row of rows) this.lists[row]?.push(secret)
  }

  /** Which of the patterns match an id. */
  #rowsOf(id: string): readonly number[] {
    if (this.#patterns.length === 1) return this.#patterns[0]?.matches(id) ? ONLY : NONE
    this.#set ??= PatternSet.compile(this.#patterns)
    return this.#set.matches(id)
  }

  #secretFrom(answer: Answer): Secret {
    const plugin = this.#plugin
    if (answer instanceof Secret) {
      if (answer.disposed) throw usedBefore(answer)
      if (answer.plugin !== plugin || answer.resolvedAt === undefined)
        addFacts(answer, { plugin, resolvedAt: answer.resolvedAt ?? this.#now() })
      return answer
    }
    const { id, value, version, metadata, createdAt, expiresAt } = answer
    if (typeof value === 'string' || value instanceof Uint8Array) {
      return Secret.from(id, value, { plugin, version, metadata, createdAt, resolvedAt: this.#now(), expiresAt })
    }
    throw createError('SE_PLUGIN_FAILURE', `the value for ${id} is neither bytes nor a text`, { details: { id } })
  }

  /** The same time for all. */
  #now(): Date {
    this.#resolvedAt ??= new Date()
    return this.#resolvedAt
  }
}

/** Wipes answers that nobody takes. */
export function wipeAnswers(answers: Iterable<Answer>): void {
  for (const answer of answers) if (answer instanceof Secret) answer.dispose()
}

const NONE: readonly number[] = []
const ONLY: readonly number[] = [0]

function usedBefore({ id }: Secret): Error {
  return createError('SE_PLUGIN_FAILURE', `it answers with a secret for ${id} that was disposed before`, {
    hint: 'a Secret in an answer belongs to the engine: answer with another one each time',
    details: { id },
  })
}
