/** Plugins that connect by themselves: `GET /hijack` on the daemon's socket, which is theirs from then on. */
import type { Duplex } from 'node:stream'
import type { LocalEngine } from '../engine/engine.js'
import { makePlugin, type PluginContext, type PluginLogger, type Requester } from '../engine/plugin.js'
import { PLUGIN_GRACE_MS, PLUGIN_TIMEOUT_MS } from '../engine/plugin-limits.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import type { PluginSession } from '../session/plugin-session.js'
import type { Registration } from '../session/registration.js'
import type { AccessGate } from './access-gate.js'
import { askSession } from './ask-session.js'
import { systemClock, within } from './clock.js'
import type { AcceptSession } from './host-options.js'
import type { PluginStates } from './plugin-states.js'

/** What the handler needs beside the engine. */
export interface HijackOptions {
  /** Takes plugins that decide about access. */
  readonly gate: AccessGate
  /** Which plugins are disabled. */
  readonly states: PluginStates
  /** Takes a plugin's socket and answers with its session. */
  readonly accept?: AcceptSession
}

/**
 * Makes the function that takes a connection of which the daemon has answered the upgrade. A plugin that registers is added
 * to the engine, and taken out when its session ends. One whose name is taken, or that does not register in time, is told
 * why and cut off.
 */
export function hijackHandler(
  engine: LocalEngine,
  log: PluginLogger,
  { gate, states, accept = acceptLater }: HijackOptions,
): (socket: Duplex, head: Buffer, requester: Requester) => void {
  const admit = async (registration: Registration): Promise<Dialled> => {
    const { name, kind } = registration
    const isModule = kind === 'access control'
    const { plugin, connected, lost } = isModule
      ? dialledModule(registration, states, gate)
      : dialledPlugin(registration, states)
    engine.addPlugin(plugin)
    const leave = async (): Promise<void> => {
      lost()
      await engine.removePlugin(name)
    }
    try {
      if (states.disabled().includes(name)) await engine.disablePlugin(name)
    } catch (error) {
      await leave()
      throw error
    }
    return { registration, connected, leave }
  }

  const take = async (socket: Duplex, head: Buffer, { pid, path }: Requester): Promise<void> => {
    let dialled: Dialled | undefined
    try {
      const session = await accept(socket, {
        head,
        admit: async (registration) => {
          dialled = await admit(registration)
        },
      })
      dialled?.connected(session)
      const facts = { plugin: session.name, version: session.version, kind: session.kind, pid, path }
      log.info('a plugin connected', facts)
      await session.closed
      log.info('a plugin left', facts)
    } catch (error) {
      const facts = SecretsError.is(error) ? { code: error.code, reason: error.message } : {}
      log.warn('a plugin was refused', { plugin: dialled?.registration.name, pid, path, ...facts })
    } finally {
      socket.destroy()
      await dialled?.leave().catch(() => {}) // the engine was closed
    }
  }
  return (socket, head, requester) => void take(socket, head, requester)
}

const acceptLater: AcceptSession = async (socket, options) =>
  (await import('../session/plugin-session.js')).acceptSession(socket, options)

/** A plugin that is being connected. */
interface Dialled {
  readonly registration: Registration
  connected(session: PluginSession): void
  leave(): Promise<void>
}

/** A plugin that decides about access: listed, and never asked for secrets. */
function dialledModule({ name, version, kind }: Registration, states: PluginStates, gate: AccessGate) {
  let session: PluginSession | undefined
  let isEnabled = true
  const close = () => endSession(session)
  const plugin = makePlugin({ name, version, pattern: '**', getSecrets: () => [], close }, false)
  const setEnabled = async (enabled: boolean) => {
    states.setEnabled(name, enabled)
    isEnabled = enabled
  }
  return {
    plugin: Object.freeze({ ...plugin, kind, setEnabled }),
    connected(arrived: PluginSession): void {
      session = arrived
      gate.addSession(arrived, () => isEnabled)
    },
    lost(): void {},
  }
}

/** Asks a plugin to shut down, and closes its session when it takes too long. */
async function endSession(session: PluginSession | undefined): Promise<void> {
  if (session === undefined) return
  const ended = Promise.race([session.shutdown().catch(() => {}), session.closed])
  await within(systemClock, PLUGIN_GRACE_MS, ended)
  session.close()
}

/** A plugin whose session is there in a moment: its name is taken before its registration is answered. */
function dialledPlugin({ name, version, pattern }: Registration, states: PluginStates) {
  let session: PluginSession | undefined
  let arrive: (session: PluginSession) => void = () => {}
  let fail: (error: SecretsError) => void = () => {}
  const coming = new Promise<PluginSession>((resolve, reject) => {
    arrive = resolve
    fail = reject
  })
  coming.catch(() => {}) // perhaps nobody waits
  const ask = async (patterns: Parameters<typeof askSession>[1], { signal }: PluginContext) =>
    askSession(session ?? (await coming), patterns, {
      limit: undefined,
      signal,
      timeoutMs: PLUGIN_TIMEOUT_MS,
    })
  const plugin = makePlugin(
    {
      name,
      version,
      pattern: (pattern as Pattern).text,
      getSecrets: (wanted, context) => ask([wanted], context),
      getMany: ask,
      close: () => endSession(session),
    },
    false,
  )
  const setEnabled = async (enabled: boolean) => states.setEnabled(name, enabled)
  return {
    plugin: Object.freeze({ ...plugin, setEnabled }),
    connected(arrived: PluginSession): void {
      session = arrived
      arrive(arrived)
    },
    lost(): void {
      fail(createError('SE_PLUGIN_UNAVAILABLE', 'the plugin left', { details: { plugin: name } }))
    },
  }
}
