/** Sockets that a service manager has opened for this process: systemd's socket activation. */
import { readFileSync, readlinkSync } from 'node:fs'

/** A socket that came with the start of this process. */
export interface PassedSocket {
  /** Its address, where the system says; else its number. */
  readonly address: string
  /** The listening descriptor. */
  readonly fd: number
}

const FIRST_FD = 3
const VARIABLES = ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES'] as const

/**
 * The sockets that systemd has passed to this process, and takes the variables that say so out of the environment, so
 * that no plugin takes them for its own.
 * @see sd_listen_fds(3)
 */
export function takePassedSockets(env: NodeJS.ProcessEnv, pid: number = process.pid): PassedSocket[] {
  const isOurs = env['LISTEN_PID'] === String(pid)
  const count = Number(env['LISTEN_FDS'] ?? 0)
  for (const name of VARIABLES) delete env[name]
  if (!isOurs || !Number.isInteger(count) || count < 1 || count > 64) return []
  return Array.from({ length: count }, (_, index) => ({
    address: addressOf(FIRST_FD + index) ?? `descriptor ${FIRST_FD + index}`,
    fd: FIRST_FD + index,
  }))
}

/** The address of a Unix socket of this process, from Linux's table of them. */
function addressOf(fd: number): string | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
    const lines = readFileSync('/proc/net/unix', 'utf8').split('\n')
    // Num RefCount Protocol Flags Type St Inode Path
    const found = lines.map((line) => line.trim().split(/\s+/)).find((words) => words[6] === inode)
    return found?.slice(7).join(' ') || undefined
  } catch {
    return undefined
  }
}
