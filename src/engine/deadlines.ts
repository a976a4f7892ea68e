// Time limits with one timer for all: most of what is limited ends long before its limit, and costs no timer then.
import { now } from '../clock.js'

/** Something that has a time limit. */
export interface Due {
  /** When its time is over, in milliseconds of {@link now}. */
  readonly at: number
  /** Ends it. Called once, when its time is over. */
  expire(): void
}

/** A timer that rings between 1 ms too early and too late is on time. */
const TOLERANCE_MS = 1

/** What is waiting, until it is taken out or its time is over. Keeps the process alive while something is. */
export class Deadlines {
  readonly #waiting = new Set<Due>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer rings. */
  #ringsAt = Number.POSITIVE_INFINITY

  /** Waits for the end of its time. */
  add(due: Due): void {
    this.#waiting.add(due)
    if (due.at < this.#ringsAt) this.#arm(due.at)
    else if (this.#waiting.size === 1) this.#timer?.ref()
  }

  /** Forgets it: it has ended. The timer stays, for the next. */
  delete(due: Due): void {
    if (this.#waiting.delete(due) && this.#waiting.size === 0) this.#timer?.unref()
  }

  #arm(at: number): void {
    clearTimeout(this.#timer)
    this.#ringsAt = at
    this.#timer = setTimeout(() => this.#ring(), Math.max(Math.ceil(at - now()), 1))
  }

  #ring(): void {
    const late = now() + TOLERANCE_MS
    this.#ringsAt = Number.POSITIVE_INFINITY
    this.#timer = undefined
    for (const due of this.#waiting) {
      if (due.at > late) continue
      this.#waiting.delete(due)
      due.expire()
    }
    let next = Number.POSITIVE_INFINITY
    for (const { at } of this.#waiting) next = Math.min(next, at)
    if (next < this.#ringsAt) this.#arm(next)
  }
}
