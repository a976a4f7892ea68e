import { readConfig } from '../config/config.js'
import { createEngine } from '../engine/create-engine.js'
import type { Engine } from '../engine/engine.js'
import { keychain } from '../plugins/keychain.js'
import type { StoreOptions } from '../store/open-store.js'

/**
 * An engine in this process, with the plugins that a daemon would have: the built-in one of the chosen store, and those
 * that are configured.
 * @param env - As `process.env`.
 * @param options - How the store is opened.
 * @throws `SE_INVALID_CONFIG`.
 */
export async function openLocalEngine(
  env: NodeJS.ProcessEnv,
  options: Pick<StoreOptions, 'passphrase' | 'timeoutMs'> = {},
): Promise<Engine> {
  const { daemon } = await readConfig(env)
  const plugins = [keychain(options)]
  const names = plugins.map(({ name }) => name)
  return createEngine({ plugins, priority: daemon.priority.filter((name) => names.includes(name)) })
}
