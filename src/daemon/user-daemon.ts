/** The user's daemon: the engine that the configuration describes, served, and kept as the configuration says. */
import { statSync } from 'node:fs'
import type { Socket } from 'node:net'
import { type Config, readConfig } from '../config/config.js'
import { createEngine } from '../engine/create-engine.js'
import type { LocalEngine } from '../engine/engine.js'
import type { PluginLogger } from '../engine/plugin.js'
import { SecretsError } from '../errors/secrets-error.js'
import { AccessGate } from '../plugin-host/access-gate.js'
import { configuredPlugins, disabledPlugins, updatePlugins } from '../plugin-host/configured-plugins.js'
import { hijackHandler } from '../plugin-host/hijack.js'
import type { HostedPlugin } from '../plugin-host/launched-plugin.js'
import { PluginStates } from '../plugin-host/plugin-states.js'
import { VERSION } from '../version.js'
import type { PassedSocket } from './activation.js'
import { listenAddresses } from './addresses.js'
import { leftFacts, type OwnFacts, type RunningDaemon, startDaemon } from './daemon.js'
import { GiveBack } from './give-back.js'
import { HeldStore } from './held-store.js'
import { IdleWatch } from './idle-watch.js'
import { closeListeners, type Listening, listenOnAll } from './listen.js'
import { type DaemonLog, pluginLogger } from './log.js'
import type { PluginManager } from './rpc/dispatch.js'
import type { DaemonDescription } from './server.js'

/** What the process knows. */
export interface UserDaemonOptions {
  readonly env: NodeJS.ProcessEnv
  readonly log: DaemonLog
  /** Where the log is. */
  readonly logPlace: string
  /** Sockets that came with the process. */
  readonly passed: readonly PassedSocket[]
  /** Called when nobody has asked for as long as is configured. */
  onIdle(): void
}

/** No command begins and ends within this time: under load the file is not looked at for every request. */
const LOOK_MS = 5
/** How long a file that became empty is not believed. */
const WRITE_MS = 1000

/** The daemon of this user. */
export class UserDaemon {
  readonly #options: UserDaemonOptions
  readonly #log: PluginLogger
  readonly #gate = new AccessGate()
  readonly #startedAt = new Date()
  #config: Config
  #stamp: string
  #lookedAt = 0
  #store!: HeldStore
  #engine!: LocalEngine
  #hosted: readonly HostedPlugin[] = []
  #daemon!: RunningDaemon
  #reloading: Promise<void> | undefined
  /** The ends of plugins that the configuration has no more. Never rejects. */
  #ending: Promise<unknown> = Promise.resolve()

  private constructor(options: UserDaemonOptions, config: Config, stamp: string) {
    this.#options = options
    this.#log = pluginLogger(options.log)
    this.#config = config
    this.#stamp = stamp
  }

  /**
   * Begins to serve.
   * @throws `SE_INVALID_CONFIG`; `SE_DAEMON_RUNNING`, `SE_SOCKET_UNSAFE` of its first address.
   */
  static async start(options: UserDaemonOptions): Promise<UserDaemon> {
    const [config, stamp] = await readWithStamp(options.env)
    const daemon = new UserDaemon(options, config, stamp)
    // Before all else: who comes second has done nothing.
    const listening = listenBeside(config, options)
    try {
      await daemon.#begin(listening)
    } catch (error) {
      closeListeners(listening.listeners)
      throw error
    }
    return daemon
  }

  /** Where it listens. */
  get addresses(): readonly string[] {
    return this.#daemon.addresses
  }

