/** Reaches the daemon for commands that make no sense without one. */
import type { Client } from '../client/client.js'
import { connect } from '../client/connect.js'
import { readConfig } from '../config/config.js'
import { dialledAddress } from '../daemon/addresses.js'

/**
 * Connects to the daemon, and says how long a request may take.
 * @throws what `connect` does: `SE_DAEMON_UNREACHABLE` when none runs.
 */
export async function reachDaemon(env: NodeJS.ProcessEnv): Promise<{ client: Client; timeoutMs: number | undefined }> {
  const { timeoutMs } = await readConfig(env)
  return { client: await connect({ socket: dialledAddress(env) }), timeoutMs: timeoutMs?.value }
}
