/** The plugins of the configuration and of the plugin folder, for the daemon and for an engine in process. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/config.js'
import type { PluginConfig } from '../config/tables.js'
import type { LocalEngine } from '../engine/engine.js'
import type { PluginLogger } from '../engine/plugin.js'
import { SecretsError } from '../errors/secrets-error.js'
import { AccessGate } from './access-gate.js'
import type { HostOptions } from './host-options.js'
import { type HostedPlugin, launchedPlugin } from './launched-plugin.js'
import { linesPlugin } from './lines-plugin.js'
import { pluginsInFolder } from './plugin-folder.js'
import { PluginStates } from './plugin-states.js'

/** What may be chosen. */
export interface ConfiguredOptions {
  /** Where starts and ends are told. Default nowhere. */
  readonly log?: PluginLogger | undefined
  /** Takes plugins that decide about access: its `authorize` belongs to the same engine. */
  readonly gate?: AccessGate | undefined
  /** Milliseconds that a plugin has to end after each step. Default 2,000: less where a person waits. */
  readonly graceMs?: number | undefined
}

const SILENT: PluginLogger = { debug() {}, info() {}, warn() {}, error() {} }

/**
 * Makes the plugins that are configured, those of the folder after those of the file. None is started: `start` does, or the
 * first request that overlaps.
 */
export async function configuredPlugins(config: Config, options: ConfiguredOptions = {}): Promise<HostedPlugin[]> {
  const host = hostOptions(config, options)
  return pluginsOf(config, host.log).map((plugin) => hosted(plugin, host))
}

/** Names of plugins that were disabled, for `createEngine`. */
export function disabledPlugins(config: Config): readonly string[] {
  return new PluginStates(config.paths.pluginStateFile).disabled()
}

/** What an engine was brought to. */
export interface PluginUpdate {
  /** The plugins that it has now. */
  readonly plugins: readonly HostedPlugin[]
  /** Resolves when those that it has no more have ended. Never rejects. */
  readonly ended: Promise<void>
}

/**
 * Brings an engine from what was configured to what is configured now, in one turn: no request misses a plugin that was
 * changed. The one before answers what it was asked, and ends, while the new one is started.
 * @param before - What {@link configuredPlugins}, or the last call, answered.
 */
export function updatePlugins(
  engine: LocalEngine,
  before: readonly HostedPlugin[],
  config: Config,
  options: ConfiguredOptions = {},
): PluginUpdate {
  const host = hostOptions(config, options)
  const ends: Promise<void>[] = []
  const end = (plugin: HostedPlugin, ended: Promise<void>): void => {
    ends.push(ended.catch((error: unknown) => tell(host, 'a plugin cannot be ended', plugin, error)))
  }
  const wanted = pluginsOf(config, host.log)
  for (const plugin of before) {
    if (!wanted.some(({ name }) => name === plugin.name)) end(plugin, engine.removePlugin(plugin.name))
  }
  const plugins = wanted.flatMap((one) => {
    const old = before.find(({ name }) => name === one.name)
    if (old !== undefined && isDeepStrictEqual(old.config, one)) return [old]
    let made: HostedPlugin
    try {
      made = hosted(one, host)
    } catch (error) {
      tell(host, 'a plugin cannot be made', one, error)
      return old === undefined ? [] : [old]
    }
    if (old !== undefined) end(old, engine.removePlugin(old.name))
    try {
      engine.addPlugin(made)
    } catch (error) {
      tell(host, 'a plugin cannot be added', one, error)
      end(made, Promise.resolve(made.close?.()))
      return []
    }
    made.start()
    return [made]
  })
  return { plugins, ended: Promise.all(ends).then(() => undefined) }
}

/** The configuration of every plugin: a table wins over a program of the same name. */
export function pluginsOf(config: Config, log: PluginLogger = SILENT): PluginConfig[] {
  const inFolder = pluginsInFolder(config.paths.pluginFolder, log)
  return [...config.plugins, ...inFolder.filter(({ name }) => !config.plugins.some((plugin) => plugin.name === name))]
}

function tell({ log }: HostOptions, message: string, { name }: { readonly name: string }, error: unknown): void {
  const facts = SecretsError.is(error) ? { code: error.code, reason: error.message } : { reason: (error as Error).name }
  log.error(message, { plugin: name, ...facts })
}

function hosted(plugin: PluginConfig, host: HostOptions): HostedPlugin {
  return plugin.protocol === 'lines' ? linesPlugin(plugin, host) : launchedPlugin(plugin, host)
}

function hostOptions(
  { paths }: Config,
  { log = SILENT, gate = new AccessGate(), graceMs }: ConfiguredOptions,
): HostOptions {
  return {
    log,
    gate,
    graceMs,
    logFolder: paths.pluginLogFolder,
    states: new PluginStates(paths.pluginStateFile),
    accept: async (socket, options) => (await import('../session/plugin-session.js')).acceptSession(socket, options),
  }
}
