import { existsSync } from 'node:fs'
import { type Config, readConfig } from '../config/config.js'
import { createEngine, type EngineOptions } from '../engine/create-engine.js'
import type { Engine } from '../engine/engine.js'
import { keychain } from '../plugins/keychain.js'
import type { StoreOptions } from '../store/open-store.js'

/** How long a plugin that was started for this process may take to end. */
const GRACE_MS = 500

/**
 * An engine in this process, with the plugins that a daemon would have: the built-in one of the chosen store, and those
 * that are configured. Each of these is started by the first request that overlaps its pattern, and ends with the engine.
 * @param env - As `process.env`.
 * @param options - How the store is opened.
 * @param given - The configuration, where it was read already.
 * @throws `SE_INVALID_CONFIG`.
 */
export async function openLocalEngine(
  env: NodeJS.ProcessEnv,
  options: Pick<StoreOptions, 'passphrase' | 'timeoutMs'> = {},
  given?: Config,
): Promise<Engine> {
  const config = given ?? (await readConfig(env))
  const builtIn = keychain(options)
  const isAlone = config.plugins.length === 0 && !existsSync(config.paths.pluginFolder)
  if (isAlone) return createEngine({ plugins: [builtIn], priority: config.daemon.priority })
  const { plugins, ...others } = await configured(config)
  return createEngine({ ...others, plugins: [builtIn, ...plugins], priority: config.daemon.priority })
}

async function configured(config: Config): Promise<EngineOptions> {
  const [{ AccessGate }, { configuredPlugins, disabledPlugins }] = await Promise.all([
    import('../plugin-host/access-gate.js'),
    import('../plugin-host/configured-plugins.js'),
  ])
  const gate = new AccessGate()
  const plugins = await configuredPlugins(config, { gate, graceMs: GRACE_MS })
  return { plugins, disabled: disabledPlugins(config), authorize: gate.authorize }
}
