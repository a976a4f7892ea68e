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

  /** Throws the reason when nobody waits any more. */
  check(): void {
    if (this.#aborted !== undefined) throw this.#aborted.reason
  }

  /** Tells that nobody waits any more. */
  abort(reason: unknown): void {
    this.#aborted = { reason }
    this.#controller?.abort(reason)
  }
}

/** Throws the reason when a signal is aborted. One that nobody has looked at is not made for that. */
export function throwIfAborted(context: { readonly signal: AbortSignal }): void {
  if (context instanceof LateSignal) context.check()
  else context.signal.throwIfAborted()
}
