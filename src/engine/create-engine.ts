import { checkOptions, wrongArgument } from '../argument.js'
import { checkTimeout } from '../wait.js'
import type { Authorize } from './access.js'
import type { LocalEngine } from './engine.js'
import type { Plugin, PluginLogger } from './plugin.js'
import { PLUGIN_TIMEOUT_MS } from './plugin-limits.js'
import { Registry } from './registry.js'
import { Router } from './router.js'

/** How an engine is made. */
export interface EngineOptions {
  /** The plugins, made by `definePlugin` or by functions such as `keychain()`. */
  readonly plugins: Iterable<Plugin>
  /**
   * Names of plugins whose answers come first, in this order. The others follow: built in first, then by name. A name may
   * be that of a plugin which comes later.
   */
  readonly priority?: readonly string[] | undefined
  /** Milliseconds that a plugin without a limit of its own may take. Default 10,000. */
  readonly timeoutMs?: number | undefined
  /** Names of plugins that are not asked until they are enabled; also of ones that come later. */
  readonly disabled?: Iterable<string> | undefined
  /** Where the engine and its plugins write what happens. By default nowhere. */
  readonly log?: PluginLogger | undefined
  /** Says whether somebody may ask, before plugins are asked. By default everybody who has the engine may. */
  readonly authorize?: Authorize | undefined
}

const discard = (): void => undefined
const NO_LOG: PluginLogger = { debug: discard, info: discard, warn: discard, error: discard }

/**
 * Makes an engine in this process.
 * @throws `PluginError` `SE_PLUGIN_DUPLICATE` when two plugins have the same name, `SE_PLUGIN_INVALID` for what is no
 *   plugin; `InvalidInputError` `SE_INVALID_OPTION`.
 */
export async function createEngine(options: EngineOptions): Promise<LocalEngine> {
  checkOptions(options, ['plugins', 'priority', 'timeoutMs', 'disabled', 'log', 'authorize'])
  const { timeoutMs = PLUGIN_TIMEOUT_MS, priority = [], disabled = [], log = NO_LOG, authorize } = options
  checkTimeout(timeoutMs)
  if (!Array.isArray(priority)) throw wrongArgument('priority', 'an array', priority)
  const registry = new Registry({ priority, disabled, log })
  for (const plugin of options.plugins) registry.add(plugin)
  return new Router(registry, { timeoutMs, authorize })
}
