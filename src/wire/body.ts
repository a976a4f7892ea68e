// Secrets as messages, and back. Their values are on no JavaScript heap.
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import type { WireEnvelope } from '../native/wire.js'
import { handleOf, type Secret, secretFromHandle } from '../secret.js'
import { type WireBody, writeBody } from './buffers.js'

export type { WireBody } from './buffers.js'

/** What a message is written in. */
export type WireForm = 'json' | 'proto'

/** The most secrets of one message. */
export const MAX_ENVELOPES = 100_000

/** How the wire writes a time that is not known. */
const UNKNOWN_TIME = '0001-01-01T00:00:00Z'

/**
 * Writes a `resolver.v1.GetSecretsResponse`: in protobuf, or in its JSON.
 * @param secrets - They stay the caller's.
 * @returns bytes that the caller releases.
 * @throws `SE_DISPOSED` when a secret was disposed; `SE_LIMIT_EXCEEDED` beyond 256 MiB.
 */
export function encodeSecrets(form: WireForm, secrets: readonly Secret[]): WireBody {
  const handles = secrets.map(handleOf)
  if (form === 'json') return spliceSecrets(`{"envelopes":[${secrets.map(envelopeTemplate).join()}]}`, handles)
  const facts: string[] = []
  const times = new Float64Array(secrets.length * 3)
  let at = 0
  for (const secret of secrets) {
    const metadata = Object.entries(secret.metadata)
    facts.push(secret.id, secret.plugin ?? '', secret.version ?? '', String(metadata.length), ...metadata.flat())
    times[at++] = secret.createdAt?.getTime() ?? Number.NaN
    times[at++] = secret.resolvedAt?.getTime() ?? Number.NaN
    times[at++] = secret.expiresAt?.getTime() ?? Number.NaN
  }
  return writeBody((target) => native().encodeEnvelopes(facts, times, handles, target))
}

/**
 * Writes JSON with values in it.
 * @param template - JSON; each NUL character, which valid JSON cannot hold, is the place of the next value as base64.
 * @returns bytes that the caller releases.
 * @throws `SE_DISPOSED` when a value was disposed; `SE_LIMIT_EXCEEDED` beyond 256 MiB.
 */
export function spliceSecrets(template: string, handles: readonly SecretHandle[]): WireBody {
  return writeBody((target) => native().spliceJson(template, handles, target))
}

/**
 * A secret as protobuf's JSON, without its value: a NUL is its place, for `spliceSecrets`.
 */
export function envelopeTemplate(secret: Secret): string {
  const { id, plugin, version, metadata } = secret
  const facts = `"provider":${quote(plugin)},"version":${quote(version)}`
  const times = `"createdAt":"${time(secret.createdAt)}","resolvedAt":"${time(secret.resolvedAt)}","expiresAt":"${time(secret.expiresAt)}"`
  let more = ''
  for (const _ in metadata) {
    more = `,"metadata":${JSON.stringify(metadata)}`
    break
  }
  return `{"id":${JSON.stringify(id)},"value":"\0",${facts},${times}${more}}`
}

function quote(text: string | undefined): string {
  return text === undefined ? '""' : JSON.stringify(text)
}

function time(date: Date | undefined): string {
  if (date === undefined) return UNKNOWN_TIME
  const year = date.getUTCFullYear()
  // Protobuf knows the years 1 to 9999; of an invalid date the year is NaN.
  if (!(year >= 1 && year <= 9999)) return UNKNOWN_TIME
  return date.toISOString()
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
