/**
 * Keeps the process of one plugin running: starts it when it is wanted, waits for its registration, starts it again when it
 * ends by itself, and ends it when it is stopped. Knows nothing of secrets.
 */
import type { Duplex } from 'node:stream'
import type { PluginState } from '../engine/plugin.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { PluginSession } from '../session/plugin-session.js'
import type { Registration } from '../session/registration.js'
import { type Child, describeExit, endChild, startChild } from './child.js'
import { type Clock, within } from './clock.js'
import type { AcceptSession } from './host-options.js'
import { LAUNCH_VARIABLE, launchConfig } from './plugin-environment.js'
import type { PluginLog } from './plugin-log.js'
import { MAX_RESTARTS, Restarts } from './restarts.js'

/** How long a plugin has to register. */
export const REGISTRATION_TIMEOUT_MS = 5000

/** What is supervised, and how. */
export interface SupervisorOptions {
  readonly name: string
  readonly command: readonly [string, ...string[]]
  /** Its whole environment, without the variable that launches it. */
  readonly env: Readonly<Record<string, string>>
  /** Takes what it writes. */
  readonly log: PluginLog
  readonly accept: AcceptSession
  readonly clock: Clock
  /** How long it has to end after each step. */
  readonly graceMs: number
  /** Throws to refuse what it registers. */
  admit(registration: Registration): void | Promise<void>
  /** Is told of each change. */
  onChange(phase: Phase, state: PluginState): void
}

/** Where it stands: `ending` after its session, `waiting` for its next start. */
export type Phase = 'stopped' | 'starting' | 'running' | 'ending' | 'waiting' | 'exceeded'

interface Waiter {
  /** When it gives up waiting for a start, by the clock. */
  readonly until: number
  resolve(session: PluginSession): void
  reject(error: SecretsError): void
}

