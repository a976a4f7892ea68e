import { checkOptions, checkString, wrongArgument } from '../argument.js'
import type { LocalEngine } from '../engine/engine.js'
import { createError } from '../errors/secrets-error.js'
import { dialledAddress, socketAddress } from './addresses.js'
import type { Daemon } from './daemon.js'

export type { Daemon }

/** Where to serve. */
export interface ServeOptions {
  /** A path, or on Linux a name in the abstract space that begins with `@`. By default `SE_SOCKET`, else where `se` asks. */
  readonly socket?: string | undefined
}

/**
 * Serves an engine to this user's other programs, as `se daemon run` does: over Docker's protocol and our own, on one
 * socket. Programs of other users are refused. Plugins may connect, and are taken out of the engine when they leave.
 * @param engine - Stays the caller's to close, after the daemon.
 * @throws `DaemonError` `SE_DAEMON_RUNNING` when another program listens there, `SE_SOCKET_UNSAFE` when somebody else could
 *   put a socket of theirs in its place; `InvalidInputError` `SE_INVALID_OPTION`, `SE_INVALID_CONFIG`; `StoreError`
 *   `SE_UNSUPPORTED` on Windows.
 */
export async function serve(engine: LocalEngine, options: ServeOptions = {}): Promise<Daemon> {
  checkOptions(options, ['socket'])
  checkString('socket', options.socket)
  if (typeof engine?.addPlugin !== 'function') throw wrongArgument('engine', 'an engine of createEngine', engine)
  if (process.platform === 'win32') throw createError('SE_UNSUPPORTED', 'nothing can be served on Windows')
  const socket = options.socket === undefined ? dialledAddress() : socketAddress(options.socket, process.cwd())
  return (await import('./serve-engine.js')).serveEngine(engine, socket)
}
