import { LateSignal } from './late-signal.js'
import type { PluginContext, PluginLogger, Requester } from './plugin.js'

/** What a plugin is told of a call. */
export class CallContext extends LateSignal implements PluginContext {
  readonly log: PluginLogger
  readonly requester: Requester
  readonly times: boolean

  constructor(log: PluginLogger, requester: Requester, times: boolean) {
    super()
    this.log = log
    this.requester = requester
    this.times = times
  }
}
