// The plugins of an engine, in order of priority. They may come and go while requests run: each request sees the list as
// it was when it asked.
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import { failureOf } from './failure.js'
import { isPlugin, type Plugin, type PluginLogger } from './plugin.js'
import { Slot } from './slot.js'

/** What an engine holds its plugins to. */
export interface RegistryOptions {
  /** Names whose answers come first, in this order; also of plugins that are not there yet. */
  readonly priority: readonly string[]
  /** Names of plugins that are not asked; also of ones that are not there yet. */
  readonly disabled: Iterable<string>
  readonly log: PluginLogger
}

/** The plugins of an engine. */
export class Registry {
  readonly #priority: readonly string[]
  readonly #disabled: Set<string>
  readonly #log: PluginLogger
  /** Replaced by every change, never changed itself. */
  #slots: readonly Slot[] = []

  constructor({ priority, disabled, log }: RegistryOptions) {
    this.#priority = priority
    this.#disabled = new Set(disabled)
    this.#log = log
  }

  /** All plugins, in order of priority. */
  get slots(): readonly Slot[] {
    return this.#slots
  }

  /** @throws `SE_PLUGIN_INVALID`, `SE_PLUGIN_DUPLICATE`. */
  add(plugin: Plugin): void {
    if (!isPlugin(plugin)) throw notMade()
    const { name, configurable } = plugin
    if (this.#slots.some((slot) => slot.plugin.name === name)) throw duplicate(name)
    const slot = new Slot(plugin, this.#log, !configurable || !this.#disabled.has(name))
    this.#slots = [...this.#slots, slot].sort((a, b) => this.#compare(a.plugin, b.plugin))
  }

  /** Takes a plugin out. @returns its slot. @throws `SE_NO_PLUGIN`. */
  remove(name: string): Slot {
    const found = this.get(name)
    this.#slots = this.#slots.filter((slot) => slot !== found)
    found.forget()
    return found
  }

  /** @throws `SE_NO_PLUGIN`. */
  get(name: string): Slot {
    const found = this.#slots.find(({ plugin }) => plugin.name === name)
    if (found !== undefined) return found
    throw noPlugin(
      name,
      this.#slots.map(({ plugin }) => plugin.name),
    )
  }

  /**
   * Lets a plugin be asked, or not, and tells it. Changes of one plugin come one after the other. It is remembered by
   * name: a plugin that leaves and comes back is as it was.
   * @throws `SE_NO_PLUGIN`; `SE_INVALID_OPTION` for one that cannot be disabled; what the plugin fails with. One that
   *   cannot be started stays disabled.
   */
  async setEnabled(name: string, enabled: boolean): Promise<void> {
    // Of one that has left, only that it was disabled is remembered.
    if (enabled && !this.#slots.some(({ plugin }) => plugin.name === name) && this.#disabled.delete(name)) return
    const slot = this.get(name)
    const { plugin } = slot
    if (!plugin.configurable) throw notConfigurable(name)
    const change = slot.changing.then(async () => {
      if (!enabled) this.#set(slot, false)
      try {
        await plugin.setEnabled?.(enabled)
      } catch (error) {
        throw failureOf(plugin, error)
      }
      if (enabled) this.#set(slot, true)
    })
    slot.changing = change.catch(() => undefined)
    await change
  }

  #set(slot: Slot, enabled: boolean): void {
    slot.enabled = enabled
    slot.forget()
    if (enabled) this.#disabled.delete(slot.plugin.name)
    else this.#disabled.add(slot.plugin.name)
  }

  #compare(a: Plugin, b: Plugin): number {
    return this.#rank(a) - this.#rank(b) || (a.name < b.name ? -1 : 1)
  }

  #rank({ name, builtIn }: Plugin): number {
    const place = this.#priority.indexOf(name)
    return place >= 0 ? place - this.#priority.length : builtIn ? 0 : 1
  }
}

function notMade(): SecretsError {
  return createError('SE_PLUGIN_INVALID', 'what is among the plugins was not made by definePlugin', {
    hint: 'createEngine({ plugins: [definePlugin({ … })] })',
  })
}

function duplicate(name: string): SecretsError {
  return createError('SE_PLUGIN_DUPLICATE', `two plugins have the name ${name}`, { details: { plugin: name } })
}

function noPlugin(name: string, known: readonly string[]): SecretsError {
  const meant = nearest(name, known)
  const hint = meant === undefined ? `there are: ${known.join(', ')}` : `did you mean ${meant}?`
  return createError('SE_NO_PLUGIN', `there is no plugin ${JSON.stringify(name)}`, { hint, details: { plugin: name } })
}

function notConfigurable(name: string): SecretsError {
  return createError('SE_INVALID_OPTION', `the plugin ${name} is always enabled`, {
    hint: 'to ask another plugin alone, name it: option `plugin`',
    details: { plugin: name },
  })
}
