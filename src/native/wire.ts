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
   * Writes JSON with values in it. Each NUL character of the template, which valid JSON cannot hold, is the place of a
   * value as base64. Answers with the length; one greater than the target's means that nothing was written.
   */
  spliceJson(template: string, values: readonly SecretHandle[], target: Uint8Array): Outcome<number>
  /**
   * Writes a `resolver.v1.GetSecretsResponse` in protobuf. `facts`, for each secret: id, provider, version, the number of
   * metadata pairs, then keys and values in turn. `times`, for each secret: created, resolved, expires in milliseconds
   * since 1970, NaN where not known (written as the year 1). Answers as `spliceJson`.
   */
  encodeEnvelopes(
    facts: readonly string[],
    times: Float64Array,
    values: readonly SecretHandle[],
    target: Uint8Array,
  ): Outcome<number>
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
