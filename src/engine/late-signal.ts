/**
 * A signal that is made when somebody looks at it: it costs more than all the rest of a call. (An object with a getter of
 * its own would do the same, but V8 makes it a hidden class each, which keeps the call in memory.)
 */
export class LateSignal {
  #controller: AbortController | undefined
  #aborted: { readonly reason: unknown } | undefined

  /** Aborted when nobody waits any more. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  /** Tells that nobody waits any more. */
  abort(reason: unknown): void {
    this.#aborted = { reason }
    this.#controller?.abort(reason)
  }
}
