/**
 * Any program as a plugin: it is started for each request, gets one line of JSON a pattern on its standard input, and
 * prints one line of JSON a secret.
 */
import type { PluginConfig } from '../config/tables.js'
import { makePlugin, type PluginContext, type PluginState } from '../engine/plugin.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { Pattern } from '../pattern.js'
import { type Secret, secretFromHandle } from '../secret.js'
import { type Child, describeExit, startChild } from './child.js'
import type { HostOptions } from './host-options.js'
import { KeepAlive } from './keep-alive.js'
import type { HostedPlugin } from './launched-plugin.js'
import { pluginEnvironment } from './plugin-environment.js'
import { PluginLog, pluginLogFile } from './plugin-log.js'

/** How much it may print for one request. */
export const MAX_ANSWER_BYTES = 64 << 20
/** How many secrets it may print for one request. */
export const MAX_ANSWER_LINES = 100_000
/** How many of its processes run at once; further requests wait. */
const AT_ONCE = 8
const VERSION = 'v0.0.0'

/**
 * A plugin that is a program with `protocol = "lines"`.
 *
 * - For each request it gets lines of `{"pattern":"a/b","requester":{"pid":1,"name":"x","path":"/y"}}`, then the end of its
 *   input. It prints `{"id":"a/b","value":"…"}`, or `valueBase64` for a value that is not UTF-8; beside them `version`,
 *   `metadata`, `createdAt` and `expiresAt` (RFC 3339), where it has them. No line means that it found nothing. An id that
 *   it prints for several patterns counts once.
 * - It ends with status 0. Any other is `SE_PLUGIN_FAILURE`, and what it had printed counts for nothing.
 * - What it prints becomes values in native memory; its standard error goes to a log of its own.
 * - When nobody waits any more, it and all that it started is killed.
 */
export function linesPlugin(config: PluginConfig, options: Pick<HostOptions, 'logFolder' | 'states'>): HostedPlugin {
  const { name, timeoutMs, cacheTtlMs, pattern = '**' } = config
  const log = new PluginLog(pluginLogFile(options.logFolder, name))
  const keepAlive = new KeepAlive()
  const turns = new Turns(AT_ONCE)
  const running = new Set<Child>()
  let enabled = !options.states.disabled().includes(name)
  // Why the last start failed, if it did.
  let notStarted: string | undefined

  const start = async (): Promise<Child> => {
    try {
      const child = await startChild({ command: config.command, env: pluginEnvironment(config.env), session: false })
      notStarted = undefined
      return child
    } catch (error) {
      notStarted = (error as Error).message
      throw error
    }
  }
  const ask = async (patterns: readonly Pattern[], context: PluginContext): Promise<Secret[]> => {
    const leave = await turns.take(context.signal)
    try {
      return await keepAlive.during(() => run(config.name, start, log, running, patterns, context))
    } finally {
      leave()
    }
  }
  const plugin = makePlugin(
    {
      name,
      version: VERSION,
      pattern,
      timeoutMs,
      cacheTtlMs,
      getSecrets: (wanted, context) => ask([wanted], context),
      getMany: ask,
      async close() {
        for (const child of running) child.signal('SIGKILL')
        await log.finish()
      },
    },
    false,
  )
  return Object.freeze({
    ...plugin,
    config,
    start() {},
    state(): PluginState {
      if (!enabled) return { status: 'stopped', message: 'is disabled' }
      if (notStarted !== undefined) return { status: 'crashed', message: `${notStarted}; is tried for each request` }
      return { status: 'running', message: 'starts for each request' }
    },
    async setEnabled(wanted: boolean) {
      options.states.setEnabled(name, wanted)
      enabled = wanted
    },
  })
}

/** One process, from its start to its end. */
async function run(
  plugin: string,
  start: () => Promise<Child>,
  log: PluginLog,
  running: Set<Child>,
  patterns: readonly Pattern[],
  { signal, requester }: PluginContext,
): Promise<Secret[]> {
  signal.throwIfAborted()
  const child = await start()
  running.add(child)
  const kill = (): void => child.signal('SIGKILL')
  signal.addEventListener('abort', kill)
  if (signal.aborted) kill() // while it was started
  child.stderr.pipe(log, { end: false })
  const { pid, name, path } = requester
  const lines = patterns.map(({ text }) => `${JSON.stringify({ pattern: text, requester: { pid, name, path } })}\n`)
  child.stdin?.end(lines.join(''))
  const printed = new Printed()
  try {
    const [exit] = await Promise.all([child.exited, printed.read(child)])
    signal.throwIfAborted()
    // It was ended for that.
    if (printed.isTooMuch) throw tooMuch(plugin)
    if (printed.isHeld) {
      throw failure('SE_PLUGIN_FAILURE', 'what its program started outlives it, and holds its output', plugin, {})
    }
    if (exit.code !== 0) {
      log.note(describeExit(exit))
      throw failure('SE_PLUGIN_FAILURE', `its program ${describeExit(exit)}`, plugin, { status: exit.code })
    }
    const secrets = secretsOf(printed.bytes, plugin)
    return patterns.length > 1 ? onceEach(secrets) : secrets
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
    running.delete(child)
    printed.wipe()
  }
}

