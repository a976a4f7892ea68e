import { setTimeout as sleep } from 'node:timers/promises'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { checkOptions, checkString } from '../argument.js'
import { createEngine } from '../engine/create-engine.js'
import type { LocalEngine } from '../engine/engine.js'
import { isPlugin, type LogFacts, type Plugin, type PluginLogger } from '../engine/plugin.js'
import { createError } from '../errors/secrets-error.js'
import {
  RegisterPluginRequestSchema,
  type RegisterPluginResponse,
  RegisterPluginResponseSchema,
} from '../gen/plugins/v1/plugins_pb.js'
import { DAEMON_ERRORS, errorFromConnectBody, type ForeignErrors } from '../wire/failure-detail.js'
import { YamuxSession } from '../yamux/session.js'
import { call } from './call.js'
import { connectToEngine, type EngineConnection } from './dial.js'
import { createPluginServer } from './serve-plugin.js'

/** How a plugin runs in a process of its own. */
export interface RunPluginOptions {
  /** The address of the daemon: a path, or `@name` in Linux's abstract space. */
  readonly socket?: string | undefined
  /** The name to register with; by default the plugin's own. A launched plugin has the name that it was launched with. */
  readonly name?: string | undefined
}

// How long requests under way may take when the plugin is to end; as Docker's plugins.
const DRAIN_MS = 2_000

const DRAIN_STEP_MS = 20

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

/**
 * Runs a plugin in this process for an engine in another, ours or Docker's: launched by it, or dialling its daemon (the
 * option `socket`, else `SE_SOCKET`, our daemon's address, Docker's). Logs to standard error.
 * @returns when the session has ended: the engine left or asked the plugin to end, or this process got SIGTERM or SIGINT.
 *   Requests under way have two seconds then.
 * @throws `SE_PLUGIN_INVALID` for what `definePlugin` did not make; `SE_DAEMON_UNREACHABLE`; `SE_SOCKET_UNSAFE` when the
 *   daemon is neither this user's nor root's; why the engine refused the plugin, such as `SE_PLUGIN_DUPLICATE`.
 */
export async function runPlugin(plugin: Plugin, options: RunPluginOptions = {}): Promise<void> {
  checkOptions(options, ['socket', 'name'])
  checkString('socket', options.socket)
  checkString('name', options.name)
  if (!isPlugin(plugin)) {
    throw createError('SE_PLUGIN_INVALID', 'what is to run was not made by definePlugin', {
      hint: 'runPlugin(definePlugin({ … }))',
    })
  }
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
  let ending: Promise<void> | undefined
  const end = (): void => {
    ending ??= drain(session)
  }
  const requester = { pid: connection.pid ?? 0, name: '', path: '' }
  const server = createPluginServer({ engine, requester, log: STDERR_LOG, onShutdown: end })
  const session = new YamuxSession(connection.socket, 'client', {
    onStream: (stream) => server.emit('connection', stream),
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
  } finally {
    session.close()
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
  if (status !== 200) throw errorFromConnectBody(status, body.toString(), ENGINE_ERRORS)
  try {
    return fromBinary(RegisterPluginResponseSchema, body)
  } catch (cause) {
    throw createError('SE_DAEMON_INCOMPATIBLE', `what answered the plugin ${name} is no engine`, { cause })
  }
}

/** Waits for requests under way, and closes the session. */
async function drain(session: YamuxSession): Promise<void> {
  session.goAway()
  const until = Date.now() + DRAIN_MS
  while (session.streams > 0 && Date.now() < until) await sleep(DRAIN_STEP_MS)
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
