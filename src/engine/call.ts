// One call to a plugin, which several requests may wait for: each gets secrets of its own, and the last that leaves ends
// the call.
import { now } from '../clock.js'
import type { SecretsError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import { type Brought, copiesOf, failed, wipe } from './brought.js'
import { CallContext } from './call-context.js'
import type { Deadlines, Due } from './deadlines.js'
import { failureOf, tooSlow } from './failure.js'
import type { Answer, Answers, Requester } from './plugin.js'
import { keyOf, type Slot } from './slot.js'
import { type Taken, take, wipeAnswers } from './take.js'

/** Who waits for a call. */
export interface Passenger {
  /** Hands over what was brought for each row of the ticket, in their order. The secrets are the passenger's. */
  deliver(ticket: Ticket, brought: readonly Brought[]): void
}

/** For what somebody waits. */
export interface Ticket {
  readonly call: Call
  readonly passenger: Passenger
  /** Which of the call's patterns. */
  readonly rows: number[]
  /** For the passenger: where the answer to each belongs. */
  readonly cells: number[]
}

/** What is the same for every plugin of a request. */
export interface Round {
  readonly requester: Requester
  readonly times: boolean
  /** The limit for plugins that have none of their own. */
  readonly timeoutMs: number
  readonly deadlines: Deadlines
}

/** How many ids of an answer's strays are shown, and how much of each: they may be anything. */
const SHOWN_STRAYS = 100
const SHOWN_CHARACTERS = 200
/** The rows of a call for one pattern. */
const ONLY: readonly number[] = [0]

/** A call under way. */
export class Call implements Due {
  /** The plugin's own pattern, as it was when the call began. */
  readonly own: Pattern
  /** What makes others equal, for each pattern. */
  readonly keys: readonly string[]
  /** When its time is over. */
  readonly at: number
  readonly #slot: Slot
  readonly #patterns: readonly Pattern[]
  readonly #round: Round
  readonly #limitMs: number
  readonly #began = now()
  /** What was brought, by row. */
  readonly #brought: Brought[] = []
  readonly #tickets: Ticket[] = []
  #rows: Map<string, number> | undefined
  #over = false
  readonly #context: CallContext

  /**
   * Asks the plugin at once. It answers later, so whoever starts the call boards it next.
   * @param patterns - At least one; more than one only where the plugin has `getMany`.
   */
  constructor(slot: Slot, own: Pattern, patterns: readonly Pattern[], round: Round) {
    this.own = own
    this.keys = patterns.map((pattern) => keyOf(pattern, round.times))
    this.#slot = slot
    this.#patterns = patterns
    this.#round = round
    this.#limitMs = slot.plugin.timeoutMs ?? round.timeoutMs
    this.at = this.#began + this.#limitMs
    this.#context = new CallContext(slot.log, round.requester, round.times)
    slot.begin(this)
    this.#ask(patterns.length === 1 ? ONLY : patterns.map((_, row) => row))
  }

  /** The row of a key that is one of its own. */
  rowOf(key: string): number {
    if (this.keys.length === 1) return 0
    this.#rows ??= new Map(this.keys.map((each, row) => [each, row]))
    return this.#rows.get(key) as number
  }

  /** Waits for a row. @returns the ticket: the same as for the row before, where nobody came between. */
  board(passenger: Passenger, row: number, cell: number): Ticket {
    let ticket = this.#tickets.at(-1)
    if (ticket?.passenger !== passenger) {
      ticket = { call: this, passenger, rows: [], cells: [] }
      this.#tickets.push(ticket)
    }
    ticket.rows.push(row)
    ticket.cells.push(cell)
    return ticket
  }

  /** Waits no longer. The last that leaves ends the call: the plugin is told, and what it still brings is wiped. */
  leave(ticket: Ticket, reason: unknown): void {
    const place = this.#tickets.indexOf(ticket)
    if (place >= 0) this.#tickets.splice(place, 1)
    if (this.#tickets.length > 0 || this.#over) return
    this.#end()
    this.#context.abort(reason)
  }

  /** The plugin's time is over. */
  expire(): void {
    if (this.#over) return
    const failure = tooSlow(this.#slot.plugin, this.#limitMs)
    this.#slot.log.debug('the plugin took too long', { pattern: this.#text, timeoutMs: this.#limitMs })
    this.#patterns.forEach((_, row) => this.#fail(row, failure))
    this.#land()
    this.#context.abort(failure)
  }

  // By callbacks: a chain of promises would cost more than all the rest of a call.
  #ask(rows: readonly number[]): void {
    const patterns =
      rows.length === this.#patterns.length ? this.#patterns : rows.map((row) => this.#patterns[row] as Pattern)
    let answers: Answers
    try {
      answers = this.#answers(patterns)
      if (isPromise(answers)) this.#round.deadlines.add(this)
    } catch (error) {
      answers = Promise.reject(error)
    }
    // Also what is there at once is shared with whoever asks for the same before the next turn.
    Promise.resolve(answers).then(
      (came) => this.#came(rows, patterns, came),
      (error: unknown) => this.#failed(rows, error),
    )
  }

  #answers(patterns: readonly Pattern[]): Answers {
    const { plugin } = this.#slot
    if (plugin.getMany === undefined) return plugin.getSecrets(patterns[0] as Pattern, this.#context)
    return plugin.getMany(patterns, this.#context)
  }

  #came(rows: readonly number[], patterns: readonly Pattern[], came: Iterable<Answer>): void {
    const latencyMs = now() - this.#began
    let taken: Taken | Promise<Taken>
    try {
      const answers = [...came]
      if (this.#over) return wipeAnswers(answers)
      this.#round.deadlines.delete(this)
      taken = take(this.#slot.plugin.name, this.own, patterns, answers)
    } catch (error) {
      return this.#failed(rows, error)
    }
    if (!(taken instanceof Promise)) return this.#took(rows, taken, latencyMs)
    taken.then(
      (all) => this.#took(rows, all, latencyMs),
      (error: unknown) => this.#failed(rows, error),
    )
  }

  #took(rows: readonly number[], { lists, dropped }: Taken, latencyMs: number): void {
    if (this.#over) return wipe(lists.flat())
    this.#report(dropped)
    const shown = dropped.length === 0 ? dropped : dropped.slice(0, SHOWN_STRAYS).map(shortened)
    for (let n = 0; n < rows.length; n++) {
      const secrets = lists[n] ?? []
      this.#brought[rows[n] as number] = { secrets, dropped: shown, failure: undefined, latencyMs, cached: false }
    }
    this.#land()
  }

  /** Asks once more without the patterns to which a failing id belongs: one bad item hides no other. */
  #failed(rows: readonly number[], error: unknown): void {
    if (this.#over) return
    const failure = failureOf(this.#slot.plugin, error)
    this.#slot.log.debug('the plugin failed', { pattern: this.#text, code: failure.code })
    const others = this.#blame(rows, failure)
    if (others.length === 0) this.#land()
    else this.#ask(others)
  }

  /** Lets rows fail: those whose pattern matches the id that the failure names, or all. @returns the others. */
  #blame(rows: readonly number[], failure: SecretsError): number[] {
    const id = failure.details['id']
    const isBlamed = (row: number): boolean => typeof id !== 'string' || this.#patterns[row]?.matches(id) === true
    const others = rows.filter((row) => !isBlamed(row))
    const all = others.length === rows.length
    for (const row of rows) if (all || isBlamed(row)) this.#fail(row, failure)
    return all ? [] : others
  }

  #fail(row: number, failure: SecretsError): void {
    this.#brought[row] ??= failed(failure, now() - this.#began)
  }

  #report({ length }: readonly string[]): void {
    if (length === 0) return
    const what = 'answers outside of what was asked, or of the plugin’s own pattern, were dropped'
    this.#slot.log.warn(what, { pattern: this.#text, dropped: length })
  }

  /** What is asked for, for the log. */
  get #text(): string {
    return this.#patterns.length === 1 ? String(this.#patterns[0]) : `${this.#patterns.length} patterns`
  }

  #end(): void {
    this.#over = true
    this.#round.deadlines.delete(this)
    this.#slot.end(this)
  }

  /** Hands over. */
  #land(): void {
    this.#keep()
    this.#end()
    const [ticket] = this.#tickets
    if (ticket === undefined || this.#tickets.length > 1 || ticket.rows.length < this.#patterns.length)
      void this.#share()
    else ticket.passenger.deliver(ticket, ticket.rows.length === 1 ? this.#brought : this.#broughtFor(ticket))
  }

  /** Hands over copies to all but the last, who gets the original, and wipes what nobody waits for. */
  async #share(): Promise<void> {
    const tickets = this.#tickets
    let taken: readonly number[] = []
    for (let ticket = tickets.shift(); ticket !== undefined; ticket = tickets.shift()) {
      const brought = this.#broughtFor(ticket)
      if (tickets.length === 0) taken = ticket.rows
      ticket.passenger.deliver(ticket, tickets.length === 0 ? brought : await this.#copies(brought))
    }
    if (taken.length === this.#patterns.length) return
    const kept = new Set(taken.flatMap((row) => this.#brought[row]?.secrets ?? []))
    wipe(this.#brought.flatMap(({ secrets }) => secrets.filter((secret) => !kept.has(secret))))
  }

  #broughtFor({ rows }: Ticket): Brought[] {
    return rows.map((row) => this.#brought[row] as Brought)
  }

  async #copies(brought: readonly Brought[]): Promise<readonly Brought[]> {
    try {
      return await copiesOf(brought)
    } catch (error) {
      const failure = failureOf(this.#slot.plugin, error)
      return brought.map(({ latencyMs }) => failed(failure, latencyMs))
    }
  }

  #keep(): void {
    const { plugin, cache } = this.#slot
    if (plugin.cacheTtlMs === undefined || !this.#slot.isCurrent(this)) return
    try {
      this.keys.forEach((key, row) => {
        const brought = this.#brought[row] as Brought
        if (brought.failure === undefined) cache.keep(key, this.own, brought, plugin.cacheTtlMs as number)
      })
    } catch {
      // There was no memory for a copy: it is not kept, then.
    }
  }
}

function isPromise(answers: Answers): answers is Promise<Iterable<Answer>> {
  return typeof (answers as Partial<Promise<unknown>> | undefined)?.then === 'function'
}

function shortened(id: string): string {
  return id.length > SHOWN_CHARACTERS ? `${id.slice(0, SHOWN_CHARACTERS)}…` : id
}