  /** Reads the configuration again. One that is broken is logged, and the old one kept. Never rejects. */
  reload(): Promise<void> {
    const before = this.#reloading ?? Promise.resolve()
    const own = before
      .then(() => this.#readAgain())
      .finally(() => {
        if (this.#reloading === own) this.#reloading = undefined
      })
    this.#reloading = own
    return own
  }

  /** Ends: see {@link Daemon.close}; plugins are shut down. */
  close(): Promise<void> {
    return this.#daemon.close()
  }

  async #begin({ listeners, left }: Listening): Promise<void> {
    const { log, logPlace, passed, onIdle } = this.#options
    const config = this.#config
    this.#store = await HeldStore.create(config)
    const plugins = { log: this.#log, gate: this.#gate }
    const authorize = this.#authorize
    this.#hosted = await configuredPlugins(config, plugins)
    this.#engine = await createEngine({
      plugins: [this.#store.plugin, ...this.#hosted],
      priority: config.daemon.priority,
      disabled: disabledPlugins(config),
      log: this.#log,
      authorize,
    })
    let sessions = 0
    const states = new PluginStates(config.paths.pluginStateFile)
    const hijack = hijackHandler(this.#engine, this.#log, { gate: this.#gate, states })
    const idleMs = (config.daemon.idleExitSeconds ?? 0) * 1000
    const asked = (): boolean => this.#daemon.activeRequests > 0
    const idle = idleMs > 0 ? new IdleWatch(idleMs, () => sessions > 0 || asked(), onIdle) : undefined
    const giveBack = new GiveBack(asked, this.#log)
    const describe = async (): Promise<DaemonDescription & OwnFacts> => ({
      version: `v${VERSION}`,
      pid: process.pid,
      startedAt: this.#startedAt,
      addresses: this.#daemon.addresses,
      left: leftFacts(left),
      configFile: this.#config.file,
      storeKind: this.#store.place.kind,
      storeLocation: this.#store.place.location,
      storeLocked: await this.#store.isLocked(),
      log: logPlace,
    })
    this.#daemon = startDaemon({
      engine: this.#engine,
      plugins: this.#plugins(),
      authorize,
      listeners,
      passed,
      describe,
      allowedUids: [uid(), 0, ...config.daemon.allowedUids],
      log: {
        event: (level, message, facts) => log.event(level, message, facts),
        request(entry) {
          idle?.touch()
          giveBack.touch()
          log.request(entry)
        },
      },
      unlock: async (passphrase) => {
        await this.#store.unlock(passphrase)
        this.#engine.dropCache()
      },
      lock: async () => {
        const locked = this.#store.lock()
        this.#engine.dropCache()
        await locked
      },
      onHijack(socket: Socket, head, requester) {
        sessions += 1
        socket.once('close', () => {
          sessions -= 1
        })
        hijack(socket, head, requester)
      },
      end: async () => {
        idle?.stop()
        giveBack.stop()
        const closed = this.#engine.close() // from now on no plugin is taken out
        await Promise.all([closed, this.#ending])
      },
    })
    for (const plugin of this.#hosted) plugin.start()
    for (const { address, error } of left)
      this.#log.warn('an address is left to others', { address, ...factsOf(error) })
    this.#log.info('the daemon has started', {
      version: `v${VERSION}`,
      pid: process.pid,
      addresses: this.#daemon.addresses.join(' '),
      store: this.#store.place.kind,
    })
  }

  // A request comes here before its plugins are chosen.
  readonly #authorize: AccessGate['authorize'] = (patterns, context) => {
    const refreshed = this.#refresh()
    if (refreshed === undefined) return this.#gate.authorize(patterns, context)
    return refreshed.then(() => this.#gate.authorize(patterns, context))
  }

  /** Whoever lists or changes plugins may just have edited the file, too. */
  #plugins(): PluginManager {
    const current = async (): Promise<LocalEngine> => {
      await this.#refresh()
      return this.#engine
    }
    return {
      listPlugins: async () => (await current()).listPlugins(),
      enablePlugin: async (name) => {
        await (await current()).enablePlugin(name)
        // One that is not here does not note it by itself.
        new PluginStates(this.#config.paths.pluginStateFile).setEnabled(name, true)
      },
      disablePlugin: async (name) => (await current()).disablePlugin(name),
    }
  }

  // `se store use` may just have chosen another store, and the next command expects that.
  #refresh(): Promise<void> | undefined {
    const now = performance.now()
    if (now - this.#lookedAt < LOOK_MS) return this.#reloading
    this.#lookedAt = now
    const stamp = stampOf(this.#config.file)
    if (stamp === this.#stamp || isBeingWritten(this.#config.file)) return this.#reloading
    this.#stamp = stamp
    return this.reload()
  }

  async #readAgain(): Promise<void> {
    try {
      this.#stamp = stampOf(this.#config.file)
      await this.#use(await readConfig(this.#options.env))
    } catch (error) {
      this.#log.error('the configuration cannot be used, and the old one is kept', factsOf(error))
    }
  }

  /** Waits for the store only: plugins take their time to start, and to end. */
  async #use(config: Config): Promise<void> {
    const before = this.#config
    this.#config = config
    await this.#store.reconfigure(config)
    this.#engine.dropCache()
    const { plugins, ended } = updatePlugins(this.#engine, this.#hosted, config, { log: this.#log, gate: this.#gate })
    this.#hosted = plugins
    this.#ending = Promise.all([this.#ending, ended])
    const later = JSON.stringify(before.daemon) === JSON.stringify(config.daemon) ? undefined : 'daemon'
    this.#log.info('the configuration was read again', { file: config.file, nextStart: later })
  }
}

/** Listens on what is configured, except where the service manager does already. */
function listenBeside(config: Config, { env, passed }: UserDaemonOptions): Listening {
  const wanted = listenAddresses(config.daemon, env)
  const others = wanted.filter((address) => !passed.some((socket) => socket.address === address))
  if (passed.length === 0 || others.length === 0) return listenOnAll(others, uid())
  try {
    return listenOnAll(others, uid())
  } catch (error) {
    // The passed ones are enough.
    if (!SecretsError.is(error)) throw error
    return { listeners: [], left: others.map((address) => ({ address, error })) }
  }
}

/** The configuration, and the stamp of a file that is not newer than it. */
async function readWithStamp(env: NodeJS.ProcessEnv): Promise<[Config, string]> {
  const { file } = await readConfig(env)
  const stamp = stampOf(file)
  return [await readConfig(env), stamp]
}

function uid(): number {
  return process.getuid?.() ?? 0
}

function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
}

/** Whether it is empty only since a moment ago: an editor that truncates a file writes it then. */
function isBeingWritten(file: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat?.size === 0 && Date.now() - stat.mtimeMs < WRITE_MS
}

function factsOf(error: unknown): Record<string, string | undefined> {
  if (!SecretsError.is(error)) return { reason: (error as Error).name }
  return { code: error.code, reason: error.message, hint: error.hint }
}
