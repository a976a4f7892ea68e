import { now } from '../clock.js'

/** Time, as far as plugins are started, ended and waited for by it. Tests have a clock of their own. */
export interface Clock {
  /** Milliseconds that only grow. */
  now(): number
  /** Calls a function later, unless the answer of this is called before. Does not keep the process alive. */
  after(ms: number, fn: () => void): () => void
}

/** The clock on the wall. */
export const systemClock: Clock = {
  now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms).unref()
    return () => clearTimeout(timer)
  },
}

/** Whether something comes within so many milliseconds. It must not reject. */
export function within(clock: Clock, ms: number, event: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, () => resolve(false))
    void event.then(() => {
      cancel()
      resolve(true)
    })
  })
}
