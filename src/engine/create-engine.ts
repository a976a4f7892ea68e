import { checkOptions } from '../argument.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import { type Pattern, parsePattern } from '../pattern.js'
import type { Secret } from '../secret.js'
import { checkTimeout, wait } from '../wait.js'
import type { Engine, Explanation, PatternResult, PluginInfo, PluginOutcome, RequestOptions } from './engine.js'
import { ask, type Brought, NO_LOG } from './fan-out.js'
import { isHidden } from './hidden.js'
import { isPlugin, type Plugin, type Requester } from './plugin.js'

/** How an engine is made. */
export interface EngineOptions {
  /** The plugins, made by `definePlugin` or by functions such as `keychain()`. */
  readonly plugins: Iterable<Plugin>
  /** Names of plugins whose answers come first, in this order. The others follow: built in first, then by name. */
  readonly priority?: readonly string[] | undefined
  /** Milliseconds that a plugin without a limit of its own may take. Default 10,000. */
  readonly timeoutMs?: number | undefined
}

/**
 * Makes an engine in this process.
 * @throws `PluginError` `SE_PLUGIN_DUPLICATE` when two plugins have the same name; `NotFoundError` `SE_NO_PLUGIN` when
 *   `priority` names none; `InvalidInputError` `SE_INVALID_OPTION`.
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { timeoutMs = 10_000, priority = [] } = options
  checkOptions(options, ['plugins', 'priority', 'timeoutMs'])
  checkTimeout(timeoutMs)
  const plugins = new Map<string, Plugin>()
  for (const plugin of options.plugins) {
    if (!isPlugin(plugin)) throw notMade()
    if (plugins.has(plugin.name)) throw duplicate(plugin.name)
    plugins.set(plugin.name, plugin)
  }
  for (const name of priority) if (!plugins.has(name)) throw noPlugin(name, plugins.keys())
  const rank = ({ name, builtIn }: Plugin): number =>
    priority.includes(name) ? priority.indexOf(name) - priority.length : builtIn ? 0 : 1
  const ordered = [...plugins.values()].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  return new Router(ordered, timeoutMs)
}

class Router implements Engine {
  readonly #plugins: readonly Plugin[]
  readonly #timeoutMs: number
  readonly #disabled = new Set<string>()
  #closed = false

  constructor(plugins: readonly Plugin[], timeoutMs: number) {
    this.#plugins = plugins
    this.#timeoutMs = timeoutMs
  }

  async getSecrets(pattern: string, options: RequestOptions = {}): Promise<Secret[]> {
    const [result] = await this.getBatch([pattern], options)
    return secretsOf(result as PatternResult, options)
  }

  async getBatch(texts: readonly string[], options: RequestOptions = {}): Promise<PatternResult[]> {
    this.#checkOpen()
    const patterns = new Map<string, Pattern>()
    for (const text of texts) if (!patterns.has(text)) patterns.set(text, parsePattern(text))
    const candidates = this.#candidates(options.plugin)
    const asked = candidates
      .filter((plugin) => !this.#disabled.has(plugin.name))
      .map((plugin) => ({
        plugin,
        patterns: [...patterns.values()].filter((pattern) => plugin.parsedPattern.overlaps(pattern)),
      }))
      .filter(({ patterns }) => patterns.length > 0)
    const limited = options.signal !== undefined || options.timeoutMs !== undefined
    const abandoned = limited ? new AbortController() : undefined
    const round = {
      signal: abandoned?.signal,
      requester: options.requester ?? thisProcess(),
      times: options.times === true,
      timeoutMs: this.#timeoutMs,
    }
    const names = asked.map(({ plugin }) => plugin.name).join(', ')
    const work = {
      what: `asking ${names === '' ? 'no plugin' : names} for ${texts.length === 1 ? texts[0] : `${texts.length} patterns`}`,
      begin: async () => (await Promise.all(asked.map(({ plugin, patterns }) => ask(plugin, patterns, round)))).flat(),
      discard: (late: Brought[]) => wipe(late.flatMap(({ secrets }) => secrets)),
    }
    let brought: Brought[]
    try {
      brought = await wait(work, options)
    } catch (error) {
      abandoned?.abort(error)
      throw error
    }
    return texts.map((text) => this.#result(text, patterns.get(text) as Pattern, candidates, brought))
  }

  async explain(pattern: string, options: RequestOptions = {}): Promise<Explanation> {
    const [result] = (await this.getBatch([pattern], options)) as [PatternResult]
    const secrets = result.secrets.map(({ id, plugin, createdAt }) => ({ id, plugin: plugin as string, createdAt }))
    wipe(result.secrets)
    return { pattern, outcomes: result.outcomes, secrets }
  }

  async suggest(id: string, options: RequestOptions = {}): Promise<string | undefined> {
    const { requester = thisProcess(), plugin: only } = options
    const signal = AbortSignal.timeout(this.#timeoutMs)
    const list = async (plugin: Plugin): Promise<string[]> =>
      [...((await plugin.listIds?.({ log: NO_LOG, signal, requester, times: false })) ?? [])].filter((found) =>
        plugin.parsedPattern.matches(found),
      )
    const lists = await Promise.all(
      this.#plugins
        .filter(({ name }) => !this.#disabled.has(name) && (only === undefined || only === name))
        .map((plugin) => wait({ what: 'listing', begin: () => list(plugin) }, { signal, ...options }).catch(() => [])),
    )
    return nearest(
      id,
      lists.flat().filter((found) => !isHidden(found)),
    )
  }

  async listPlugins(): Promise<PluginInfo[]> {
    this.#checkOpen()
    return this.#plugins.map((plugin) => {
      const { name, version, pattern, builtIn, configurable } = plugin
      const enabled = !this.#disabled.has(name)
      const { status, message } = plugin.state?.() ?? { status: enabled ? 'running' : 'stopped' }
      return { name, version, pattern, enabled, builtIn, configurable, status, statusMessage: message }
    })
  }

  async enablePlugin(name: string): Promise<void> {
    this.#candidates(name)
    this.#disabled.delete(name)
  }

  async disablePlugin(name: string): Promise<void> {
    this.#candidates(name)
    this.#disabled.add(name)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all(this.#plugins.map((plugin) => plugin.close?.()))
  }

  #candidates(name: string | undefined): readonly Plugin[] {
    this.#checkOpen()
    if (name === undefined) return this.#plugins
    const found = this.#plugins.filter((plugin) => plugin.name === name)
    if (found.length === 0)
      throw noPlugin(
        name,
        this.#plugins.map((plugin) => plugin.name),
      )
    return found
  }

  #checkOpen(): void {
    if (this.#closed) throw createError('SE_DISPOSED', 'the engine was closed before')
  }

  #result(text: string, pattern: Pattern, candidates: readonly Plugin[], brought: readonly Brought[]): PatternResult {
    const secrets: Secret[] = []
    const outcomes = candidates.map((plugin): PluginOutcome => {
      const answer = brought.find((one) => one.plugin === plugin && one.patterns.includes(pattern))
      const base = { plugin: plugin.name, pattern: plugin.pattern }
      if (answer === undefined) {
        const status = this.#disabled.has(plugin.name) ? 'not asked: disabled' : 'not asked: no overlap'
        return { ...base, status, ids: [], dropped: [], latencyMs: undefined, failure: undefined }
      }
      const mine = answer.secrets.filter((secret) => pattern.matches(secret.id))
      secrets.push(...mine)
      const { dropped, latencyMs, failure } = answer
      const status = failure !== undefined ? 'failed' : mine.length === 0 ? 'nothing' : 'answered'
      return { ...base, status, ids: mine.map(({ id }) => id), dropped, latencyMs, failure }
    })
    return { pattern: text, secrets, outcomes }
  }
}

/**
 * The secrets of a result.
 * @throws the first failure when nothing was answered, or under `strict`. Otherwise `onFailure` is told of each.
 */
