/** Notices that nobody has asked for a while. */

/** Waits for an idle time. Holds nothing alive by itself. */
export class IdleWatch {
  readonly #idleMs: number
  readonly #isBusy: () => boolean
  readonly #onIdle: () => void
  #last = performance.now()
  #timer: NodeJS.Timeout

  /**
   * @param idleMs - How long nobody may have asked.
   * @param isBusy - Whether something is under way, such as a request or the session of a plugin.
   * @param onIdle - Called once.
   */
  constructor(idleMs: number, isBusy: () => boolean, onIdle: () => void) {
    this.#idleMs = idleMs
    this.#isBusy = isBusy
    this.#onIdle = onIdle
    this.#timer = this.#wait(idleMs)
  }

  /** Notes that somebody asks. */
  touch(): void {
    this.#last = performance.now()
  }

  /** Ends the waiting. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#look(), ms).unref()
  }

  #look(): void {
    if (this.#isBusy()) this.touch()
    const left = this.#last + this.#idleMs - performance.now()
    if (left > 0) this.#timer = this.#wait(Math.ceil(left))
    else this.#onIdle()
  }
}
