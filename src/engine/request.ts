// One request: which plugins it asks for which of its patterns, and what they bring.
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { type Pattern, parsePattern } from '../pattern.js'
import type { Secret } from '../secret.js'
import { type Brought, wipe } from './brought.js'
import { Call, type Passenger, type Round, type Ticket } from './call.js'
import type { OutcomeStatus, PatternResult, PluginOutcome } from './engine.js'
import { statusOf } from './failure.js'
import { keyOf, type Slot } from './slot.js'

/** A plugin as it was when it was asked. */
interface Asked {
  readonly slot: Slot
  readonly own: Pattern
  readonly enabled: boolean
  /** From how many calls and kept answers its secrets come. */
  sources: number
}

/** A request under way. */
export class Request implements Passenger {
  /** What is asked for, each pattern once. */
  readonly patterns: readonly Pattern[]
  readonly #texts: readonly string[]
  /** Is told when nobody waits any more. */
  onAbandon: ((reason: unknown) => void) | undefined
  #asked: readonly Asked[] = []
  /** What was brought: for each plugin, for each pattern. */
  readonly #cells: (Brought | undefined)[] = []
  readonly #tickets: Ticket[] = []
  #pending = 0
  #abandoned: SecretsError | undefined
  #handedOver = false
  #settled: (() => void) | undefined

  /** @throws `InvalidInputError` `SE_INVALID_PATTERN`. */
  constructor(texts: readonly string[]) {
    this.#texts = texts
    this.patterns = texts.length === 1 ? [parsePattern(texts[0] as string)] : [...new Set(texts)].map(parsePattern)
  }

  /** That it was abandoned. */
  get abandonment(): SecretsError | undefined {
    return this.#abandoned
  }

  /** What it does, for errors. */
  get what(): string {
    const names = this.#asked.filter(({ sources }) => sources > 0).map(({ slot }) => slot.plugin.name)
    const [only] = this.patterns
    const wanted = this.patterns.length === 1 ? only?.text : `${this.patterns.length} patterns`
    return `asking ${names.length === 0 ? 'no plugin' : names.join(', ')} for ${wanted}`
  }

  /**
   * Asks the plugins, all at once: joins calls that ask for the same, and begins what remains.
   * @param settled - Is called once, perhaps at once: each has answered or failed, or the request was abandoned.
   */
  ask(slots: readonly Slot[], round: Round, settled: () => void): void {
    if (this.#abandoned !== undefined) return settled()
    this.#settled = settled
    this.#asked = slots.map((slot) => {
      return { slot, own: slot.plugin.parsedPattern, enabled: slot.enabled, sources: 0 }
    })
    for (let place = 0; place < this.#asked.length; place++) {
      const asked = this.#asked[place] as Asked
      if (asked.enabled) this.#board(asked, place * this.patterns.length, round)
    }
    if (this.#pending === 0) settled()
  }

