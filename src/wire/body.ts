// Secrets as messages, and back. Their values are on no JavaScript heap.
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { WireEnvelope } from '../native/wire.js'
import { lentHandleOf, type Secret, secretFromHandle } from '../secret.js'
import { type WireBody, writeBody } from './buffers.js'

export type { WireBody } from './buffers.js'

/** What a message is written in. */
export type WireForm = 'json' | 'proto'

/** The most secrets of one message. */
export const MAX_ENVELOPES = 100_000

/** What of a message is not its secrets' own. */
export interface MessageOptions {
  /** Further members of the JSON object, each with a comma before it. */
  readonly members?: string | undefined
  /** Leaves the values out. Default false. */
  readonly withoutValues?: boolean | undefined
}

/**
 * Writes a `resolver.v1.GetSecretsResponse`: in protobuf, or in its JSON.
 * @param secrets - They stay the caller's.
 * @returns bytes that the caller releases.
 * @throws `SE_DISPOSED` when a secret was disposed; `SE_LIMIT_EXCEEDED` beyond 256 MiB.
 */
export function encodeSecrets(
  form: WireForm,
  secrets: readonly Secret[],
  { members = '', withoutValues = false }: MessageOptions = {},
): WireBody {
  const facts: string[] = []
  const times = new Float64Array(secrets.length * 3)
  let at = 0
  for (const secret of secrets) {
    const metadata = Object.entries(secret.metadata)
    facts.push(secret.id, secret.plugin ?? '', secret.version ?? '', String(metadata.length), ...metadata.flat())
    times[at++] = timeOf(secret.createdAt)
    times[at++] = timeOf(secret.resolvedAt)
    times[at++] = timeOf(secret.expiresAt)
  }
  const handles = withoutValues ? [] : secrets.map(lentHandleOf)
  return writeBody((target) => native().encodeEnvelopes(form === 'json', facts, times, handles, members, target))
}

/** As the native part takes a time: milliseconds, NaN where it is not known. */
export function timeOf(date: Date | undefined): number {
  return date === undefined ? Number.NaN : date.getTime()
}

/**
 * Reads a `resolver.v1.GetSecretsResponse`, and wipes it.
 * @param body - Belongs to this function from then on.
 * @param limit - The most secrets that it may hold.
 * @returns secrets that the caller disposes. Their ids are whatever the sender wrote.
 * @throws `SE_CORRUPT` when it is no such message; `SE_LIMIT_EXCEEDED`; `SE_VALUE_TOO_LARGE`.
 */
export function decodeSecrets(form: WireForm, body: Uint8Array, limit = MAX_ENVELOPES): Secret[] {
  return unwrap(native().decodeEnvelopes(form, body, limit)).map(secretFromEnvelope)
}

/** The secret of an envelope, whose handle is the secret's from then on. */
export function secretFromEnvelope(envelope: WireEnvelope): Secret {
  return secretFromHandle(envelope.id, envelope.secret, {
    plugin: envelope.provider,
    version: envelope.version,
    metadata: envelope.metadata,
    createdAt: date(envelope.createdAt),
    resolvedAt: date(envelope.resolvedAt),
    expiresAt: date(envelope.expiresAt),
  })
}

function date(milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds)
}
