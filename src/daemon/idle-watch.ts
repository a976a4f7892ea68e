/** Notices that nobody has asked for a while. */
import { type Clock, systemClock } from '../plugin-host/clock.js'

/** Waits for an idle time. Holds nothing alive by itself. */
export class IdleWatch {
  readonly #idleMs: number
  readonly #isBusy: () => boolean
  readonly #onIdle: () => void
  readonly #clock: Clock
  #last: number
  #cancel: () => void

  /**
   * @param idleMs - How long nobody may have asked.
   * @param isBusy - Whether something is under way, such as a request or the session of a plugin.
   * @param onIdle - Called once.
   */
  constructor(idleMs: number, isBusy: () => boolean, onIdle: () => void, clock: Clock = systemClock) {
    this.#idleMs = idleMs
    this.#isBusy = isBusy
    this.#onIdle = onIdle
    this.#clock = clock
    this.#last = clock.now()
    this.#cancel = this.#wait(idleMs)
  }

  /** Notes that somebody asks. */
  touch(): void {
    this.#last = this.#clock.now()
  }

  /** Ends the waiting. */
  stop(): void {
    this.#cancel()
  }

  #wait(ms: number): () => void {
    return this.#clock.after(ms, () => this.#look())
  }

  #look(): void {
    if (this.#isBusy()) this.touch()
    const left = this.#last + this.#idleMs - this.#clock.now()
    if (left > 0) this.#cancel = this.#wait(Math.ceil(left))
    else this.#onIdle()
  }
}
