import type { PluginLogger } from '../engine/plugin.js'
import type { acceptSession } from '../session/plugin-session.js'
import type { AccessGate } from './access-gate.js'
import type { Clock } from './clock.js'
import type { PluginStates } from './plugin-states.js'

/** Takes a plugin's socket and answers with its session. */
export type AcceptSession = typeof acceptSession

/** What plugins in processes of their own need of their host. */
export interface HostOptions {
  /** Where starts and ends are told. */
  readonly log: PluginLogger
  /** The folder of what plugins write. */
  readonly logFolder: string
  /** What is remembered of plugins. */
  readonly states: PluginStates
  /** Takes those that decide about access. */
  readonly gate: AccessGate
  readonly accept: AcceptSession
  /** Milliseconds that a plugin has to end after each step: being asked to, SIGINT. Default 2,000. */
  readonly graceMs?: number | undefined
  /** The time, for tests. */
  readonly clock?: Clock | undefined
}
