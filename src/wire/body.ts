// Messages with values in them: bytes in native memory that is locked, kept out of core dumps, and wiped on release.
import { native } from '../native/load.js'
import { type Outcome, unwrap } from '../native/outcome.js'
import type { SecretHandle, SecretView } from '../native/secret.js'
import type { WireEnvelope } from '../native/wire.js'
import { handleOf, type Secret, secretFromHandle } from '../secret.js'

/** What a message is written in. */
export type WireForm = 'json' | 'proto'

/** A message with values in it. */
export interface WireBody {
  /** The message. Dead after `release`. */
  readonly bytes: Uint8Array
  /** Wipes the message. To be called when the bytes were sent, or will not be. Again: nothing. */
  release(): void
}

/** The most secrets of one message. */
export const MAX_ENVELOPES = 100_000

/** How the wire writes a time that is not known. */
const UNKNOWN_TIME = '0001-01-01T00:00:00Z'

// Buffers for messages of the usual size are kept: to map and lock memory costs more than all the rest.
const POOLED_BYTES = 16 << 10
const POOLED_BUFFERS = 16
const pool: Buffer[] = []
// Before each of them is room for the head of a response: one write instead of two.
const HEAD_BYTES = 512
const wholes = new WeakMap<ArrayBufferLike, Buffer>()

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
  return write((target) => native().encodeEnvelopes(facts, times, handles, target))
}

/**
 * Writes JSON with values in it.
 * @param template - JSON; each NUL character, which valid JSON cannot hold, is the place of the next value as base64.
 * @returns bytes that the caller releases.
 * @throws `SE_DISPOSED` when a value was disposed; `SE_LIMIT_EXCEEDED` beyond 256 MiB.
 */
export function spliceSecrets(template: string, handles: readonly SecretHandle[]): WireBody {
  return write((target) => native().spliceJson(template, handles, target))
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

/** Writes into a buffer of the pool, or into memory of its own when the message is longer. */
function write(into: (target: Uint8Array) => Outcome<number>): WireBody {
  const buffer = pool.pop() ?? openPooled()
  let length: number
  try {
    length = unwrap(into(buffer))
  } catch (error) {
    keep(buffer)
    throw error
  }
  if (length <= POOLED_BYTES) return new PooledBody(buffer, length)
  keep(buffer)
  const own = open(length)
  try {
    unwrap(into(own.buffer))
  } catch (error) {
    own.view.close(own.buffer.buffer)
    throw error
  }
  return new OwnBody(own.buffer, own.view)
}

function keep(buffer: Buffer): void {
  if (pool.length < POOLED_BUFFERS) pool.push(buffer)
}

/**
 * A message with a head before it, in one piece. Undefined where there is no room: the message is long, or the head.
 * @param bytes - Of a {@link WireBody}.
 * @param head - Nothing secret, one byte a character.
 */
export function withHead(head: string, bytes: Uint8Array): Uint8Array | undefined {
  const whole = wholes.get(bytes.buffer)
  const start = HEAD_BYTES - head.length
  if (whole === undefined || start < 0) return undefined
  whole.write(head, start, 'latin1')
  return whole.subarray(start, HEAD_BYTES + bytes.length)
}

function openPooled(): Buffer {
  const { buffer: whole } = open(HEAD_BYTES + POOLED_BYTES)
  wholes.set(whole.buffer, whole)
  return whole.subarray(HEAD_BYTES)
}

/** Memory as values have it. */
function open(length: number): { buffer: Buffer<ArrayBuffer>; view: SecretView } {
  const view = unwrap(native().wireBuffer(length))
  return { buffer: Buffer.from(view.open(false)), view }
}

class PooledBody implements WireBody {
  readonly bytes: Uint8Array
  #buffer: Buffer | undefined

  constructor(buffer: Buffer, length: number) {
    this.#buffer = buffer
    this.bytes = buffer.subarray(0, length)
  }

  release(): void {
    if (this.#buffer === undefined) return
    this.bytes.fill(0)
    keep(this.#buffer)
    this.#buffer = undefined
  }
}

class OwnBody implements WireBody {
  readonly bytes: Uint8Array
  readonly #buffer: ArrayBuffer
  readonly #view: SecretView

  constructor(buffer: Buffer<ArrayBuffer>, view: SecretView) {
    this.bytes = buffer
    this.#buffer = buffer.buffer
    this.#view = view
  }

  release(): void {
    this.#view.close(this.#buffer)
  }
}
