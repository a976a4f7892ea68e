/** Keeps this process alive while something is waited for: plugins' processes and sockets do not. */
export class KeepAlive {
  #users = 0
  #timer: NodeJS.Timeout | undefined

  /** Does some work, during which the process does not end by itself. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#users++ === 0) this.#timer = setInterval(() => {}, 2 ** 31 - 1)
    try {
      return await work()
    } finally {
      if (--this.#users === 0) clearInterval(this.#timer)
    }
  }
}
