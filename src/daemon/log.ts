/**
 * The daemon's log: JSON, one object a line, never a value of a secret. What is logged waits in memory, at most
 * {@link MAX_PENDING_BYTES} of it, until it is written; what cannot be written is dropped and counted, and no request
 * waits for it.
 */

import type { LogFacts, PluginLogger, Requester } from '../engine/plugin.js'
import type { ErrorCode } from '../errors/codes.js'

/** How bad an event is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** What came of a request. `abandoned`: the caller went away before. */
export type RequestOutcome = 'answered' | 'failed' | 'abandoned'

/** One request. */
export interface RequestEntry {
  /** The request's own name, which its answer carries as well. */
  readonly id: string
  /** Who asked. */
  readonly requester: Requester | undefined
  /** Such as `/resolver.v1.ResolverService/GetSecrets`. */
  readonly procedure: string
  /** What was asked for. */
  readonly patterns: readonly string[]
  readonly outcome: RequestOutcome
  /** Why it failed. */
  readonly code?: ErrorCode | undefined
  /** Milliseconds until it was answered. */
  readonly latencyMs: number
  /** How many secrets the answer holds. */
  readonly secrets: number
}

/** Where the daemon says what it does. Its functions never throw. */
export interface DaemonLog {
  /** Logs a request that has ended, unless it was answered and every client begins with it: those tell nothing. */
  request(entry: RequestEntry): void
  /** Logs anything else. */
  event(level: LogLevel, message: string, facts?: LogFacts): void
}

/** Takes the bytes of a log. */
export interface LogTarget {
  /** Writes some of the bytes, at least one, and answers with how many. Rejects when it cannot. */
  write(bytes: Buffer): Promise<number>
  /** Lets go of it. */
  close(): void
}

/** A log that is written somewhere. */
export interface WrittenLog extends DaemonLog {
  /** How many lines were dropped since the start. */
  readonly dropped: number
  /** Waits until all is written or dropped, at most so many milliseconds, and closes the target. */
  close(timeoutMs: number): Promise<void>
}

/** How much may wait to be written. */
export const MAX_PENDING_BYTES = 1 << 20

// A line is at most this long, so that one request with 10,000 patterns does not fill the log.
const MAX_PATTERNS = 20
// Lines are gathered for so long: one write for many.
const GATHER_MS = 20
// A target that failed is tried again after so long.
const RETRY_MS = 1000
const NEWLINE = 0x0a
// How a program finds out whether a daemon is there, and which: before each command, and as often as a monitor likes.
const GREETINGS: ReadonlySet<string> = new Set([
  '/health.v1.VersionService/GetVersion',
  '/senative.engine.v1.EngineService/Describe',
  '/health',
])
// About how much the line of a request is beside its patterns.
const REQUEST_BYTES = 300

/** A request whose line is not written yet. */
interface PendingRequest {
  readonly at: number
  /** With as many patterns as are shown: it may wait for long, and a batch has thousands. */
  readonly entry: RequestEntry
  readonly patternCount: number
}

/** Makes a log that writes to the target, which belongs to it. */
export function createLog(target: LogTarget): WrittenLog {
  return new Writer(target)
}

