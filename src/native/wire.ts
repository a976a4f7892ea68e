import type { Outcome } from './outcome.js'
import type { SecretHandle, SecretView } from './secret.js'

/** A secret as it comes over the wire. Times are milliseconds since 1970; what is not known is left out. */
export interface WireEnvelope {
  id: string
  provider?: string
  version?: string
  metadata: Record<string, string>
  createdAt?: number
  resolvedAt?: number
  expiresAt?: number
  secret: SecretHandle
}

/** What crates/binding/src/wire.rs exports: values as base64, JSON and protobuf, from handle to bytes and back. */
export interface WireBinding {
  /** Zeroed memory for a message, as values have it. `SE_LIMIT_EXCEEDED` beyond 256 MiB. */
  wireBuffer(length: number): Outcome<SecretView>
  /**
   * Writes a `resolver.v1.GetSecretsResponse`, in JSON or in protobuf. `facts`, for each secret: id, provider, version,
   * the number of metadata pairs, then keys and values in turn. `times`, for each secret: created, resolved, expires in
   * milliseconds since 1970, NaN where not known (written as the year 1). No `values` at all: they are left out.
   * `members`: further ones of the JSON object, each with a comma before it. Answers with the length; one greater than
   * the target's means that nothing was written.
   */
  encodeEnvelopes(
    json: boolean,
    facts: readonly string[],
    times: Float64Array,
    values: readonly SecretHandle[],
    members: string,
    target: Uint8Array,
  ): Outcome<number>
  /**
   * Sends an answer of HTTP with one secret that has no metadata. `head` is all of its head but the value of the last
   * header, which is `name`, and the length. Times as of `encodeEnvelopes`. The texts and the value are at most some
   * thousand bytes. Null: all of it is sent. Otherwise what is left, which the socket did not take.
   */
  sendSecret(
    fd: number,
    json: boolean,
    head: string,
    name: string,
    id: string,
    provider: string,
    version: string,
    createdAt: number,
    resolvedAt: number,
    expiresAt: number,
    value: SecretHandle,
  ): Outcome<SecretView> | null
  /**
   * Reads a `resolver.v1.GetSecretsResponse` of at most `limit` envelopes, and wipes the body. `SE_CORRUPT` when it is
   * none; `SE_LIMIT_EXCEEDED`.
   */
  decodeEnvelopes(form: 'json' | 'proto', body: Uint8Array, limit: number): Outcome<WireEnvelope[]>
  /**
   * Reads the lines of an executable plugin, one JSON object each: `id`, `value` (text) or `valueBase64`, and where given
   * `version`, `metadata`, `createdAt`, `expiresAt` (RFC 3339). Wipes them. `SE_CORRUPT` with the detail `line`.
   */
  decodeAnswerLines(lines: Uint8Array, limit: number): Outcome<WireEnvelope[]>
  /** Reads the base64 member of this name from a JSON object that holds nothing else, and wipes the body. `SE_CORRUPT`. */
  decodeMember(body: Uint8Array, name: string): Outcome<SecretHandle>
}
