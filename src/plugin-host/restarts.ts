/** When a plugin that ended by itself is started again: after 2 s, then twice as long each time, at most five times. */

/** How often it is started again. */
export const MAX_RESTARTS = 5
/** How long the first wait is. */
const FIRST_MS = 2000
/** A plugin that ran for so long has its faults forgiven. */
const STEADY_MS = 60_000

/** Counts the ends of one plugin. */
export class Restarts {
  #ends = 0

  /** How often it was started again. */
  get count(): number {
    return Math.min(this.#ends, MAX_RESTARTS)
  }

  /**
   * Counts an end.
   * @param ranMs - How long it had run, from its registration on; zero when it did not come to that.
   * @returns milliseconds to wait before the next start; nothing when there is to be none.
   */
  ended(ranMs: number): number | undefined {
    if (ranMs >= STEADY_MS) this.#ends = 0
    this.#ends++
    return this.#ends > MAX_RESTARTS ? undefined : FIRST_MS * 2 ** (this.#ends - 1)
  }

  /** Begins again. */
  forgive(): void {
    this.#ends = 0
  }
}
