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

/**
 * Brings an engine from what was configured to what is configured now: takes out what has gone or was changed, and adds
 * and starts what is new.
 * @param before - What {@link configuredPlugins}, or the last call, answered.
 * @returns the plugins that the engine has now.
 */
export async function updatePlugins(
  engine: LocalEngine,
  before: readonly HostedPlugin[],
  config: Config,
  options: ConfiguredOptions = {},
): Promise<HostedPlugin[]> {
  const host = hostOptions(config, options)
  const wanted = pluginsOf(config, host.log)
  const kept = before.filter((plugin) => wanted.some((one) => isDeepStrictEqual(one, plugin.config)))
  await Promise.all(before.filter((plugin) => !kept.includes(plugin)).map(({ name }) => engine.removePlugin(name)))
  const added = wanted
    .filter(({ name }) => !kept.some((plugin) => plugin.name === name))
    .flatMap((plugin) => {
      const made = hosted(plugin, host)
      try {
        engine.addPlugin(made)
      } catch (error) {
        if (!SecretsError.is(error)) throw error
        host.log.error('a plugin cannot be added', { plugin: plugin.name, code: error.code })
        void made.close?.()
        return []
      }
      made.start()
      return [made]
    })
  return [...kept, ...added]
}

/** The configuration of every plugin: a table wins over a program of the same name. */
export function pluginsOf(config: Config, log: PluginLogger = SILENT): PluginConfig[] {
  const inFolder = pluginsInFolder(config.paths.pluginFolder, log)
  return [...config.plugins, ...inFolder.filter(({ name }) => !config.plugins.some((plugin) => plugin.name === name))]
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
