// Whether the daemon resolves, or an engine in this process. Both give the same answer; what would give another is an
// error, never a silent switch.
import { lstatSync } from 'node:fs'
import { dialledAddress } from '../daemon/addresses.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { DaemonDescription } from './answers.js'
import { Client } from './client.js'
import { Connection, PROOF_TIMEOUT_MS } from './connection.js'

/** Variables that choose a store for this process, whatever the daemon uses. */
const STORE_VARIABLES = ['SE_STORE', 'SE_STORE_PATH', 'SE_IDENTITY', 'SE_CONFIG'] as const

/**
 * The daemon that this process uses: the one at `SE_SOCKET`, else the user's own where it runs. None when nothing listens
 * at the user's own address, or when this process's variables name another store than the daemon's.
 * @throws `DaemonError` `SE_DAEMON_UNREACHABLE` when a daemon is there and hangs, or `SE_SOCKET` names what nobody listens
 *   on; `SE_SOCKET_UNSAFE`; `SE_DAEMON_INCOMPATIBLE`, also when `SE_SOCKET` and a variable of the store contradict each
 *   other.
 */
export async function findDaemon(env: NodeJS.ProcessEnv): Promise<Client | undefined> {
  const named = (env['SE_SOCKET'] ?? '') !== ''
  if (process.platform === 'win32' && !named) return undefined
  const address = dialledAddress(env)
  if (!named && isAbsent(address)) return undefined
  const connection = new Connection(address)
  try {
    await connection.prove()
    const client = new Client(connection)
    const chosen = STORE_VARIABLES.filter((name) => (env[name] ?? '') !== '')
    if (chosen.length === 0) return client
    const other = await otherStore(await client.describe({ timeoutMs: PROOF_TIMEOUT_MS }), env)
    if (other === undefined) return client
    if (named) throw contradiction(chosen, other, address)
  } catch (error) {
    connection.close()
    const { code, message, details } = error as SecretsError
    if (code !== 'SE_DAEMON_UNREACHABLE' || details['hangs'] === true || !isRefused(address)) throw error
    if (!named) return undefined
    const hint = 'SE_SOCKET names this address: unset it to ask the usual daemon, or start one there: se daemon start'
    throw createError(code, message, { hint, details, cause: error })
  }
  connection.close()
  return undefined
}

/** Whether nothing is at an address, without asking it: daemons that end remove their sockets. */
export function isAbsent(address: string): boolean {
  if (address.startsWith('@')) return false
  try {
    return lstatSync(address, { throwIfNoEntry: false }) === undefined
  } catch {
    return false // the connection says why
  }
}

/** Whether a daemon ended and left its socket, or ends just now. */
function isRefused(address: string): boolean {
  return unwrap(native().probeUnix(address, process.getuid?.() ?? 0)) !== 'listening'
}

/** In which way the daemon's store is another than the one that this process's configuration names. */
async function otherStore(daemon: DaemonDescription, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const { readConfig } = await import('../config/config.js')
  const { file, store, storePath } = await readConfig(env)
  if (env['SE_CONFIG'] && file !== daemon.configFile) return `it reads ${daemon.configFile}`
  const kind = store?.value ?? 'keychain'
  if (kind !== daemon.storeKind) return `its store is ${daemon.storeKind || 'none'}`
  return kind === 'file' && storePath.value !== daemon.storeLocation
    ? `its store is ${daemon.storeLocation}`
    : undefined
}

function contradiction(chosen: readonly string[], other: string, address: string): SecretsError {
  const message = `the daemon at ${address} does not have the store that ${chosen.join(', ')} chose: ${other}`
  return createError('SE_DAEMON_INCOMPATIBLE', message, {
    hint: `unset SE_SOCKET to ask in this process, or ${chosen.join(', ')} to ask the daemon`,
    details: { address, variables: chosen },
  })
}
