// What the daemon answers, as the engine's types. Its JSON is `senative.engine.v1` (proto/), in which nothing is left out
// but what is empty.
import type { OutcomeStatus, PatternResult, PluginInfo, PluginOutcome, PluginStatus } from '../engine/engine.js'
import { isErrorCode } from '../errors/codes.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import type { DaemonReply } from '../native/client.js'
import type { WireEnvelope } from '../native/wire.js'
import { type Secret, secretFromHandle } from '../secret.js'
import { notUnderstood, parse } from './connection.js'

/** What a daemon is, and how it is doing. */
export interface DaemonDescription {
  /** Its version, such as `v0.1.0`. */
  readonly version: string
  /** Its process. */
  readonly pid: number
  /** When it started. */
  readonly startedAt: Date | undefined
  /** Where it listens. */
  readonly addresses: readonly string[]
  /** The configuration file that it reads. */
  readonly configFile: string
  /** The kind of its store: `keychain` or `file`; empty when none is chosen. */
  readonly storeKind: string
  /** Where its store is. */
  readonly storeLocation: string
  /** Whether its encrypted file has to be unlocked first; undefined for any other store, and where that is not known. */
  readonly storeLocked: boolean | undefined
}

type Members = Record<string, unknown>

/**
 * The results of a batch, one for each pattern. The secrets of the reply belong to them.
 * @throws `SE_DAEMON_INCOMPATIBLE` for another shape; the secrets are wiped then.
 */
export function batchOf(reply: DaemonReply, patterns: readonly string[]): PatternResult[] {
  const secrets = reply.envelopes.map(secretOf)
  try {
    const results = list(parse(reply.body)['results'])
    if (results.length !== patterns.length) throw notUnderstood()
    return results.map((result, index) => ({
      pattern: patterns[index] as string,
      secrets: list(result['envelopes']).map((place) => secrets[Number(place)] ?? fail()),
      outcomes: list(result['outcomes']).map(outcomeOf),
    }))
  } catch (error) {
    for (const secret of secrets) secret.dispose()
    throw error
  }
}

/** The plugins in an answer to `ListPlugins`. */
export function pluginsOf({ body }: DaemonReply): PluginInfo[] {
  return list(parse(body)['plugins']).map((plugin) => ({
    name: text(plugin['name']),
    version: text(plugin['version']),
    kind: plugin['kind'] === 'access control' ? 'access control' : 'secrets',
    pattern: text(plugin['pattern']),
    enabled: plugin['enabled'] === true,
    builtIn: plugin['builtIn'] === true,
    configurable: plugin['configurable'] === true,
    status: text(plugin['status']) as PluginStatus,
    statusMessage: text(plugin['statusMessage']) || undefined,
  }))
}

/** The answer to `Describe`. */
export function descriptionOf({ body }: DaemonReply): DaemonDescription {
  const { version, pid, startedAt, addresses, configFile, storeKind, storeLocation, storeLocked } = parse(body)
  return {
    version: text(version),
    pid: Number(pid ?? 0),
    startedAt: typeof startedAt === 'string' ? new Date(startedAt) : undefined,
    addresses: texts(addresses),
    configFile: text(configFile),
    storeKind: text(storeKind),
    storeLocation: text(storeLocation),
    storeLocked: typeof storeLocked === 'boolean' ? storeLocked : undefined,
  }
}

function secretOf({ id, provider, version, metadata, createdAt, resolvedAt, expiresAt, secret }: WireEnvelope): Secret {
  return secretFromHandle(id, secret, {
    plugin: provider,
    version: version || undefined,
    metadata,
    createdAt: date(createdAt),
    resolvedAt: date(resolvedAt),
    expiresAt: date(expiresAt),
  })
}

function outcomeOf(outcome: Members): PluginOutcome {
  const { plugin, pattern, status, ids, dropped, latencyMs, failure } = outcome
  return {
    plugin: text(plugin),
    pattern: text(pattern),
    status: text(status) as OutcomeStatus,
    ids: texts(ids),
    dropped: texts(dropped),
    latencyMs: typeof latencyMs === 'number' ? latencyMs : undefined,
    failure: failure === undefined ? undefined : failureOf(failure as Members),
  }
}

function failureOf({ code, message, hint, details }: Members): SecretsError {
  const known = text(code)
  const facts = details === undefined ? {} : parse(text(details))
  return createError(isErrorCode(known) ? known : 'SE_PLUGIN_FAILURE', text(message), {
    hint: text(hint) || undefined,
    details: isErrorCode(known) ? facts : { ...facts, code: known },
  })
}

function list(value: unknown): Members[] {
  return Array.isArray(value) ? value : []
}

function texts(value: unknown): string[] {
  return list(value).map(String)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function date(milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds)
}

function fail(): never {
  throw notUnderstood()
}
