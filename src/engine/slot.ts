import type { Pattern } from '../pattern.js'
import { AnswerCache } from './answer-cache.js'
import type { Call } from './call.js'
import type { LogFacts, Plugin, PluginLogger } from './plugin.js'

/** A plugin in an engine, and what is going on about it. */
export class Slot {
  /** The plugin. Its pattern may change between two requests. */
  readonly plugin: Plugin
  /** Where it writes; each line names it. */
  readonly log: PluginLogger
  /** Whether it is asked. */
  enabled: boolean
  /** The last change of `enabled`, so that they come one after the other. */
  changing: Promise<void> = Promise.resolve()
  /** Answers that are used again. */
  readonly cache = new AnswerCache()
  /** Calls that an equal request may join, by {@link keyOf}. */
  readonly #joinable = new Map<string, Call>()
  #running = 0
  #idle: (() => void)[] = []

  constructor(plugin: Plugin, log: PluginLogger, enabled: boolean) {
    this.plugin = plugin
    this.log = named(log, plugin.name)
    this.enabled = enabled
  }

  /** A call under way that asks the same of the same. */
  find(key: string, own: Pattern): Call | undefined {
    const call = this.#joinable.get(key)
    return call?.own.text === own.text ? call : undefined
  }

  /** Notes that a call begins. */
  begin(call: Call): void {
    this.#running++
    for (const key of call.keys) this.#joinable.set(key, call)
  }

  /** Notes that a call is over: nobody joins it any more. */
  end(call: Call): void {
    for (const key of call.keys) if (this.#joinable.get(key) === call) this.#joinable.delete(key)
    this.#running--
    if (this.#running > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Whether what a call brings may be kept: not when everything was forgotten since it began. */
  isCurrent(call: Call): boolean {
    return call.keys.every((key) => this.#joinable.get(key) === call)
  }

  /** Wipes what was kept. Calls under way go on, for those who wait; nobody joins them and nothing of them is kept. */
  forget(): void {
    this.cache.clear()
    this.#joinable.clear()
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#running === 0) resolve()
      else this.#idle.push(resolve)
    })
  }
}

/** What equal calls have in common. */
export function keyOf(pattern: Pattern, times: boolean): string {
  return times ? `${pattern.text} with times` : pattern.text
}

function named(log: PluginLogger, plugin: string): PluginLogger {
  const at =
    (level: keyof PluginLogger) =>
    (message: string, facts?: LogFacts): void => {
      try {
        log[level](message, { plugin, ...facts })
      } catch {
        // A log that fails keeps no request from its answer.
      }
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