  /** Takes what a call brought. */
  deliver({ cells }: Ticket, brought: readonly Brought[]): void {
    if (this.#abandoned !== undefined) return wipe(brought.flatMap(({ secrets }) => secrets))
    for (let n = 0; n < cells.length; n++) this.#cells[cells[n] as number] = brought[n]
    this.#pending--
    if (this.#pending === 0) this.#settled?.()
  }

  /** Leaves every call, and wipes what has come. Nothing, after the results were handed over. */
  abandon(reason: unknown): void {
    if (this.#abandoned !== undefined || this.#handedOver) return
    this.#abandoned = createError('SE_ABORTED', `${this.what} was abandoned by the caller`, {
      cause: reason,
      details: { abandoned: this.what, begun: true },
    })
    this.onAbandon?.(reason)
    for (const ticket of this.#tickets) ticket.call.leave(ticket, reason)
    for (const brought of this.#cells) if (brought !== undefined) wipe(brought.secrets)
    this.#settled?.()
  }

  /** What came, for each text, also for one that is repeated. The secrets are the caller's from then on. @throws `SE_ABORTED`. */
  results(): PatternResult[] {
    if (this.#abandoned !== undefined) throw this.#abandoned
    this.#handedOver = true
    this.#unify()
    const results = this.patterns.map((pattern, row) => this.#result(pattern, row))
    if (results.length === this.#texts.length) return results
    const byText = new Map(results.map((result) => [result.pattern, result]))
    return this.#texts.map((text) => byText.get(text) as PatternResult)
  }

  #result({ text }: Pattern, row: number): PatternResult {
    const outcomes: PluginOutcome[] = []
    const lists: (readonly Secret[])[] = []
    for (let place = 0; place < this.#asked.length; place++) {
      const brought = this.#cells[place * this.patterns.length + row]
      outcomes.push(outcomeOf(this.#asked[place] as Asked, brought))
      if (brought !== undefined && brought.secrets.length > 0) lists.push(brought.secrets)
    }
    return { pattern: text, secrets: lists.length === 1 ? (lists[0] as Secret[]) : lists.flat(), outcomes }
  }

  #board(asked: Asked, firstCell: number, round: Round): void {
    const { slot, own } = asked
    const { plugin } = slot
    if (plugin.kind === 'access control') return
    const fresh: Pattern[] = []
    const cells: number[] = []
    for (let row = 0; row < this.patterns.length; row++) {
      const pattern = this.patterns[row] as Pattern
      if (!own.overlaps(pattern)) continue
      const cell = firstCell + row
      const key = keyOf(pattern, round.times)
      const kept = plugin.cacheTtlMs === undefined ? undefined : slot.cache.find(key, own)
      const call = kept === undefined ? slot.find(key, own) : undefined
      if (kept !== undefined) {
        asked.sources++
        this.#cells[cell] = { secrets: kept, dropped: [], failure: undefined, latencyMs: 0, cached: true }
      } else if (call !== undefined) {
        this.#wait(asked, call, call.rowOf(key), cell)
      } else {
        fresh.push(pattern)
        cells.push(cell)
      }
    }
    if (plugin.getMany !== undefined && fresh.length > 0) this.#begin(asked, fresh, cells, round)
    else for (let n = 0; n < fresh.length; n++) this.#begin(asked, [fresh[n] as Pattern], [cells[n] as number], round)
  }

  #begin(asked: Asked, patterns: readonly Pattern[], cells: readonly number[], round: Round): void {
    const call = new Call(asked.slot, asked.own, patterns, round)
    for (let row = 0; row < cells.length; row++) this.#wait(asked, call, row, cells[row] as number)
  }

  #wait(asked: Asked, call: Call, row: number, cell: number): void {
    const ticket = call.board(this, row, cell)
    if (ticket.rows.length > 1) return
    asked.sources++
    this.#pending++
    this.#tickets.push(ticket)
  }

  /**
   * Makes a plugin's secret one object, though it came for two patterns by two ways. Of several with one id in an answer,
   * the first is the same as the first of another answer, and so on.
   */
  #unify(): void {
    for (let place = 0; place < this.#asked.length; place++) {
      if ((this.#asked[place] as Asked).sources < 2) continue
      const known = new Map<string, Secret[]>()
      for (let cell = place * this.patterns.length; cell < (place + 1) * this.patterns.length; cell++) {
        const brought = this.#cells[cell]
        if (brought === undefined) continue
        let nth = 0
        const secrets = brought.secrets.map((secret, n) => {
          nth = brought.secrets[n - 1]?.id === secret.id ? nth + 1 : 0
          const same = known.get(secret.id) ?? []
          const first = same[nth]
          if (first === undefined) known.set(secret.id, [...same, secret])
          else if (first !== secret) secret.dispose()
          return first ?? secret
        })
        this.#cells[cell] = { ...brought, secrets }
      }
    }
  }
}

function outcomeOf({ slot, own, enabled }: Asked, brought: Brought | undefined): PluginOutcome {
  const plugin = slot.plugin.name
  const pattern = own.text
  if (brought === undefined) {
    const status = enabled ? 'not asked: no overlap' : 'not asked: disabled'
    return { plugin, pattern, status, ids: [], dropped: [], latencyMs: undefined, failure: undefined }
  }
  const { secrets, dropped, latencyMs, failure } = brought
  const ids = secrets.map(({ id }) => id)
  return { plugin, pattern, status: came(brought), ids, dropped, latencyMs, failure }
}

function came({ failure, secrets, cached }: Brought): OutcomeStatus {
  if (failure !== undefined) return statusOf(failure)
  return cached ? 'cached' : secrets.length === 0 ? 'nothing' : 'answered'
}