/** What a program prints, in memory of its own that is wiped. */
class Printed {
  #buffer = new Uint8Array(new ArrayBuffer(64 << 10))
  #length = 0
  /** Whether it was more than is allowed: it is not kept then. */
  isTooMuch = false
  /** Whether it did not end with the program. */
  isHeld = false

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Takes all that it prints; ends it when that is too much. */
  async read({ stdout, signal }: Child): Promise<void> {
    try {
      for await (const chunk of stdout as AsyncIterable<Buffer>) {
        if (this.#length + chunk.length > MAX_ANSWER_BYTES) {
          this.isTooMuch = true
          chunk.fill(0)
          signal('SIGKILL')
          break
        }
        this.#add(chunk)
        chunk.fill(0)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
      this.isHeld = true
    }
  }

  wipe(): void {
    this.#buffer.fill(0)
  }

  #add(chunk: Buffer): void {
    const needed = this.#length + chunk.length
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(new ArrayBuffer(Math.max(needed, this.#buffer.length * 2)))
      larger.set(this.bytes)
      this.#buffer.fill(0)
      this.#buffer = larger
    }
    this.#buffer.set(chunk, this.#length)
    this.#length = needed
  }
}

function secretsOf(bytes: Uint8Array, plugin: string): Secret[] {
  const envelopes = understood(bytes, plugin)
  return envelopes.map(({ id, secret, version, metadata, createdAt, expiresAt }) =>
    secretFromHandle(id, secret, { version, metadata, createdAt: date(createdAt), expiresAt: date(expiresAt) }),
  )
}

/** A program answers line by line, so one secret may come for each of several patterns. */
function onceEach(secrets: readonly Secret[]): Secret[] {
  const ids = new Set<string>()
  return secrets.filter((secret) => {
    if (!ids.has(secret.id)) return ids.add(secret.id)
    secret.dispose()
    return false
  })
}

function understood(bytes: Uint8Array, plugin: string) {
  try {
    return unwrap(native().decodeAnswerLines(bytes, MAX_ANSWER_LINES))
  } catch (error) {
    if (!SecretsError.is(error)) throw error
    if (error.code === 'SE_LIMIT_EXCEEDED') throw tooMuch(plugin)
    if (error.code !== 'SE_CORRUPT') throw error
    const { line } = error.details
    throw failure('SE_PLUGIN_FAILURE', `line ${line} of what its program printed is not an answer`, plugin, { line })
  }
}

function date(milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds)
}

function tooMuch(plugin: string): SecretsError {
  const message = `its program printed more than ${MAX_ANSWER_BYTES >> 20} MiB or ${MAX_ANSWER_LINES} lines`
  return failure('SE_LIMIT_EXCEEDED', message, plugin, { limit: MAX_ANSWER_BYTES })
}

function failure(
  code: 'SE_PLUGIN_FAILURE' | 'SE_LIMIT_EXCEEDED',
  message: string,
  plugin: string,
  facts: object,
): SecretsError {
  return createError(code, message, {
    hint: `se plugins logs ${plugin} shows what it wrote`,
    details: { plugin, ...facts },
  })
}

/** Lets so many in at once. */
class Turns {
  #free: number
  readonly #queue: (() => void)[] = []

  constructor(atOnce: number) {
    this.#free = atOnce
  }

  /** Waits for a turn, and answers with the function that gives it back. */
  async take(signal: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else {
      await new Promise<void>((resolve, reject) => {
        const go = (): void => {
          signal.removeEventListener('abort', leave)
          resolve()
        }
        const leave = (): void => {
          this.#queue.splice(this.#queue.indexOf(go), 1)
          reject(signal.reason)
        }
        this.#queue.push(go)
        signal.addEventListener('abort', leave, { once: true })
        if (signal.aborted) leave()
      })
    }
    return () => {
      const next = this.#queue.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
