// What tests of the plugin host share: a clock that goes when it is told to, a session without yamux for
// fixtures/plain-plugin.mjs, and folders.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { PluginConfig } from '../../src/config/tables.js'
import type { LogFacts, PluginContext, PluginLogger } from '../../src/engine/plugin.js'
import { createError } from '../../src/errors/secrets-error.js'
import { parsePattern } from '../../src/pattern.js'
import { AccessGate } from '../../src/plugin-host/access-gate.js'
import type { Clock } from '../../src/plugin-host/clock.js'
import type { AcceptSession, HostOptions } from '../../src/plugin-host/host-options.js'
import { PluginStates } from '../../src/plugin-host/plugin-states.js'
import { Secret } from '../../src/secret.js'
import type { PluginSession } from '../../src/session/plugin-session.js'

/** The fixture: its mode is the next argument. */
export const plainPlugin = fileURLToPath(new URL('../fixtures/plain-plugin.mjs', import.meta.url))

/** A clock that stands still until it is told to go. */
export class TestClock implements Clock {
  #now = 1000
  readonly #timers = new Set<{ at: number; fn: () => void }>()

  now(): number {
    return this.#now
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How long each timer has still to go, shortest first. */
  get waits(): number[] {
    return [...this.#timers].map(({ at }) => at - this.#now).sort((a, b) => a - b)
  }

  /** Lets time go by; what is due by then is called. */
  advance(ms: number): void {
    this.#now += ms
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now) continue
      this.#timers.delete(timer)
      timer.fn()
    }
  }
}

/** Sessions of one line of JSON each way, for the fixture. */
export const acceptPlain: AcceptSession = async (socket, { expectName, admit } = {}) => {
  const lines = createInterface({ input: socket as Duplex })[Symbol.asyncIterator]()
  const closed = new Promise<undefined>((resolve) => socket.once('close', () => resolve(undefined)))
  const next = async (): Promise<Record<string, string>> => {
    const line = await Promise.race([lines.next(), closed])
    if (line === undefined || line.done === true) throw createError('SE_PLUGIN_UNAVAILABLE', 'its session ended')
    return JSON.parse(line.value)
  }
  const { name = '', version = '', pattern, kind = 'secrets' } = await next()
  if (name !== expectName) throw createError('SE_PLUGIN_INVALID', `it registers as ${name}`)
  const facts = {
    name,
    version,
    kind: kind as PluginSession['kind'],
    pattern: pattern === undefined ? undefined : parsePattern(pattern),
  }
  await admit?.(facts)
  let turn: Promise<unknown> = Promise.resolve()
  const call = (request: object): Promise<Record<string, string>> => {
    const answer = turn.then(() => {
      socket.write(`${JSON.stringify(request)}\n`)
      return next()
    })
    turn = answer.catch(() => {})
    return answer
  }
  return {
    ...facts,
    closed,
    async getSecrets(wanted) {
      const answers = (await call({ pattern: wanted })) as unknown as { id: string; value: string }[]
      return answers.map(({ id, value }) => Secret.from(id, value))
    },
    checkAccess: async (wanted) => (await call({ check: wanted }))['allowed'] === 'yes',
    health: async () => {},
    shutdown: async () => void socket.write(`${JSON.stringify({ shutdown: true })}\n`),
    close: () => void socket.destroy(),
  }
}

/** Lines of a log, as they were written. */
export type LogLine = { readonly level: string; readonly message: string; readonly facts: LogFacts | undefined }

/** A logger that keeps its lines, and waits for one. */
export class TestLog implements PluginLogger {
  readonly lines: LogLine[] = []
  readonly #waiting = new Set<() => void>()
  readonly debug = this.#at('debug')
  readonly info = this.#at('info')
  readonly warn = this.#at('warn')
  readonly error = this.#at('error')

  #at(level: string) {
    return (message: string, facts?: LogFacts): void => {
      this.lines.push({ level, message, facts })
      for (const look of this.#waiting) look()
    }
  }

  /** Waits until the lines, from the first on, are as wanted. */
  until(isThere: (lines: readonly LogLine[]) => boolean): Promise<void> {
    const awake = setInterval(() => {}, 1000) // nothing of a plugin keeps a process alive
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isThere(this.lines)) return
        this.#waiting.delete(look)
        clearInterval(awake)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Waits until a message was written so often. */
  written(message: string, times = 1): Promise<void> {
    return this.until((lines) => lines.filter((line) => line.message === message).length >= times)
  }
}

/** What a host needs, in a folder of its own. */
export interface TestHost extends HostOptions {
  readonly folder: string
  readonly log: TestLog
  readonly clock: TestClock
  /** What a plugin wrote. */
  written(name: string): string
}

/** Makes what a host needs; `remove` takes the function that removes it. */
export function createTestHost(remove: (fn: () => void) => void): TestHost {
  const folder = mkdtempSync(join(tmpdir(), 'se-host-'))
  remove(() => rmSync(folder, { recursive: true, force: true }))
  return {
    folder,
    log: new TestLog(),
    clock: new TestClock(),
    logFolder: join(folder, 'logs'),
    states: new PluginStates(join(folder, 'plugins.json')),
    gate: new AccessGate(),
    accept: acceptPlain,
    written: (name) => readFileSync(join(folder, 'logs', `${name}.log`), 'utf8'),
  }
}

/** The configuration of a plugin. */
export function pluginConfig(command: readonly string[], more: Partial<PluginConfig> = {}): PluginConfig {
  const facts = {
    env: {},
    pattern: undefined,
    protocol: 'session',
    timeoutMs: undefined,
    cacheTtlMs: undefined,
  } as const
  return { name: 'test', command: command as PluginConfig['command'], ...facts, ...more }
}

/** A context to ask a plugin with. */
export function context(signal: AbortSignal = new AbortController().signal): PluginContext {
  const log = new TestLog()
  return { log, signal, requester: { pid: 1, name: 'program', path: '/bin/program' }, times: false }
}
