import type { SecretsError } from '../errors/secrets-error.js'
import type { Secret } from '../secret.js'
import type { WaitOptions } from '../wait.js'
import type { Policy } from './pick.js'
import type { Plugin, Requester } from './plugin.js'

/** How to ask. */
export interface RequestOptions extends WaitOptions {
  /** Who asks; this process by default. */
  readonly requester?: Requester | undefined
  /** Asks only the plugin of this name. */
  readonly plugin?: string | undefined
  /**
   * Whether `createdAt` is wanted even where finding it takes time: a Secret Service is asked for it once more. Default
   * false; the policy `newest` wants it.
   */
  readonly times?: boolean | undefined
  /** Fails when any plugin fails, though others answered. Default false. */
  readonly strict?: boolean | undefined
  /** Is told of each plugin that failed while others answered. */
  readonly onFailure?: ((failure: SecretsError) => void) | undefined
}

/** How to explain. */
export interface ExplainOptions extends RequestOptions {
  /** Which secret a caller would mean when there are several answers. Default `unique`. */
  readonly policy?: Policy | undefined
}

/**
 * What came of one plugin. `cached`: answered from what it had answered before; `timed out`: its own time limit ran out;
 * `refused`: it, or a person, denied access; `failed`: anything else that went wrong. With the last three there is a
 * `failure`.
 */
export type OutcomeStatus =
  | 'answered'
  | 'cached'
  | 'nothing'
  | 'failed'
  | 'timed out'
  | 'refused'
  | 'not asked: disabled'
  | 'not asked: no overlap'

/** What one plugin did for a pattern. */
export interface PluginOutcome {
  /** Its name. */
  readonly plugin: string
  /** Its own pattern. */
  readonly pattern: string
  /** Whether it was asked, and if not, why. */
  readonly status: OutcomeStatus
  /** The ids that it answered with, in the order of the result. */
  readonly ids: readonly string[]
  /** Ids that it answered with outside of what was asked or of its own pattern, 100 at most. They were thrown away. */
  readonly dropped: readonly string[]
  /** Milliseconds until it answered or failed, counted from when it was asked, be it by somebody else. */
  readonly latencyMs: number | undefined
  /** Why it failed. */
  readonly failure: SecretsError | undefined
}

/** What is known for one pattern of a batch. */
export interface PatternResult {
  /** The pattern, as it was asked for. */
  readonly pattern: string
  /** Its secrets, in order of priority, then of id. */
  readonly secrets: readonly Secret[]
  /** What every plugin did, in order of priority. */
  readonly outcomes: readonly PluginOutcome[]
}

/** A secret that a caller would get, without its value. */
export interface ExplainedSecret {
  /** Its id. */
  readonly id: string
  /** The plugin that answers with it. */
  readonly plugin: string
  /** When it was first stored, where the plugin knows. */
  readonly createdAt: Date | undefined
}

/** Which plugins were asked for a pattern, and what came of it. Holds no value. */
export interface Explanation {
  /** The pattern, as it was asked for. */
  readonly pattern: string
  /** What every plugin did, in order of priority. */
  readonly outcomes: readonly PluginOutcome[]
  /** All secrets, in the order in which a caller would get them. */
  readonly secrets: readonly ExplainedSecret[]
  /** The one that `resolve` would give. */
  readonly chosen: ExplainedSecret | undefined
  /** Why `resolve` would give none: the error that it would throw, but for the hint that names a similar id. */
  readonly problem: SecretsError | undefined
}

/** A plugin as `listPlugins` shows it. */
export interface PluginInfo {
  /** Its name. */
  readonly name: string
  /** Its version. */
  readonly version: string
  /** What it is there for. */
  readonly kind: PluginKind
  /** Which ids it answers for; of one that decides about access, those that it decides about. */
  readonly pattern: string
  /** Whether it is asked. */
  readonly enabled: boolean
  /** Whether it comes with this package. */
  readonly builtIn: boolean
  /** Whether it can be enabled and disabled. */
  readonly configurable: boolean
  /** How it is doing. */
  readonly status: PluginStatus
  /** Why, where there is more to say. */
  readonly statusMessage: string | undefined
}

/** What a plugin is there for: to answer with secrets, or to decide who may read them. */
export type PluginKind = 'secrets' | 'access control'