export function secretsOf({ secrets, outcomes }: PatternResult, { strict, onFailure }: RequestOptions): Secret[] {
  const failures = outcomes.flatMap(({ failure }) => failure ?? [])
  const [first] = failures
  if (first !== undefined && (secrets.length === 0 || strict === true)) {
    wipe(secrets)
    throw first
  }
  for (const failure of failures) onFailure?.(failure)
  return [...secrets]
}

function wipe(secrets: Iterable<Secret>): void {
  for (const secret of secrets) secret.dispose()
}

function thisProcess(): Requester {
  return { pid: process.pid, name: process.title, path: process.execPath }
}

function notMade(): SecretsError {
  return createError('SE_PLUGIN_INVALID', 'what is among the plugins was not made by definePlugin', {
    hint: 'createEngine({ plugins: [definePlugin({ … })] })',
  })
}

function duplicate(name: string): SecretsError {
  return createError('SE_PLUGIN_DUPLICATE', `two plugins have the name ${name}`, { details: { plugin: name } })
}

function noPlugin(name: string, names: Iterable<string>): SecretsError {
  const known = [...names]
  const meant = nearest(name, known)
  const hint = meant === undefined ? `there are: ${known.join(', ')}` : `did you mean ${meant}?`
  return createError('SE_NO_PLUGIN', `there is no plugin ${JSON.stringify(name)}`, { hint, details: { plugin: name } })
}
