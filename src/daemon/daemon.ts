/** A daemon: a server of an engine on its sockets, from the first connection to the last answer. */
import type { PassedSocket } from './activation.js'
import type { LeftAddress, Listener } from './listen.js'
import { createDaemonServer, type DaemonServerOptions } from './server.js'

/** An engine that other programs can ask. */
export interface Daemon extends AsyncDisposable {
  /** Where it listens. */
  readonly addresses: readonly string[]
  /** Stops accepting, answers what it was asked for, for 20 seconds at most, and removes its sockets. Again: nothing. */
  close(): Promise<void>
}

/** A daemon, for the process whose daemon it is. */
export interface RunningDaemon extends Daemon {
  /** How many requests are under way. */
  readonly activeRequests: number
}

/** What a daemon is made of. */
export interface DaemonOptions extends DaemonServerOptions {
  /** Sockets of its own. */
  readonly listeners: readonly Listener[]
  /** Sockets that came with the process. */
  readonly passed?: readonly PassedSocket[] | undefined
  /** What is closed between the last request and the last session of a plugin, which needs both. */
  end?(): Promise<void>
}

/** What a daemon says about itself beside what every client of ours understands. */
export interface OwnFacts {
  /** Addresses that were left to others, and why. */
  readonly left: readonly { readonly address: string; readonly reason: string }[]
  /** The file of its log, or `standard error`. */
  readonly log: string
}

/** How long requests may take to end. */
const DRAIN_MS = 20_000

/** Begins to serve. */
export function startDaemon(options: DaemonOptions): RunningDaemon {
  const { listeners, passed = [], log } = options
  const server = createDaemonServer(options)
  for (const { fd } of [...passed, ...listeners]) server.listen(fd)
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    // First, so that nobody new connects to what ends, and another daemon can begin at once.
    for (const { address, release } of listeners) {
      try {
        release()
      } catch (error) {
        log.event('warn', 'a socket cannot be removed', { address, reason: (error as Error).message })
      }
    }
    await server.drain(DRAIN_MS)
    await options.end?.()
    await server.close()
  }
  const daemon: RunningDaemon = {
    addresses: [...passed, ...listeners].map(({ address }) => address),
    get activeRequests() {
      return server.activeRequests
    },
    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]: () => daemon.close(),
  }
  return daemon
}

/** Addresses that were left to others, for people. */
export function leftFacts(left: readonly LeftAddress[]): OwnFacts['left'] {
  return left.map(({ address, error }) => ({ address, reason: error.message }))
}
