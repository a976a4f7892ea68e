/**
 * Listening on Unix sockets so that no other program loses its own. Whoever holds the lock of `ADDRESS.lock` may judge
 * the socket beside it, put another in its place, and remove it. The system lets go of a lock when its process ends, however
 * that ends; the file stays. A name in the abstract space needs none of this: it goes with its process.
 */
import { closeSync, lstatSync, type Stats, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { MAX_SOCKET_PATH_BYTES } from './addresses.js'
import { secureFolder } from './socket-folder.js'

/** A socket that this process listens on. */
export interface Listener {
  /** Its address: a path, or a name that begins with `@`. */
  readonly address: string
  /** The listening descriptor, for a server, which closes it. */
  readonly fd: number
  /** Removes the socket, where it still is ours, and lets go of its lock. To be called once. */
  release(): void
}

/** An address that was left to whoever has it. */
export interface LeftAddress {
  readonly address: string
  /** Why. */
  readonly error: SecretsError
}

/** What came of listening on several addresses. */
export interface Listening {
  readonly listeners: readonly Listener[]
  readonly left: readonly LeftAddress[]
}

/**
 * Listens on each address that no other program has. The first is where our own clients ask: without it there is no
 * daemon.
 * @throws the failure of the first address.
 */
export function listenOnAll(addresses: readonly string[], uid: number): Listening {
  const listeners: Listener[] = []
  const left: LeftAddress[] = []
  for (const address of addresses) {
    try {
      listeners.push(listenOn(address, uid))
    } catch (error) {
      if (address === addresses[0] || !SecretsError.is(error)) {
        closeListeners(listeners)
        throw error
      }
      left.push({ address, error })
    }
  }
  return { listeners, left }
}

/** Closes what is not served yet. */
export function closeListeners(listeners: readonly Listener[]): void {
  for (const { fd, release } of listeners) {
    release()
    closeSync(fd)
  }
}

/**
 * Listens on one address.
 * @param uid - Whose daemon this is.
 * @throws `DaemonError` `SE_DAEMON_RUNNING` when another program listens there, whose detail `holder` is `a daemon` when
 *   that is one of ours; `SE_SOCKET_UNSAFE`; `InvalidInputError` `SE_INVALID_CONFIG`.
 */
export function listenOn(address: string, uid: number): Listener {
  return address.startsWith('@') ? listenOnName(address) : listenOnPath(address, uid)
}

function listenOnName(address: string): Listener {
  const outcome = native().listenUnix(address)
  if (outcome.error?.code === 'SE_DAEMON_RUNNING') throw running(address, 'another program')
  return { address, fd: unwrap(outcome), release() {} }
}

function listenOnPath(address: string, uid: number): Listener {
  if (Buffer.byteLength(address) > MAX_SOCKET_PATH_BYTES) {
    throw createError(
      'SE_INVALID_CONFIG',
      `the path of the socket ${address} is longer than ${MAX_SOCKET_PATH_BYTES} bytes`,
      {
        hint: 'name a shorter one with SE_SOCKET, or with addresses in config.toml',
        details: { address },
      },
    )
  }
  secureFolder(dirname(address), uid)
  const lock = unwrap(native().lockFile(`${address}.lock`))
  if (lock === null) throw running(address, 'a daemon')
  try {
    const there = statOf(address)
    if (there !== undefined && !there.isSocket()) {
      throw createError('SE_SOCKET_UNSAFE', `${address} is there already, and is no socket`, {
        hint: `move it away, or remove it: rm ${address}`,
        details: { address },
      })
    }
    if (unwrap(native().probeUnix(address, uid)) === 'listening') throw running(address, 'another program')
    const fd = unwrap(native().listenUnix(address))
    const own = statOf(address)
    return {
      address,
      fd,
      release() {
        try {
          const now = statOf(address)
          if (own !== undefined && now?.ino === own.ino && now.dev === own.dev) unlinkSync(address)
        } finally {
          lock.release()
        }
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function running(address: string, holder: 'a daemon' | 'another program'): SecretsError {
  const who = holder === 'a daemon' ? 'a daemon of se-native runs already' : 'another program listens already'
  const hint =
    holder === 'a daemon'
      ? 'se daemon status shows it, se daemon stop ends it'
      : 'end that program, or name other addresses in config.toml'
  return createError('SE_DAEMON_RUNNING', `${who} on ${address}`, { hint, details: { address, holder } })
}
