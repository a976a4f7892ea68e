/** A plugin that the engine launches: its process is started when it is needed, and kept running. */
import type { PluginConfig } from '../config/tables.js'
import { makePlugin, type Plugin, type PluginContext, type PluginState } from '../engine/plugin.js'
import { PLUGIN_GRACE_MS, PLUGIN_TIMEOUT_MS } from '../engine/plugin-limits.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { type Pattern, parsePattern } from '../pattern.js'
import type { Secret } from '../secret.js'
import type { PluginSession } from '../session/plugin-session.js'
import type { PluginKind, Registration } from '../session/registration.js'
import { askSession } from './ask-session.js'
import { systemClock, within } from './clock.js'
import type { HostOptions } from './host-options.js'
import { KeepAlive } from './keep-alive.js'
import { pluginEnvironment } from './plugin-environment.js'
import { PluginLog, pluginLogFile } from './plugin-log.js'
import type { KnownPlugin } from './plugin-states.js'
import { type Phase, Supervisor } from './supervisor.js'

/** A plugin with a process that can be started before it is needed. */
export interface HostedPlugin extends Plugin {
  /** What it was made of; a change of it needs another plugin. */
  readonly config: PluginConfig
  /** Starts it, unless it is disabled. Waits for nothing. */
  start(): void
}

/** How long who enables or disables it waits for its process: Docker's client waits a second for an answer. */
const CHANGE_MS = 500
const UNKNOWN_VERSION = 'v0.0.0'

/**
 * A plugin in a process of its own that speaks Docker's protocol for plugins over a socket, its descriptor 3.
 *
 * - It is started by the first request, or by `start`, and has five seconds to register. One that ends by itself is started
 *   again after 2, 4, 8, 16 and 32 seconds; having run for a minute forgives what was before. Then its status is
 *   `retries exceeded`, until it is enabled again.
 * - Requests wait for it while it is started again, where that comes within their limit. Otherwise they fail with
 *   `SE_PLUGIN_UNAVAILABLE`.
 * - Its pattern is the configured one, else what it registered last, else `**`. It is asked only for what overlaps both.
 * - Its environment is that of {@link pluginEnvironment}; its output goes to a log of its own.
 */
export function launchedPlugin(config: PluginConfig, options: HostOptions): HostedPlugin {
  return new LaunchedPlugin(config, options).plugin
}

class LaunchedPlugin {
  readonly plugin: HostedPlugin
  readonly #config: PluginConfig
  readonly #options: HostOptions
  readonly #limit: Pattern | undefined
  readonly #supervisor: Supervisor
  readonly #log: PluginLog
  readonly #keepAlive = new KeepAlive()
  readonly #unlist: () => void
  #enabled: boolean
  /** The last start or end that somebody asked for. Never rejects. */
  #changing: Promise<void> = Promise.resolve()
  /** Its pattern, as it is known now. */
  #pattern: Pattern
  #version: string
  #kind: PluginKind | undefined