/** The log as plugins see it. */
export function pluginLogger(log: DaemonLog): PluginLogger {
  const at = (level: LogLevel) => (message: string, facts?: LogFacts) => log.event(level, message, facts)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

class Writer implements WrittenLog {
  readonly #target: LogTarget
  #lines: (string | PendingRequest)[] = []
  #bytes = 0
  #dropped = 0
  #untold = 0
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #torn = false
  #closed = false
  #at = 0
  #atText = ''
  readonly #requesters = new WeakMap<Requester, string>()

  constructor(target: LogTarget) {
    this.#target = target
  }

  get dropped(): number {
    return this.#dropped
  }

  // Its line is written when there are many of them: that takes a part of the time that one by itself does.
  request(entry: RequestEntry): void {
    if (entry.outcome === 'answered' && GREETINGS.has(entry.procedure)) return
    const { length } = entry.patterns
    const kept = length > MAX_PATTERNS ? { ...entry, patterns: entry.patterns.slice(0, MAX_PATTERNS) } : entry
    let bytes = REQUEST_BYTES
    for (const pattern of kept.patterns) bytes += pattern.length
    this.#add({ at: Date.now(), entry: kept, patternCount: length }, bytes)
  }

  event(level: LogLevel, message: string, facts: LogFacts = {}): void {
    const own = { time: this.#time(Date.now()), level, message }
    const line = `${JSON.stringify({ ...own, ...facts, ...own })}\n`
    this.#add(line, line.length)
  }

  async close(timeoutMs: number): Promise<void> {
    clearTimeout(this.#timer)
    const enough = new Promise<void>((settle) => {
      const timer = setTimeout(settle, timeoutMs)
      void this.#flush(true).finally(() => {
        clearTimeout(timer)
        settle()
      })
    })
    await enough
    this.#closed = true
    this.#target.close()
  }

  /** Member by member: a third of the time that an object takes. */
  #line({ at, entry, patternCount }: PendingRequest): string {
    const { id, requester, procedure, patterns, outcome, code, latencyMs, secrets } = entry
    const level = outcome === 'failed' ? 'warn' : 'info'
    const count = patternCount > MAX_PATTERNS ? `,"patternCount":${patternCount}` : ''
    const reason = code === undefined ? '' : `,"code":"${code}"`
    return (
      `{"time":"${this.#time(at)}","level":"${level}","request":${JSON.stringify(id)},"procedure":${JSON.stringify(procedure)},` +
      `"patterns":${JSON.stringify(patterns)}${count},"outcome":"${outcome}"${reason},"secrets":${secrets},` +
      `"latencyMs":${Math.round(latencyMs * 1000) / 1000}${this.#who(requester)}}\n`
    )
  }

  #time(at: number): string {
    if (at !== this.#at) {
      this.#at = at
      this.#atText = new Date(at).toISOString()
    }
    return this.#atText
  }

  /** A connection asks many times. */
  #who(requester: Requester | undefined): string {
    if (requester === undefined) return ''
    let text = this.#requesters.get(requester)
    if (text === undefined) {
      const { pid, name, path } = requester
      text = `,${JSON.stringify({ pid, program: name, path }).slice(1, -1)}`
      this.#requesters.set(requester, text)
    }
    return text
  }

  #add(line: string | PendingRequest, bytes: number): void {
    if (this.#closed) return
    if (this.#bytes + bytes > MAX_PENDING_BYTES) {
      this.#drop(1)
      return
    }
    this.#lines.push(line)
    this.#bytes += bytes
    if (this.#writing === undefined && this.#timer === undefined) this.#later(GATHER_MS)
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#flush(false)
    }, ms).unref()
  }

  #drop(count: number): void {
    this.#dropped += count
    this.#untold += count
  }

  async #flush(last: boolean): Promise<void> {
    if (this.#writing !== undefined) await this.#writing
    this.#writing = this.#writeAll(last)
    await this.#writing
    this.#writing = undefined
    if (this.#lines.length > 0 && this.#timer === undefined && !last) this.#later(GATHER_MS)
  }

  async #writeAll(last: boolean): Promise<void> {
    while (this.#lines.length > 0) {
      const untold = this.#untold
      // What is left of a line that was cut off ends before the next one begins.
      const first = (this.#torn ? '\n' : '') + (untold > 0 ? toldLine(untold) : '')
      const lines = this.#lines.map((line) => (typeof line === 'string' ? line : this.#line(line)))
      const bytes = Buffer.from(first + lines.join(''))
      this.#lines = []
      this.#bytes = 0
      let written = 0
      let failed = false
      while (written < bytes.length && !failed) {
        try {
          written += await this.#target.write(bytes.subarray(written))
        } catch {
          failed = true
        }
      }
      if (written > 0) this.#torn = bytes[written - 1] !== NEWLINE
      const isTold = written >= Buffer.byteLength(first)
      if (isTold) this.#untold -= untold
      if (!failed) continue
      this.#drop(countLines(bytes.subarray(written)) - (isTold || untold === 0 ? 0 : 1))
      if (!last) this.#later(RETRY_MS)
      return
    }
  }
}

function toldLine(dropped: number): string {
  const time = new Date().toISOString()
  return `${JSON.stringify({ time, level: 'warn', message: 'lines of the log were dropped', dropped })}\n`
}

function countLines(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1
  return count
}
