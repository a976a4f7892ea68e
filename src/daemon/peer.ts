// Who is at the other end of a connection. The one place that reaches for the descriptor of one of Node's sockets, which
// Node does not show: __test__/daemon/peer.spec.ts proves it for each Node that this project runs on.
import type { Socket } from 'node:net'
import type { Requester } from '../engine/plugin.js'
import { createError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { PeerCredentials } from '../native/socket.js'

/** The descriptor of a socket; -1 when it is closed. */
export function descriptorOf(socket: Socket): number {
  return (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle?.fd ?? -1
}

/**
 * The credentials of whoever connected, as the system noted them then.
 * @throws `SE_SOCKET_UNSAFE` when the socket is closed or has no descriptor; what the system fails with.
 */
export function peerOf(socket: Socket): PeerCredentials {
  const fd = descriptorOf(socket)
  if (fd >= 0) return unwrap(native().peerCredentials(fd))
  throw createError('SE_SOCKET_UNSAFE', 'who made a connection cannot be told: its descriptor is not known')
}

/** The program that connected. Its name and path are empty where it has ended, or may not be seen. */
export function requesterOf({ pid = 0 }: PeerCredentials): Requester {
  const program = pid > 0 ? native().programOf(pid).value : undefined
  return { pid, name: program?.name ?? '', path: program?.path ?? '' }
}