/**
 * How a plugin is doing. `stopped`: it is disabled, or starts when it is needed; `crashed`: it ended by itself and will be
 * started again; `retries exceeded`: it ended too often, and is started again by enabling it.
 */
export type PluginStatus = 'running' | 'stopped' | 'crashed' | 'retries exceeded'

/** Plugins and the routing between them. A daemon's client has the same face. */
export interface Engine {
  /**
   * Asks every plugin whose pattern overlaps, all at once. A plugin that is being asked for the same already is not asked
   * again: both get its answer.
   * @param pattern - An id or a pattern.
   * @returns secrets in order of priority, then of id, which the caller disposes; none when nothing matches. Plugins that
   *   failed while others answered are told to `onFailure`.
   * @throws the failure of a plugin when none answered, or under `strict`; `NotFoundError` `SE_NO_PLUGIN` when `plugin`
   *   names none; `AccessError` `SE_ACCESS_DENIED`; `CancelledError`; `InvalidInputError` `SE_INVALID_PATTERN`,
   *   `SE_DISPOSED`.
   */
  getSecrets(pattern: string, options?: RequestOptions): Promise<Secret[]>
  /**
   * Asks for many patterns, in one batch for each plugin.
   * @param patterns - Ids and patterns; repeated ones are asked for once.
   * @returns a result for each, in their order. A secret that several patterns match is one object. Nothing is thrown for
   *   a plugin that failed: look at `outcomes`.
   * @throws as {@link Engine.getSecrets}, but no plugin's failure.
   */
  getBatch(patterns: readonly string[], options?: RequestOptions): Promise<PatternResult[]>
  /** Asks, and tells what every plugin did and what `resolve` would give. Values are wiped at once. */
  explain(pattern: string, options?: ExplainOptions): Promise<Explanation>
  /** Ids like the one that was not found, where plugins can list without fetching values. Never rejects. */
  suggest(id: string, options?: RequestOptions): Promise<string | undefined>
  /** All plugins, in order of priority. */
  listPlugins(): Promise<PluginInfo[]>
  /**
   * Lets a plugin be asked again, and starts it where it runs in a process of its own.
   * @throws `NotFoundError` `SE_NO_PLUGIN`; `InvalidInputError` `SE_INVALID_OPTION` for one that is always enabled.
   */
  enablePlugin(name: string): Promise<void>
  /** Keeps a plugin from being asked. What is being asked of it goes on. @throws as {@link Engine.enablePlugin}. */
  disablePlugin(name: string): Promise<void>
  /** Closes every plugin. Later calls throw `SE_DISPOSED`. Again: nothing. */
  close(): Promise<void>
}

/** Who asks, and whom. */
export type AskOptions = Pick<RequestOptions, 'requester' | 'plugin' | 'times'>

/** What is told of a batch: one of the two is called, once, perhaps before `ask` returns. Neither may throw. */
export interface Settled {
  /** The results, as of {@link Engine.getBatch}. */
  answered(results: PatternResult[]): void
  /** As {@link Engine.getBatch} rejects. */
  failed(error: unknown): void
}

/** An engine in this process, whose plugins may come and go. */
export interface LocalEngine extends Engine {
  /**
   * As {@link Engine.getBatch}, without promises and signals: they cost more than all the rest of a request.
   * @returns what stops waiting: `settled` fails with `SE_ABORTED`, whose cause is the reason. After it was told: nothing.
   * @throws `InvalidInputError` `SE_INVALID_PATTERN`, `SE_DISPOSED`; `NotFoundError` `SE_NO_PLUGIN` (where an answer
   *   of `authorize` is awaited before, `settled` is told that). Nothing is told of what is thrown.
   */
  ask(patterns: readonly string[], options: AskOptions, settled: Settled): (reason: unknown) => void
  /** Adds a plugin. @throws `PluginError` `SE_PLUGIN_DUPLICATE`, `SE_PLUGIN_INVALID`; `SE_DISPOSED`. */
  addPlugin(plugin: Plugin): void
  /**
   * Takes a plugin out, and closes it when what is being asked of it is over. Its name is free at once.
   * @throws `NotFoundError` `SE_NO_PLUGIN`; what its `close` fails with.
   */
  removePlugin(name: string): Promise<void>
  /** Wipes every cached value. A request that comes now joins no call that began before. */
  dropCache(): void
}
