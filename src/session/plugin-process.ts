// A plugin in a process of its own: connected, registered, serving until the session ends.
import { setTimeout as sleep } from 'node:timers/promises'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { createEngine } from '../engine/create-engine.js'
import type { LocalEngine } from '../engine/engine.js'
import type { LogFacts, Plugin, PluginLogger } from '../engine/plugin.js'
import { PLUGIN_GRACE_MS } from '../engine/plugin-limits.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import {
  RegisterPluginRequestSchema,
  type RegisterPluginResponse,
  RegisterPluginResponseSchema,
} from '../gen/plugins/v1/plugins_pb.js'
import { DAEMON_ERRORS, errorFromConnectBody, type ForeignErrors } from '../wire/failure-detail.js'
import { YamuxSession } from '../yamux/session.js'
import type { YamuxStream } from '../yamux/stream.js'
import { call } from './call.js'
import { connectToEngine, type EngineConnection } from './dial.js'
import type { RunPluginOptions } from './run-plugin.js'
import { createPluginServer } from './serve-plugin.js'

// The longest time that a timer knows: the engine that asks has a limit of its own.
const NO_LIMIT_MS = 2 ** 31 - 1

const MAX_ANSWER_BYTES = 64 * 1024

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Why an engine that is not ours refuses a plugin. Its message says what is wrong with it. */
const ENGINE_ERRORS: ForeignErrors = {
  ...DAEMON_ERRORS,
  who: 'the engine',
  codes: { ...DAEMON_ERRORS.codes, invalid_argument: 'SE_PLUGIN_INVALID' },
}

/** Runs a plugin that was checked; see `runPlugin`. */
export async function runHere(plugin: Plugin, options: RunPluginOptions): Promise<void> {
  const connection = await connectToEngine(options.socket)
  const name = connection.launchedAs ?? options.name ?? plugin.name
  // Its failures are named by the engine that asks: one of its own need not do so again.
  const inner: Plugin = { ...plugin, builtIn: true }
  try {
    const engine = await createEngine({ plugins: [inner], timeoutMs: NO_LIMIT_MS, log: STDERR_LOG })
    try {
      await serve(connection, engine, { ...plugin, name })
    } finally {
      await engine.close()
    }
  } finally {
    connection.socket.destroy()
  }
}

async function serve(connection: EngineConnection, engine: LocalEngine, plugin: Plugin): Promise<void> {
  const open = new Set<YamuxStream>()
  let ending: Promise<void> | undefined
  const end = (): void => {
    ending ??= drain(session, open)
  }
  const requester = { pid: connection.pid ?? 0, name: '', path: '' }
  const server = createPluginServer({ engine, requester, log: STDERR_LOG, onShutdown: end })
  const session = new YamuxSession(connection.socket, 'client', {
    onStream: (stream) => {
      open.add(stream)
      stream.once('close', () => open.delete(stream))
      server.emit('connection', stream)
    },
  })
  for (const signal of SIGNALS) process.on(signal, end)
  try {
    const { engineName, engineVersion } = await register(session, plugin, connection.timeoutMs)
    requester.name = engineName
    STDERR_LOG.info('registered', { plugin: plugin.name, engine: engineName, version: engineVersion })
    const reason = await session.closed
    // An engine that leaves is the usual end of a plugin.
    if (reason !== undefined && reason.code !== 'SE_PLUGIN_UNAVAILABLE') throw reason
    STDERR_LOG.info('the session has ended', { plugin: plugin.name })
  } catch (error) {
    // One that was told to end before it had registered has done so.
    if (ending === undefined) throw error
  } finally {
    session.close()
    // To destroy the socket before would cut off what the engine has not read.
    await session.left
    for (const signal of SIGNALS) process.off(signal, end)
  }
}

async function register(session: YamuxSession, plugin: Plugin, timeoutMs: number): Promise<RegisterPluginResponse> {
  const { name, version, pattern } = plugin
  const request = create(RegisterPluginRequestSchema, {
    name,
    version,
    metadata: { case: 'secretsProvider', value: { pattern } },
  })
  const { status, body } = await call(session, {
    what: `registering the plugin ${name}`,
    method: 'POST',
    path: '/plugins.v1.RegisterService/RegisterPlugin',
    contentType: 'application/proto',
    body: toBinary(RegisterPluginRequestSchema, request),
    timeoutMs,
    maxBodyBytes: MAX_ANSWER_BYTES,
  })
  if (status !== 200) throw refusal(name, errorFromConnectBody(status, body.toString(), ENGINE_ERRORS))
  try {
    return fromBinary(RegisterPluginResponseSchema, body)
  } catch (cause) {
    throw createError('SE_DAEMON_INCOMPATIBLE', `what answered the plugin ${name} is no engine`, { cause })
  }
}

/** Why the engine does not take the plugin, for its author. */
function refusal(name: string, error: SecretsError): SecretsError {
  const { code, message, hint, details } = error
  if (code !== 'SE_PLUGIN_DUPLICATE' || hint !== undefined) return error
  return createError(code, message, { hint: `another ${name} runs: end that, or choose another name`, details })
}

/** Waits for requests under way, and closes the session. */
async function drain(session: YamuxSession, open: ReadonlySet<YamuxStream>): Promise<void> {
  session.goAway()
  const late = new AbortController()
  const answered = [...open].map((stream) => new Promise((resolve) => stream.once('close', resolve)))
  await Promise.race([
    Promise.all(answered),
    sleep(PLUGIN_GRACE_MS, undefined, { signal: late.signal }).catch(() => undefined),
  ])
  late.abort()
  session.close()
}

/** One line for each event: level, message, facts. */
const STDERR_LOG: PluginLogger = {
  debug: (message, facts) => writeLine('debug', message, facts),
  info: (message, facts) => writeLine('info', message, facts),
  warn: (message, facts) => writeLine('warn', message, facts),
  error: (message, facts) => writeLine('error', message, facts),
}

function writeLine(level: string, message: string, facts: LogFacts = {}): void {
  const shown = Object.entries(facts).filter(([, value]) => value !== undefined)
  process.stderr.write(
    `${[level, message, ...shown.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(' ')}\n`,
  )
}
