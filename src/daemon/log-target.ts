/**
 * Where the daemon's log goes: standard error where somebody reads that, a terminal, a pipe or the journal, else a file
 * in the user's state folder, which is rotated.
 */
import { closeSync, constants, fchmodSync, fstatSync, mkdirSync, openSync, renameSync, write, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathBase } from '../config/paths.js'
import type { LogTarget } from './log.js'

/** How large a file of the log grows. There are two: the one that is written, and the one before. */
export const MAX_LOG_BYTES = 4 << 20

/** What `se daemon status` says where the log is on standard error. */
export const STANDARD_ERROR = 'standard error'

/** The file of the log: `se-native/daemon.log` in `XDG_STATE_HOME`; `~/Library/Logs` on macOS. */
export function logFile(env: NodeJS.ProcessEnv = process.env): string {
  const { platform, home } = pathBase(env)
  const state = env['XDG_STATE_HOME']
  const folder =
    state?.startsWith('/') === true
      ? state
      : platform === 'darwin'
        ? join(home, 'Library', 'Logs')
        : join(home, '.local', 'state')
  return join(folder, 'se-native', 'daemon.log')
}

/** The file that was written before, with older lines. */
export function olderLogFile(file: string): string {
  return `${file}.1`
}

/** Whether somebody reads what this process writes to standard error: a terminal, a pipe, or the journal's socket. */
export function isRead(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return (
      stat.isFIFO() || stat.isSocket() || (stat.isCharacterDevice() && process.getBuiltinModule('node:tty').isatty(fd))
    )
  } catch {
    return false // closed
  }
}

/** A target on standard error that never waits in a system call: a reader that is slow must not stop requests. */
export function standardErrorTarget(): LogTarget {
  return fstatSync(2).isSocket() ? socketTarget(process.stderr) : openedTarget(2)
}

/** A pipe or a terminal is opened anew: the flag that keeps it from waiting is shared by all who have the same opening. */
function openedTarget(fd: number): LogTarget {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY
  let own = fd
  try {
    own = openSync(`/dev/fd/${fd}`, flags)
  } catch {} // without /proc it is used as it is
  return {
    async write(bytes) {
      for (;;) {
        try {
          return writeSync(own, bytes)
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
          await sleep(20, undefined, { ref: false })
        }
      }
    },
    close() {
      if (own !== fd) closeSync(own)
    },
  }
}

/**
 * A socket, such as the journal's, cannot be opened anew. Node's own stream on it does not wait either, and must be the only
 * one: Node opens it whenever any socket is closed, and two on one descriptor fail.
 */
function socketTarget(stream: NodeJS.WriteStream): LogTarget {
  stream.on('error', () => {}) // each write is told
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(error) : resolve(bytes.length)))
      }),
    close() {},
  }
}

/**
 * Opens a file of the log at its end: mode 0600, in a folder of mode 0700.
 * @throws when it is a link, or no file; what the system does.
 */
export function openLogFile(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
  const fd = openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  if (fstatSync(fd).isFile()) {
    fchmodSync(fd, 0o600)
    return fd
  }
  closeSync(fd)
  throw new Error(`${file} is no file`)
}

/** A target on a file, opened with the first line and again after a failure. */
export function fileTarget(file: string, maxBytes = MAX_LOG_BYTES): LogTarget {
  let fd: number | undefined
  let size = 0
  const open = (): number => {
    const opened = openLogFile(file)
    size = fstatSync(opened).size
    return opened
  }
  const close = (): void => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }
  return {
    async write(bytes) {
      try {
        fd ??= open()
        if (size > 0 && size + bytes.length > maxBytes) {
          close()
          renameSync(file, olderLogFile(file))
          fd = open()
        }
        const written = await writeSome(fd, bytes.subarray(0, maxBytes))
        size += written
        return written
      } catch (error) {
        close()
        throw error
      }
    },
    close,
  }
}

function writeSome(fd: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, null, (error, written) => (error === null ? resolve(written) : reject(error)))
  })
}