/** The process of one plugin. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #restarts = new Restarts()
  readonly #waiters = new Set<Waiter>()
  #phase: Phase = 'stopped'
  #why: string | undefined
  #session: PluginSession | undefined
  /** Whether it registered since it was started from outside: then a request waits for its next start. */
  #hasRun = false
  /** Whether its last process was there and did not register. */
  #wasSilent = false
  #dueAt = 0
  #cancelStart: (() => void) | undefined
  /** One run of the process, to its end. */
  #run: Promise<void> | undefined
  #child: Child | undefined
  #stopping = false

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** How it is doing. */
  get state(): PluginState {
    const why = this.#why
    switch (this.#phase) {
      case 'running':
        return { status: 'running' }
      case 'stopped':
        return { status: 'stopped', message: why ?? 'starts when it is needed' }
      case 'ending':
        return { status: 'crashed', message: why }
      case 'starting':
        if (why === undefined) return { status: 'stopped', message: 'is starting' }
        return { status: 'crashed', message: `${why}; is starting again (${this.#restarts.count} of ${MAX_RESTARTS})` }
      case 'waiting': {
        const seconds = Math.max(Math.ceil((this.#dueAt - this.#options.clock.now()) / 1000), 0)
        const count = `${this.#restarts.count} of ${MAX_RESTARTS}`
        return { status: 'crashed', message: `${why}; starts again in ${seconds} s (${count})` }
      }
      case 'exceeded':
        return { status: 'retries exceeded', message: `${why}; it was started again ${MAX_RESTARTS} times` }
    }
  }

  /** Starts it, where it does not run yet, is not about to, and has not failed too often. */
  start(): void {
    if (this.#phase === 'stopped') this.#launch()
  }

  /** Starts it whatever happened before. */
  async restart(): Promise<void> {
    if (this.#phase === 'running' || this.#phase === 'starting') return
    await this.stop()
    this.#restarts.forgive()
    this.#hasRun = false
    this.#why = undefined
    this.#launch()
  }

  /**
   * Its session: at once where it runs, else when it is started, where that is to be expected within the limit.
   * @throws `SE_PLUGIN_UNAVAILABLE`, with what it ended with.
   */
  session(limitMs: number, signal: AbortSignal): Promise<PluginSession> {
    if (this.#phase === 'running' && !this.#stopping) return Promise.resolve(this.#session as PluginSession)
    if (!this.#stopping) this.start()
    const until = this.#options.clock.now() + limitMs
    if (!this.#isWorthWaiting(until)) return Promise.reject(this.#unavailable())
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', abort)
      }
      const waiter: Waiter = {
        until,
        resolve: (session) => {
          leave()
          resolve(session)
        },
        reject: (error) => {
          leave()
          reject(error)
        },
      }
      const abort = (): void => {
        leave()
        reject(signal.reason)
      }
      signal.addEventListener('abort', abort)
      this.#waiters.add(waiter)
      if (signal.aborted) abort()
    })
  }

  /** Ends it: asks it to shut down, waits, then SIGINT, waits, then SIGKILL. Who waits for it is told. */
  async stop(why?: string): Promise<void> {
    this.#cancelStart?.()
    this.#cancelStart = undefined
    this.#stopping = true
    this.#why = why
    const child = this.#child
    if (child !== undefined) {
      const { graceMs, clock } = this.#options
      void this.#session?.shutdown().catch(() => {})
      if (this.#session === undefined || !(await within(clock, graceMs, child.exited))) {
        await endChild(child, graceMs, clock)
      }
    }
    await this.#run
    this.#enter('stopped')
    this.#stopping = false
  }

  #launch(): void {
    this.#enter('starting')
    this.#run = this.#runOnce().finally(() => {
      this.#run = undefined
    })
  }

  async #runOnce(): Promise<void> {
    const { log, clock, graceMs } = this.#options
    let ranMs = 0
    try {
      const child = await this.#startChild()
      this.#child = child
      try {
        if (this.#stopping) return
        this.#wasSilent = true
        const session = await this.#register(child)
        const began = clock.now()
        this.#session = session
        this.#hasRun = true
        this.#wasSilent = false
        log.note(`${session.name} ${session.version} registered`)
        this.#enter('running')
        const reason = await Promise.race([child.exited.then(() => undefined), session.closed])
        ranMs = clock.now() - began
        session.close()
        this.#session = undefined
        this.#why = `it closed its session${reason === undefined ? '' : `: ${reason.message}`}`
        this.#enter('ending')
        if (await within(clock, graceMs, child.exited)) this.#why = `it ${describeExit(await child.exited)}`
      } finally {
        await endChild(child, graceMs, clock)
        this.#child = undefined
      }
    } catch (error) {
      this.#why = SecretsError.is(error) ? error.message : 'it could not be started'
    }
    log.note(this.#why ?? 'it ended')
    if (!this.#stopping) this.#ended(ranMs)
  }

  async #startChild(): Promise<Child> {
    const { name, command, env, log } = this.#options
    if (process.platform === 'win32') {
      throw createError('SE_UNSUPPORTED', 'there are no sockets for plugins on Windows: protocol = "lines" works there')
    }
    const child = await startChild({
      command,
      env: { ...env, [LAUNCH_VARIABLE]: launchConfig(name, REGISTRATION_TIMEOUT_MS) },
      session: true,
    })
    log.note(`started, process ${child.pid}`)
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false })
    return child
  }

  async #register(child: Child): Promise<PluginSession> {
    const { name, accept, admit, clock, graceMs } = this.#options
    const accepting = accept(child.socket as Duplex, {
      expectName: name,
      registrationTimeoutMs: REGISTRATION_TIMEOUT_MS,
      admit,
    })
    const early = child.exited.then((exit) => {
      throw createError('SE_PLUGIN_UNAVAILABLE', `it ${describeExit(exit)} before it had registered`)
    })
    accepting.catch(() => {}) // the other came first
    early.catch(() => {})
    try {
      return await Promise.race([accepting, early])
    } catch (error) {
      void accepting.then((session) => session.close()).catch(() => {})
      // A process that ends closes its session first: how it ended is the better reason.
      const isLost = SecretsError.is(error) && error.code === 'SE_PLUGIN_UNAVAILABLE'
      if (isLost && (await within(clock, graceMs, child.exited))) await early
      throw error
    }
  }

  #ended(ranMs: number): void {
    const { clock } = this.#options
    const delay = this.#restarts.ended(ranMs)
    if (delay === undefined) return this.#enter('exceeded')
    this.#dueAt = clock.now() + delay
    this.#cancelStart = clock.after(delay, () => {
      this.#cancelStart = undefined
      this.#launch()
    })
    this.#enter('waiting')
  }

  #enter(phase: Phase): void {
    this.#phase = phase
    for (const waiter of [...this.#waiters]) {
      if (phase === 'running') waiter.resolve(this.#session as PluginSession)
      else if (!this.#isWorthWaiting(waiter.until)) waiter.reject(this.#unavailable())
    }
    this.#options.onChange(phase, this.state)
  }

  /** One that never registered is not waited for again; nor one that starts too late. */
  #isWorthWaiting(until: number): boolean {
    if (this.#stopping) return false
    if (this.#phase === 'waiting') return this.#hasRun && this.#dueAt <= until
    if (this.#phase === 'ending') return true
    return this.#phase === 'starting' && (this.#why === undefined || this.#hasRun)
  }

  #unavailable(): SecretsError {
    const { message = 'is being started' } = this.state
    const lines = this.#wasSilent ? '; a program that speaks lines of JSON is added with --lines' : ''
    return createError('SE_PLUGIN_UNAVAILABLE', `the plugin does not run: ${message}`, {
      hint: `se plugins logs ${this.#options.name} shows what it wrote${lines}`,
      details: { plugin: this.#options.name },
    })
  }
}
