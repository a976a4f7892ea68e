// What crates/binding/src/mask.rs exports.
import { native } from './load.js'
import { type Outcome, unwrap } from './outcome.js'
import type { SecretHandle } from './secret.js'

/** Values to be masked, while they are collected. */
export interface MaskValues {
  /** Adds a copy of a value. */
  add(id: string, value: SecretHandle): Outcome<null>
  /** Prepares them to be looked for. The copies are wiped. */
  prepare(): PreparedMask
  /** What has GitHub's runner mask them. */
  githubMasks(): SecretHandle
}

/** A value that is not masked. */
export interface UnmaskedValue {
  readonly id: string
  readonly reason: 'short' | 'common' | 'long'
}

/** Values that can be looked for. */
export interface PreparedMask {
  /** Which values are not masked. */
  unmasked(): UnmaskedValue[]
  /** What people are told of them. */
  warning(): { readonly message: string; readonly hint?: string } | null
  /** A filter for one stream. */
  masker(): StreamMasker
  /** Filters one descriptor into another, to its end. */
  redact(input: number, output: number): Promise<Outcome<null>>
}

/** The filter of one stream. */
export interface StreamMasker {
  /** Takes bytes, and gives out what is certain. */
  push(bytes: Uint8Array): Buffer
  /** How many bytes are held back. */
  held(): number
  /** Gives out what was held back, after a silence. */
  release(): Buffer
  /** Ends the stream. */
  finish(): Buffer
}

/** What crates/binding/src/mask.rs exports. */
export interface MaskBinding {
  MaskValues: new () => MaskValues
  maskReleaseAfterMs(): number
}

/** An empty collection of values. */
export function createMaskValues(): MaskValues {
  return new (native().MaskValues)()
}

/** After how many milliseconds of silence a stream's masker is to release. */
export function maskReleaseAfterMs(): number {
  return native().maskReleaseAfterMs()
}

/** Filters one of this process's descriptors into another, on a thread of its own. */
export async function redactDescriptor(mask: PreparedMask, input: number, output: number): Promise<void> {
  unwrap(await mask.redact(input, output))
}
