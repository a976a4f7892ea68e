import { checkOptions, checkString } from '../argument.js'
import { dialledAddress, socketAddress } from '../daemon/addresses.js'
import { checkTimeout } from '../wait.js'
import { Client } from './client.js'
import { Connection, PROOF_TIMEOUT_MS } from './connection.js'

/** How to connect. */
export interface ConnectOptions {
  /** Where the daemon listens: a path, or `@name` in Linux's abstract space. By default `SE_SOCKET`, else the user's own. */
  readonly socket?: string | undefined
  /** Milliseconds for the connecting, and for each request that names no limit of its own. No limit by default. */
  readonly timeoutMs?: number | undefined
}

/**
 * Connects to a daemon of se-native, which has a second to prove that it is alive, whatever the limit.
 * @throws `DaemonError` `SE_DAEMON_UNREACHABLE` when none listens there, or one hangs; `SE_DAEMON_INCOMPATIBLE` when it is
 *   another program, or another version; `SE_SOCKET_UNSAFE` when it is another user's; `StoreError` `SE_UNSUPPORTED` on
 *   Windows; `InvalidInputError` `SE_INVALID_OPTION`.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { socket, timeoutMs } = options
  checkOptions(options, ['socket', 'timeoutMs'])
  checkString('socket', socket)
  checkTimeout(timeoutMs)
  const address = socket === undefined ? dialledAddress() : socketAddress(socket, process.cwd())
  const connection = new Connection(address)
  const client = new Client(connection, timeoutMs)
  try {
    await connection.prove()
    // Docker's daemon has a version, too: this says that it is one of ours.
    await client.describe({ timeoutMs: Math.min(timeoutMs ?? PROOF_TIMEOUT_MS, PROOF_TIMEOUT_MS) })
    return client
  } catch (error) {
    await client.close()
    throw error
  }
}
