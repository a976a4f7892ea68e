import { type WaitOptions, wait } from '../wait.js'

/** Lets so many in at once; the others wait, in their order. */
export class Gate {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  /**
   * Does something when there is a place for it.
   * @throws `SE_ABORTED` and `SE_TIMEOUT` where there is none in time, and what `fn` throws.
   */
  async enter<T>(fn: () => Promise<T>, options: WaitOptions & { readonly what: string }): Promise<T> {
    if (this.#free > 0) this.#free--
    else await this.#queue(options)
    try {
      return await fn()
    } finally {
      this.#leave()
    }
  }

  async #queue({ what, signal, timeoutMs }: WaitOptions & { readonly what: string }): Promise<void> {
    let entered = false
    let enter!: () => void
    const turn = new Promise<void>((resolve) => {
      enter = () => {
        entered = true
        resolve()
      }
    })
    this.#waiting.push(enter)
    try {
      await wait({ what, begin: () => turn }, { signal, timeoutMs })
    } catch (error) {
      // The place may have come in the same instant.
      if (entered) this.#leave()
      else this.#waiting.splice(this.#waiting.indexOf(enter), 1)
      throw error
    }
  }

  #leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
