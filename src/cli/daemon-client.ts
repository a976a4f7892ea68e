/** What the `daemon` commands ask of a daemon: whether it runs, what it is, and to end. Starts nothing by itself. */
import { readFileSync } from 'node:fs'
import { Connection, parse } from '../client/connection.js'
import { readDaemonConfig } from '../config/config.js'
import { listenAddresses } from '../daemon/addresses.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { Context } from './command.js'
import { hintOf } from './hints.js'
import { printProblem } from './report.js'

/** What a daemon says about itself, as `se daemon status --json` has it. */
export interface DaemonFacts {
  readonly pid: number
  readonly version: string
  readonly startedAt: string
  readonly uptimeSeconds: number
  readonly addresses: readonly string[]
  /** Addresses that other programs have, and why they were left to them. */
  readonly left: readonly { readonly address: string; readonly reason: string }[]
  readonly store: {
    readonly kind: string
    readonly location: string
    /** Of an encrypted file, whether it has to be unlocked. */
    readonly locked?: boolean
  }
  readonly config: string
  /** The file of the log, or `standard error`. */
  readonly log: string
  readonly plugins: readonly DaemonPlugin[]
}

/** A plugin of a daemon. */
export interface DaemonPlugin {
  readonly name: string
  readonly version: string
  readonly pattern: string
  readonly enabled: boolean
  readonly status: string
}

const SERVICE = '/senative.engine.v1.EngineService/'
const LIMIT_MS = 5000

/**
 * The address where a daemon of this configuration is asked: the first that it listens on.
 * @throws what `readDaemonConfig` does.
 */
export async function ownAddress(env: NodeJS.ProcessEnv): Promise<string> {
  return listenAddresses(await readDaemonConfig(env), env)[0]
}

/** As {@link ownAddress}; where the configuration cannot be read, that is said, and it is the usual address. */
export async function addressAnyway({ env, stderr }: Pick<Context, 'env' | 'stderr'>): Promise<string> {
  try {
    return await ownAddress(env)
  } catch (error) {
    if (!SecretsError.is(error)) throw error
    const address = listenAddresses({}, env)[0]
    printProblem(stderr, `${error.message}: the daemon is looked for at ${address}`, hintOf(error))
    return address
  }
}

/** @throws `StoreError` `SE_UNSUPPORTED` on Windows, where Node has no Unix sockets. */
export function checkPlatform(platform = process.platform): void {
  if (platform !== 'win32') return
  throw createError('SE_UNSUPPORTED', 'there is no daemon on Windows', {
    hint: 'every command works without one',
    details: { platform },
  })
}

/**
 * What the daemon at an address says about itself; undefined when none listens there.
 * @throws `DaemonError` when one is there and hangs, is another program, or is another user's.
 */
export async function askDaemon(address: string): Promise<DaemonFacts | undefined> {
  const connection = new Connection(address)
  const ask = async (method: string): Promise<Members> => {
    const request = { procedure: `${SERVICE}${method}`, what: `asking the daemon at ${address}`, body: {} }
    return parse((await connection.ask(request, { timeoutMs: LIMIT_MS })).body)
  }
  try {
    // First, since it has the daemon look at an edited file.
    const { plugins } = await ask('ListPlugins')
    const facts = await ask('Describe')
    return factsOf(facts, list(plugins))
  } catch (error) {
    const { code, details } = error as SecretsError
    if (code === 'SE_DAEMON_UNREACHABLE' && details['hangs'] !== true) return undefined
    throw error
  } finally {
    connection.close()
  }
}

/**
 * The process that listens at an address, as the system says: 0 for one that is not seen from here. Undefined for a name in
 * the abstract space, to which Node cannot connect.
 */
export async function listeningPid(address: string): Promise<number | undefined> {
  if (address.startsWith('@')) return undefined
  const [{ connect }, { peerOf }] = await Promise.all([import('node:net'), import('../daemon/peer.js')])
  const socket = connect(address)
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return peerOf(socket).pid ?? 0
  } finally {
    socket.destroy()
  }
}

/** Whether a process has ended; one that nobody has waited for counts as ended. */
export function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
  try {
    return /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return process.platform === 'linux'
  }
}

type Members = Readonly<Record<string, unknown>>

function factsOf(facts: Members, plugins: readonly Members[]): DaemonFacts {
  const startedAt = text(facts['startedAt'])
  return {
    pid: Number(facts['pid'] ?? 0),
    version: text(facts['version']),
    startedAt,
    uptimeSeconds: Math.max(0, Math.round((Date.now() - Date.parse(startedAt)) / 1000)) || 0,
    addresses: list(facts['addresses']).map(text),
    left: list(facts['left']).map(({ address, reason }) => ({ address: text(address), reason: text(reason) })),
    store: {
      kind: text(facts['storeKind']),
      location: text(facts['storeLocation']),
      ...(typeof facts['storeLocked'] === 'boolean' && { locked: facts['storeLocked'] }),
    },
    config: text(facts['configFile']),
    log: text(facts['log']),
    plugins: plugins.map(({ name, version, pattern, enabled, status }) => ({
      name: text(name),
      version: text(version),
      pattern: text(pattern),
      enabled: enabled === true,
      status: text(status),
    })),
  }
}

function list(value: unknown): Members[] {
  return Array.isArray(value) ? value : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
