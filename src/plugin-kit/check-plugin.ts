import { parseId } from '../id.js'
import { KeepAlive } from '../plugin-host/keep-alive.js'
import { type CheckResult, Checks, type PluginReport } from './report.js'

export type { CheckResult, PluginReport } from './report.js'

/** Which plugin is checked, and how. */
export interface PluginCheckOptions {
  /** Its program, an absolute path or a name on the `PATH`, and its arguments. */
  readonly command: readonly [string, ...string[]]
  /** How it is spoken to. Default `session`. */
  readonly protocol?: 'session' | 'lines'
  /** Ids that it has, as many as tell something: a value that is long, one of any bytes, one with metadata. */
  readonly ids?: readonly string[]
  /** Variables for it, beside the few that every plugin gets. */
  readonly env?: Readonly<Record<string, string>>
  /** The name that it is launched with. */
  readonly name?: string
}

/**
 * Checks that a program keeps the rules of plugins: it is started as the engine starts it, asked, given up, killed, started
 * again and ended. Values are compared and never shown.
 * @param options - Which program. With `ids` that it has, more can be asked.
 * @param onResult - Is told of each check as it ends.
 * @throws `SE_INVALID_ID`. A plugin that fails is in the report.
 */
export async function checkPlugin(
  options: PluginCheckOptions,
  onResult: (result: CheckResult) => void = () => {},
): Promise<PluginReport> {
  const { protocol = 'session', ids = [], env = {}, name = 'plugin' } = options
  for (const id of ids) parseId(id)
  const checks = new Checks(onResult)
  const all = { command: options.command, protocol, ids, env, name }
  // Processes of plugins keep nobody alive.
  await new KeepAlive().during(async () => {
    if (protocol === 'lines') await (await import('./lines-checks.js')).checkLines(checks, all)
    else await (await import('./session-checks.js')).checkSession(checks, all)
  })
  return checks.report
}
