import { createError, type SecretsError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import type { Secret } from '../secret.js'
import { type WaitOptions, wait } from '../wait.js'
import { type Authorize, checkAccess } from './access.js'
import { wipe } from './brought.js'
import { Deadlines } from './deadlines.js'
import type {
  AskOptions,
  ExplainOptions,
  Explanation,
  LocalEngine,
  PatternResult,
  PluginInfo,
  RequestOptions,
  Settled,
} from './engine.js'
import { explanationOf } from './explanation.js'
import { failureOf } from './failure.js'
import { isHidden } from './hidden.js'
import { checkPolicy } from './pick.js'
import type { Plugin, Requester } from './plugin.js'
import { inPortions } from './portions.js'
import type { Registry } from './registry.js'
import { Request } from './request.js'
import { secretsOf } from './secrets-of.js'
import type { Slot } from './slot.js'

/** What a router is given beside its plugins. */
export interface RouterOptions {
  readonly timeoutMs: number
  readonly authorize: Authorize | undefined
}

/** An engine in this process. Made by `createEngine`. */
export class Router implements LocalEngine {
  readonly #registry: Registry
  readonly #timeoutMs: number
  readonly #authorize: Authorize | undefined
  readonly #deadlines = new Deadlines()
  readonly #self: Requester = { pid: process.pid, name: process.title, path: process.execPath }
  #closed = false

  constructor(registry: Registry, { timeoutMs, authorize }: RouterOptions) {
    this.#registry = registry
    this.#timeoutMs = timeoutMs
    this.#authorize = authorize
  }

  async getSecrets(pattern: string, options: RequestOptions = {}): Promise<Secret[]> {
    const [result] = await this.getBatch([pattern], options)
    return secretsOf(result as PatternResult, options)
  }

  async getBatch(patterns: readonly string[], options: RequestOptions = {}): Promise<PatternResult[]> {
    this.#checkOpen()
    const request = new Request(patterns)
    const begin = () =>
      new Promise<PatternResult[]>((answered, failed) => this.#answer(request, options, { answered, failed }))
    if (options.signal === undefined && options.timeoutMs === undefined) return begin()
    const work = {
      get what() {
        return request.what
      },
      begin,
      // The results were handed over already, and abandoning the request wipes nothing.
      discard: (late: PatternResult[]) => wipe(late.flatMap(({ secrets }) => secrets)),
    }
    return wait(work, options).catch((error: unknown) => {
      request.abandon(error)
      throw error
    })
  }

  ask(patterns: readonly string[], options: AskOptions, settled: Settled): (reason: unknown) => void {
    this.#checkOpen()
    const request = new Request(patterns)
    this.#answer(request, options, settled)
    return (reason) => request.abandon(reason)
  }

  async explain(pattern: string, options: ExplainOptions = {}): Promise<Explanation> {
    const { policy, times = policy === 'newest' } = options
    checkPolicy(policy)
    const [result] = (await this.getBatch([pattern], { ...options, times })) as [PatternResult]
    const explanation = explanationOf(result, options)
    await inPortions(result.secrets, (secret) => secret.dispose())
    return explanation
  }

  async suggest(id: string, options: RequestOptions = {}): Promise<string | undefined> {
    const { requester = this.#self, plugin: only } = options
    const signal = AbortSignal.timeout(this.#timeoutMs)
    const list = async ({ plugin, log }: Slot): Promise<string[]> => {
      const ids = (await plugin.listIds?.({ log, signal, requester, times: false })) ?? []
      return [...ids].filter((found) => plugin.parsedPattern.matches(found) && !isHidden(found))
    }
    const limits: WaitOptions = { signal, ...options }
    const lists = await Promise.all(
      this.#registry.slots
        .filter(({ enabled, plugin }) => enabled && (only === undefined || only === plugin.name))
        .map((slot) => wait({ what: 'listing', begin: () => list(slot) }, limits).catch(() => [])),
    )
    const found = nearest(id, lists.flat())
    return found !== undefined && (await this.#mayKnow(found, requester, limits)) ? found : undefined
  }

  async listPlugins(): Promise<PluginInfo[]> {
    this.#checkOpen()
    return this.#registry.slots.map(({ plugin, enabled }) => {
      const { name, version, kind = 'secrets', pattern, builtIn, configurable } = plugin
      const state = plugin.state?.() ?? { status: 'running' }
      const status = enabled ? state.status : 'stopped'
      return { name, version, kind, pattern, enabled, builtIn, configurable, status, statusMessage: state.message }
    })
  }

  async enablePlugin(name: string): Promise<void> {
    this.#checkOpen()
    await this.#registry.setEnabled(name, true)
  }

  async disablePlugin(name: string): Promise<void> {
    this.#checkOpen()
    await this.#registry.setEnabled(name, false)
  }

  addPlugin(plugin: Plugin): void {
    this.#checkOpen()
    this.#registry.add(plugin)
  }

  async removePlugin(name: string): Promise<void> {
    this.#checkOpen()
    const slot = this.#registry.remove(name)
    await slot.idle()
    await closePlugin(slot)
  }

  dropCache(): void {
    for (const slot of this.#registry.slots) slot.forget()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.dropCache()
    await Promise.all(this.#registry.slots.map(closePlugin))
  }

  #answer(request: Request, { plugin, times, requester = this.#self }: AskOptions, settled: Settled): void {
    const round = { requester, times: times === true, timeoutMs: this.#timeoutMs, deadlines: this.#deadlines }
    const ask = () => {
      const slots = plugin === undefined ? this.#registry.slots : [this.#registry.get(plugin)]
      request.ask(slots, round, () => handOver(request, settled))
    }
    const allowed = this.#authorize && checkAccess(this.#authorize, request, round)
    if (allowed === undefined) ask()
    else allowed.then(ask).catch(settled.failed)
  }

  /** Whether an id may be named to somebody: only to whoever may ask for it. Never rejects. */
  async #mayKnow(id: string, requester: Requester, limits: WaitOptions): Promise<boolean> {
    const authorize = this.#authorize
    if (authorize === undefined) return true
    const request = new Request([id])
    const round = { requester, times: false, timeoutMs: this.#timeoutMs, deadlines: this.#deadlines }
    const begin = async (): Promise<boolean> => {
      await checkAccess(authorize, request, round)
      return true
    }
    return wait({ what: 'asking for access', begin }, limits).catch((error: unknown) => {
      request.abandon(error)
      return false
    })
  }

  #checkOpen(): void {
    if (this.#closed) throw createError('SE_DISPOSED', 'the engine was closed before')
  }
}

function handOver(request: Request, { answered, failed }: Settled): void {
  let results: PatternResult[]
  try {
    results = request.results()
  } catch (error) {
    return failed(error)
  }
  answered(results)
}

async function closePlugin({ plugin }: Slot): Promise<void> {
  try {
    await plugin.close?.()
  } catch (error) {
    throw failureOf(plugin, error) satisfies SecretsError
  }
}
