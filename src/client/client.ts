import type {
  Engine,
  ExplainOptions,
  Explanation,
  PatternResult,
  PluginInfo,
  RequestOptions,
} from '../engine/engine.js'
import { explanationOf } from '../engine/explanation.js'
import { checkPolicy } from '../engine/pick.js'
import { secretsOf } from '../engine/secrets-of.js'
import type { DaemonReply } from '../native/client.js'
import { parsePattern } from '../pattern.js'
import type { Secret } from '../secret.js'
import type { WaitOptions } from '../wait.js'
import { batchOf, type DaemonDescription, descriptionOf, pluginsOf } from './answers.js'
import { type Connection, type DaemonRequest, parse } from './connection.js'

const ENGINE = '/senative.engine.v1.EngineService/'
const MANAGEMENT = '/plugins.v1.PluginManagementService/'

/**
 * A daemon's engine: the same face as an engine in this process, at a distance. Made by {@link connect}.
 *
 * - A request that is aborted, or whose `timeoutMs` is over, is cancelled in the daemon too.
 * - The daemon asks the system who calls: `requester` is not sent.
 * - A connection that breaks is replaced, and the request sent once more; what cannot be mended is
 *   `SE_DAEMON_UNREACHABLE`. A daemon that was restarted is found again by the next request.
 */
export class Client implements Engine {
  readonly #connection: Connection
  readonly #timeoutMs: number | undefined

  /** @internal */
  constructor(connection: Connection, timeoutMs?: number) {
    this.#connection = connection
    this.#timeoutMs = timeoutMs
  }

  /** Where the daemon listens. */
  get address(): string {
    return this.#connection.address
  }

  /** Whether the daemon could not be reached the last time. */
  get lost(): boolean {
    return this.#connection.lost
  }

  /** As {@link Engine.getSecrets}; also throws `DaemonError`. */
  async getSecrets(pattern: string, options: RequestOptions = {}): Promise<Secret[]> {
    const [result] = await this.getBatch([pattern], options)
    return secretsOf(result as PatternResult, options)
  }

  /** As {@link Engine.getBatch}, in one request; also throws `DaemonError`. */
  async getBatch(patterns: readonly string[], options: RequestOptions = {}): Promise<PatternResult[]> {
    return this.#batch(patterns, options, false)
  }

  /** As {@link Engine.explain}; values do not leave the daemon. */
  async explain(pattern: string, options: ExplainOptions = {}): Promise<Explanation> {
    const { policy, times = policy === 'newest' } = options
    checkPolicy(policy)
    const [result] = (await this.#batch([pattern], { ...options, times }, true)) as [PatternResult]
    for (const secret of result.secrets) secret.dispose()
    return explanationOf(result, options)
  }

  /** As {@link Engine.suggest}. */
  async suggest(id: string, options: RequestOptions = {}): Promise<string | undefined> {
    const { plugin } = options
    const request = { procedure: `${ENGINE}Suggest`, what: `looking for what is like ${id}`, body: { id, plugin } }
    try {
      const found = parse((await this.#ask(request, options)).body)['id']
      return typeof found === 'string' && found !== '' ? found : undefined
    } catch {
      return undefined
    }
  }

  /** All plugins, in order of priority. */
  async listPlugins(options: WaitOptions = {}): Promise<PluginInfo[]> {
    const request = { procedure: `${ENGINE}ListPlugins`, what: 'listing plugins', body: {} }
    return pluginsOf(await this.#ask(request, options))
  }

  /** Lets a plugin be asked again, for everybody, until it is disabled. @throws `NotFoundError` `SE_NO_PLUGIN`. */
  async enablePlugin(name: string): Promise<void> {
    const procedure = `${MANAGEMENT}EnablePlugin`
    await this.#ask({ procedure, what: `enabling the plugin ${name}`, body: { name } })
  }

  /** Keeps a plugin from being asked, by anybody, until it is enabled. @throws `NotFoundError` `SE_NO_PLUGIN`. */
  async disablePlugin(name: string): Promise<void> {
    const procedure = `${MANAGEMENT}DisablePlugin`
    await this.#ask({ procedure, what: `disabling the plugin ${name}`, body: { name } })
  }

  /** What the daemon is, and how it is doing. */
  async describe(options: WaitOptions = {}): Promise<DaemonDescription> {
    const request = { procedure: `${ENGINE}Describe`, what: 'asking what the daemon is', body: {} }
    return descriptionOf(await this.#ask(request, options))
  }

  /**
   * Gives the daemon the passphrase of its encrypted file, which it keeps until {@link Client.lock}; of an OS keychain,
   * has the system ask for it.
   * @param passphrase - Stays the caller's to dispose. It goes to the daemon natively.
   * @throws `AccessError` `SE_WRONG_KEY` for a wrong passphrase.
   */
  async unlock(passphrase: Secret, options: WaitOptions = {}): Promise<void> {
    const secret = { member: 'passphrase', value: passphrase }
    const request = { procedure: `${ENGINE}Unlock`, what: 'unlocking the store of the daemon', body: {}, secret }
    await this.#ask(request, options)
  }

  /** Has the daemon forget passphrases and every cached value. */
  async lock(options: WaitOptions = {}): Promise<void> {
    await this.#ask({ procedure: `${ENGINE}Lock`, what: 'locking the daemon', body: {} }, options)
  }

  /** Lets the daemon go, which runs on. Later calls throw `SE_DISPOSED`. Again: nothing. */
  async close(): Promise<void> {
    this.#connection.close()
  }

  #ask(request: DaemonRequest, { signal, timeoutMs = this.#timeoutMs }: WaitOptions = {}): Promise<DaemonReply> {
    return this.#connection.ask(request, { signal, timeoutMs })
  }

  async #batch(texts: readonly string[], options: RequestOptions, withoutValues: boolean): Promise<PatternResult[]> {
    const patterns = [...new Set(texts)]
    for (const text of patterns) parsePattern(text)
    const { plugin, times } = options
    const request = {
      procedure: `${ENGINE}GetBatch`,
      what: `asking the daemon for ${texts.length === 1 ? texts[0] : `${texts.length} patterns`}`,
      body: { patterns, plugin, times, withoutValues },
    }
    const reply = await this.#ask(request, options)
    const results = new Map(batchOf(reply, patterns).map((result) => [result.pattern, result]))
    return texts.map((text) => results.get(text) as PatternResult)
  }
}
