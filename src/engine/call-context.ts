import type { PluginContext, PluginLogger, Requester } from './plugin.js'

/**
 * What a plugin is told of a call. A signal costs more than all the rest of a call, so it is made when the plugin looks at
 * it. (An object with a getter of its own would do the same, but V8 makes it a hidden class each, which keeps the call in
 * memory.)
 */
export class CallContext implements PluginContext {
  readonly log: PluginLogger
  readonly requester: Requester
  readonly times: boolean
  #controller: AbortController | undefined
  #aborted: { readonly reason: unknown } | undefined

  constructor(log: PluginLogger, requester: Requester, times: boolean) {
    this.log = log
    this.requester = requester
    this.times = times
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  /** Tells the plugin that nobody waits any more. */
  abort(reason: unknown): void {
    this.#aborted = { reason }
    this.#controller?.abort(reason)
  }
}
