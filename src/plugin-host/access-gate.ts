/** Access control modules: plugins that are asked, before anything else is, who may read what. */
import type { Requester } from '../engine/plugin.js'
import { PLUGIN_TIMEOUT_MS } from '../engine/plugin-limits.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import type { PluginSession } from '../session/plugin-session.js'

/** A plugin that is launched, and perhaps such a module. */
export interface LaunchedModule {
  readonly name: string
  /** Whether it is one, as far as is known: one that does not run refuses everything. */
  isModule(): boolean
  /** Its session; starts it. */
  session(signal: AbortSignal): Promise<PluginSession>
}

/** Who asks, and until when the answer is wanted. */
export interface AccessContext {
  readonly requester: Requester
  readonly signal: AbortSignal | undefined
}

/** All access control modules of an engine. Without one everything is allowed. */
export class AccessGate {
  readonly #sessions = new Map<PluginSession, () => boolean>()
  readonly #launched = new Set<LaunchedModule>()

  /**
   * Adds a module that is connected. It leaves when its session ends.
   * @param isEnabled - Whether it is asked.
   */
  addSession(session: PluginSession, isEnabled: () => boolean): void {
    this.#sessions.set(session, isEnabled)
    void session.closed.then(() => this.#sessions.delete(session))
  }

  /** Adds a launched plugin. Answers with the function that takes it out. */
  addLaunched(module: LaunchedModule): () => void {
    this.#launched.add(module)
    return () => this.#launched.delete(module)
  }

  /**
   * Asks every module for every pattern, all at once: the engine's `authorize`. Without a module, or a pattern, it returns nothing.
   * Rejects with `SE_ACCESS_DENIED` when one refuses, or cannot be asked.
   */
  readonly authorize = (patterns: readonly Pattern[], context: AccessContext): Promise<void> | undefined => {
    const modules: Module[] = []
    for (const [session, isEnabled] of this.#sessions)
      if (isEnabled()) modules.push({ name: session.name, session: async () => session })
    for (const module of this.#launched) if (module.isModule()) modules.push(module)
    return modules.length === 0 || patterns.length === 0 ? undefined : askAll(modules, patterns, context)
  }
}

/** A module that is asked. */
type Module = Pick<LaunchedModule, 'name' | 'session'>

async function askAll(modules: readonly Module[], patterns: readonly Pattern[], context: AccessContext): Promise<void> {
  const { requester, signal } = context // the signal is made when it is looked at
  const limit = AbortSignal.timeout(PLUGIN_TIMEOUT_MS)
  const until = signal === undefined ? limit : AbortSignal.any([signal, limit])
  const ask = async (name: string, session: Promise<PluginSession>, pattern: string): Promise<void> => {
    let allowed: boolean
    try {
      allowed = await (await session).checkAccess(pattern, requester, until)
    } catch (cause) {
      signal?.throwIfAborted()
      throw refused(name, pattern, 'could not be asked', cause)
    }
    if (!allowed) throw refused(name, pattern, 'does not allow it')
  }
  await Promise.all(
    modules.flatMap((module) => {
      const session = module.session(until)
      return patterns.map(({ text }) => ask(module.name, session, text))
    }),
  )
}

function refused(plugin: string, pattern: string, reason: string, cause?: unknown): SecretsError {
  return createError('SE_ACCESS_DENIED', `access to ${pattern} is refused: the plugin ${plugin} ${reason}`, {
    hint: 'se plugins ls shows how it is doing',
    details: { plugin, pattern },
    cause,
  })
}
