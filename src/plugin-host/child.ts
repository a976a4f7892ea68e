/** One process of a plugin: in a process group of its own, with nothing of ours but what it is given. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import type { Duplex, Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { ownReads } from '../session/own-reads.js'
import { type Clock, within } from './clock.js'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process that runs. */
export interface Child {
  readonly pid: number
  /** Its standard input; `/dev/null` for a process that has a session. */
  readonly stdin: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Our end of the socket that is its descriptor 3. */
  readonly socket: Duplex | undefined
  /** When it has ended. Never rejects. */
  readonly exited: Promise<Exit>
  /** Sends a signal to its whole group. Nothing, when it has ended: its number may be another's by then. */
  signal(name: NodeJS.Signals): void
}

/** What is started, and how. */
export interface ChildOptions {
  readonly command: readonly [string, ...string[]]
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>
  /** Whether it speaks over descriptor 3; else over its standard input and output. */
  readonly session: boolean
}

// How long what a process wrote may still be read when it has ended; twice, since a time in which this process was busy
// may be over with one.
const REST_MS = 500

// Those that run. A process of ours that ends without closing its engine leaves none behind.
const running = new Set<Child>()
let listening = false

/**
 * Starts a process, in the home folder of the user. Nothing that it holds keeps this process alive.
 * @throws `SE_PLUGIN_UNAVAILABLE` when it cannot be started.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  // Node marks what it opens itself; not what it was started with, nor what addons open.
  if (process.platform !== 'win32') unwrap(native().closeOnExec())
  const started = spawned(options)
  const exited = new Promise<Exit>((resolve) => {
    started.once('exit', (code, signal) => resolve({ code, signal }))
  })
  await new Promise<void>((resolve, reject) => {
    started.once('spawn', resolve)
    started.once('error', (error) => reject(notStarted(options.command[0], error)))
  })
  started.on('error', () => {}) // a signal that could not be sent
  const child = wrap(started, options.session, exited)
  watch(child, started)
  return child
}

function spawned({ command: [program, ...args], env, session }: ChildOptions): ChildProcess {
  try {
    return spawn(program, args, {
      // Node marks what it opens close-on-exec, so only these get through.
      stdio: session ? ['ignore', 'pipe', 'pipe', 'pipe'] : ['pipe', 'pipe', 'pipe'],
      env,
      cwd: existsSync(homedir()) ? homedir() : '/',
      detached: true, // a group of its own, and no terminal
      windowsHide: true,
    })
  } catch (error) {
    throw notStarted(program, error)
  }
}

function wrap(started: ChildProcess, session: boolean, exited: Promise<Exit>): Child {
  const { pid, stdin, stdout, stderr, stdio } = started
  const socket = session ? (stdio[3] as Duplex) : undefined
  started.unref()
  // Values come through it, unless they come through the socket.
  if (!session) ownReads(stdout as Readable)
  for (const stream of [stdin, stdout, stderr, socket]) {
    stream?.on('error', () => {}) // it has gone; `exited` says so
    ;(stream as { unref?(): void } | null | undefined)?.unref?.()
  }
  return {
    pid: pid as number,
    stdin,
    stdout: stdout as Readable,
    stderr: stderr as Readable,
    socket,
    exited,
    signal(name) {
      if (started.exitCode === null && started.signalCode === null) signalGroup(started, name)
    },
  }
}

function signalGroup(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (process.platform === 'win32') child.kill(name)
    else process.kill(-(child.pid as number), name)
  } catch {
    // It has ended.
  }
}

function watch(child: Child, started: ChildProcess): void {
  running.add(child)
  if (!listening) {
    listening = true
    process.on('exit', () => {
      for (const left of running) left.signal('SIGTERM')
    })
  }
  void child.exited.then(() => {
    running.delete(child)
    // What it started goes with it.
    signalGroup(started, 'SIGKILL')
    void closeOutput(child)
  })
}

/** Closes what is still open: whoever left the group of a process that has ended may hold its output for ever. */
async function closeOutput({ stdout, stderr }: Child): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await sleep(REST_MS, undefined, { ref: false })
  for (const stream of [stdout, stderr]) stream.unpipe().destroy()
}

/** Ends a process: SIGINT, waits, then SIGKILL. Resolves when it has ended. */
export async function endChild(child: Child, graceMs: number, clock: Clock): Promise<void> {
  child.signal('SIGINT')
  if (!(await within(clock, graceMs, child.exited))) child.signal('SIGKILL')
  await child.exited
}

/** How a process ended, in words. */
export function describeExit({ code, signal }: Exit): string {
  return signal !== null ? `was ended by ${signal}` : `ended with status ${code}`
}

function notStarted(program: string, error: unknown): Error {
  const { code = 'unknown reason' } = error as NodeJS.ErrnoException
  const reasons: Record<string, string> = { ENOENT: 'there is no such program', EACCES: 'it may not be executed' }
  const reason = reasons[code] ?? code
  return createError('SE_PLUGIN_UNAVAILABLE', `its program cannot be started: ${reason}`, {
    hint: `look at the command in config.toml: ${program}`,
    details: { program },
  })
}