  constructor(config: PluginConfig, options: HostOptions) {
    const { name } = config
    const known = options.states.known(name)
    this.#config = config
    this.#options = options
    this.#limit = config.pattern === undefined ? undefined : parsePattern(config.pattern)
    this.#pattern = this.#limit ?? parsePattern(known?.pattern ?? '**')
    this.#version = known?.version ?? UNKNOWN_VERSION
    this.#kind = known?.kind
    this.#enabled = !options.states.disabled().includes(name)
    this.#log = new PluginLog(pluginLogFile(options.logFolder, name))
    this.#supervisor = new Supervisor({
      name,
      command: config.command,
      env: pluginEnvironment(config.env),
      log: this.#log,
      accept: options.accept,
      clock: options.clock ?? systemClock,
      graceMs: options.graceMs ?? PLUGIN_GRACE_MS,
      admit: (registration) => this.#admit(registration),
      onChange: (phase, state) => this.#tell(phase, state),
    })
    this.#unlist = options.gate.addLaunched({
      name,
      isModule: () => this.#enabled && this.#kind === 'access control',
      session: (signal) => this.#session(signal),
    })
    this.plugin = this.#face()
  }

  /** The plugin, whose version and pattern are what is known at the time. */
  #face(): HostedPlugin {
    const { name, timeoutMs, cacheTtlMs } = this.#config
    const plugin = makePlugin(
      {
        name,
        version: this.#version,
        pattern: this.#pattern.text,
        timeoutMs,
        cacheTtlMs,
        getSecrets: (pattern, context) => this.#ask([pattern], context),
        getMany: (patterns, context) => this.#ask(patterns, context),
        close: () => this.#close(),
      },
      false,
    )
    const current = {
      version: { get: () => this.#version, enumerable: true },
      kind: { get: () => this.#kind ?? 'secrets', enumerable: true },
      pattern: { get: () => this.#pattern.text, enumerable: true },
      parsedPattern: { get: () => this.#pattern, enumerable: true },
    }
    const own = {
      config: this.#config,
      start: () => {
        if (this.#enabled) this.#supervisor.start()
      },
      state: () => this.#state(),
      setEnabled: (enabled: boolean) => this.#setEnabled(enabled),
    }
    return Object.freeze(Object.defineProperties({ ...plugin, ...own }, current))
  }

  async #ask(patterns: readonly Pattern[], { signal, log }: PluginContext): Promise<Secret[]> {
    return this.#keepAlive.during(async () => {
      const session = await this.#session(signal)
      return askSession(session, patterns, {
        limit: this.#limit,
        signal,
        timeoutMs: this.#config.timeoutMs ?? PLUGIN_TIMEOUT_MS,
        onForeign: (dropped) => log.warn('a plugin answered outside of its pattern', { dropped }),
      })
    })
  }

  #session(signal: AbortSignal): Promise<PluginSession> {
    return this.#supervisor.session(this.#config.timeoutMs ?? PLUGIN_TIMEOUT_MS, signal)
  }

  #admit({ version, pattern, kind }: Registration): void {
    const { name } = this.#config
    if (this.#limit !== undefined && pattern !== undefined && !this.#limit.overlaps(pattern)) {
      throw createError('SE_PLUGIN_INVALID', `it registers ${pattern}, and is configured for ${this.#limit}`, {
        hint: `change the pattern of [plugins.${name}] in config.toml`,
        details: { plugin: name, registered: pattern.text, configured: this.#limit.text },
      })
    }
    this.#version = version
    this.#kind = kind
    if (this.#limit === undefined && pattern !== undefined) this.#pattern = pattern
    this.#remember({ version, pattern: pattern?.text, kind })
  }

  /** One that decides about access has to be known before it runs; of any other it only saves a question. */
  #remember(known: KnownPlugin): void {
    const { name } = this.#config
    try {
      this.#options.states.remember(name, known)
    } catch (error) {
      if (known.kind === 'access control' || !SecretsError.is(error)) throw error
      this.#options.log.warn('what a plugin has registered is not remembered', { plugin: name, reason: error.message })
    }
  }

  #state(): PluginState {
    return this.#enabled ? this.#supervisor.state : { status: 'stopped', message: 'is disabled' }
  }

  async #setEnabled(enabled: boolean): Promise<void> {
    this.#options.states.setEnabled(this.#config.name, enabled)
    this.#enabled = enabled
    const change = this.#change(() =>
      this.#enabled ? this.#supervisor.restart() : this.#supervisor.stop('is disabled'),
    )
    await within(this.#options.clock ?? systemClock, CHANGE_MS, change)
  }

  async #close(): Promise<void> {
    this.#unlist()
    await this.#change(() => this.#supervisor.stop('the engine was closed'))
    await this.#log.finish()
  }

  /** Starts and stops come one after the other. */
  #change(change: () => Promise<void>): Promise<void> {
    this.#changing = this.#keepAlive.during(() => this.#changing.then(change))
    return this.#changing
  }

  #tell(phase: Phase, { message }: PluginState): void {
    const { level, text } = EVENTS[phase]
    this.#options.log[level](text, { plugin: this.#config.name, reason: phase === 'running' ? undefined : message })
  }
}

const EVENTS = {
  starting: { level: 'debug', text: 'a plugin is started' },
  running: { level: 'info', text: 'a plugin has registered' },
  ending: { level: 'debug', text: 'a plugin ends' },
  waiting: { level: 'warn', text: 'a plugin ended' },
  exceeded: { level: 'error', text: 'a plugin ended too often' },
  stopped: { level: 'info', text: 'a plugin was stopped' },
} as const
