// How a plugin gets the connection to its engine: inherited, or dialled.
import { Socket } from 'node:net'
import { daemonAddress, dockerDaemonAddress, socketAddress } from '../daemon/addresses.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { quote } from '../quote.js'
import { wait } from '../wait.js'
import { errorFromConnectBody } from '../wire/failure-detail.js'

/** The variable in which an engine tells a plugin that it launched it, and how. */
export const LAUNCH_VARIABLE = 'DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG'

/** A connection to an engine, on which nothing was said yet. */
export interface EngineConnection {
  readonly socket: Socket
  /** The name that the engine launched the plugin with. */
  readonly launchedAs: string | undefined
  /** Milliseconds for the registration. */
  readonly timeoutMs: number
  /** The engine's process, where the system says. */
  readonly pid: number | undefined
}

const DEFAULT_TIMEOUT_MS = 5_000
const MAX_HEAD_BYTES = 64 * 1024

/**
 * The connection of a plugin: the inherited one, where an engine launched it; else that to the first daemon that answers.
 * @param address - A path or `@name`; by default `SE_SOCKET`, else our daemon's address, then Docker's.
 * @throws `SE_INVALID_CONFIG` for a launch variable that is wrong; `SE_DAEMON_UNREACHABLE`, also for a daemon that is too
 *   busy; `SE_SOCKET_UNSAFE` when the other end is neither this user's nor root's; what the daemon refuses the plugin with.
 */
export async function connectToEngine(
  address: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<EngineConnection> {
  const launch = env[LAUNCH_VARIABLE]
  if (launch !== undefined && launch !== '' && address === undefined) return inherited(launch)
  const named = address ?? (env['SE_SOCKET'] || undefined)
  const addresses =
    named === undefined
      ? [daemonAddress(env), dockerDaemonAddress(undefined, env)]
      : [socketAddress(named, process.cwd(), env)]
  for (const each of addresses) {
    const connection = connect(each)
    if (connection === undefined) continue
    const { socket } = connection
    try {
      const work = { what: `asking the daemon at ${each} for a plugin session`, begin: () => hijack(socket) }
      await wait(work, { timeoutMs: DEFAULT_TIMEOUT_MS })
      return connection
    } catch (error) {
      socket.destroy()
      throw error
    }
  }
  throw createError('SE_DAEMON_UNREACHABLE', `no daemon answers at ${addresses.join(' or ')}`, {
    hint: 'start one with: se daemon start',
    details: { addresses },
  })
}

function inherited(launch: string): EngineConnection {
  const { name, timeout, fd } = parseLaunch(launch)
  const pid = checkPeer(fd)
  return { socket: socketOf(fd), launchedAs: name, timeoutMs: Math.ceil(timeout / 1e6), pid }
}

function parseLaunch(text: string): { name: string; timeout: number; fd: number } {
  let config: { name?: unknown; timeout?: unknown; fd?: unknown } | null
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw wrongLaunch('it is no JSON', cause)
  }
  const { name, timeout, fd } = config ?? {}
  if (typeof name !== 'string' || name === '') throw wrongLaunch('it has no name')
  if (typeof timeout !== 'number' || !(timeout > 0)) throw wrongLaunch('it has no timeout in nanoseconds')
  if (typeof fd !== 'number' || !Number.isInteger(fd) || fd <= 2) throw wrongLaunch('its fd must be above 2')
  return { name, timeout, fd }
}

function wrongLaunch(why: string, cause?: unknown): SecretsError {
  return createError('SE_INVALID_CONFIG', `${LAUNCH_VARIABLE} is wrong: ${why}`, {
    hint: 'an engine sets it when it launches a plugin; unset it to start the plugin by hand',
    cause,
  })
}

/** @throws `SE_SOCKET_UNSAFE` when the other end is neither this user's nor root's. @returns its process. */
function checkPeer(fd: number): number | undefined {
  const { uid, pid } = unwrap(native().peerCredentials(fd))
  if (uid === process.getuid?.() || uid === 0) return pid
  throw createError('SE_SOCKET_UNSAFE', `the engine at descriptor ${fd} is the user ${uid}'s`, { details: { uid } })
}

/** Nothing when nobody listens there. */
function connect(address: string): EngineConnection | undefined {
  const uid = process.getuid?.() ?? 0
  const outcome = native().connectUnix(address, uid)
  if (outcome.error?.code === 'SE_DAEMON_UNREACHABLE') {
    // It is not passed over for the next address.
    if (unwrap(native().probeUnix(address, uid)) === 'listening') throw busy(address)
    return undefined
  }
  const fd = unwrap(outcome)
  const { pid } = unwrap(native().peerCredentials(fd))
  return { socket: socketOf(fd), launchedAs: undefined, timeoutMs: DEFAULT_TIMEOUT_MS, pid }
}

/** Somebody listens, and does not take connections as fast as they come. */
function busy(address: string): SecretsError {
  return createError('SE_DAEMON_UNREACHABLE', `the daemon at ${address} is busy: too many connections wait for it`, {
    hint: 'start the plugin again in a moment; if it stays so, see what keeps the daemon with: se daemon status',
    details: { address },
  })
}

function socketOf(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true })
}

/**
 * Turns a connection to a daemon into a plugin's. By hand: Docker's engine answers `HTTP/0.0 101`, which node:http refuses.
 * @throws what the daemon refuses it with.
 */
function hijack(socket: Socket): Promise<void> {
  socket.write('GET /hijack HTTP/1.1\r\nHost: secrets-engine.localhost\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
  return new Promise((resolve, reject) => {
    let answer: Buffer = Buffer.alloc(0)
    const stop = (): void => {
      socket.off('data', onData).off('end', onEnd).off('error', onError).pause()
    }
    const onData = (chunk: Buffer): void => {
      answer = Buffer.concat([answer, chunk])
      const end = answer.indexOf('\r\n\r\n')
      if (end >= 0 && /^HTTP\/\d\.\d 101\b/.test(answer.toString('latin1', 0, 16))) {
        stop()
        // From here on it is yamux.
        const rest = answer.subarray(end + 4)
        if (rest.length > 0) socket.unshift(rest)
        return resolve()
      }
      if (answer.length > MAX_HEAD_BYTES) onEnd()
      else if (end >= 0 && isWhole(answer, end)) onEnd()
    }
    const onEnd = (): void => {
      stop()
      reject(refusal(answer.toString('utf8')))
    }
    const onError = (cause: Error): void => {
      stop()
      reject(createError('SE_DAEMON_UNREACHABLE', 'the daemon closed the connection', { cause }))
    }
    socket.on('data', onData).once('end', onEnd).once('error', onError)
  })
}

/** Whether the body of a refusal is there; one without a length ends with the connection. */
function isWhole(answer: Buffer, endOfHead: number): boolean {
  const length = /\r\ncontent-length: *(\d+)\r\n/i.exec(answer.toString('latin1', 0, endOfHead + 2))?.[1]
  return length !== undefined && answer.length >= endOfHead + 4 + Number(length)
}

function refusal(answer: string): SecretsError {
  const status = /^HTTP\/\d\.\d (\d{3})/.exec(answer)?.[1]
  if (status === undefined) {
    return createError('SE_DAEMON_INCOMPATIBLE', 'what answers on the socket is no daemon that takes plugins')
  }
  const body = answer.slice(answer.indexOf('\r\n\r\n') + 4).trim()
  if (body.startsWith('{')) return errorFromConnectBody(Number(status), body)
  return createError('SE_ACCESS_DENIED', `the daemon refused the plugin with status ${status}: ${quote(body)}`)
}
