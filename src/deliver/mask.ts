// Secrets that are to be masked: collected natively, and what is told of those that are not masked.
import { createMaskValues, type MaskValues, type UnmaskedValue } from '../native/mask.js'
import { unwrap } from '../native/outcome.js'
import { lentHandleOf, type Secret } from '../secret.js'

/** A secret that is not masked, and why. */
export interface UnmaskedSecret {
  /** Its id. */
  readonly id: string
  /**
   * `short`: fewer than 5 bytes. `common`: 5 to 7 bytes that are a word or a number, or longer and nothing but blanks or
   * one sign. `long`: more than 1 MiB.
   */
  readonly reason: 'short' | 'common' | 'long'
}

/** Copies the values of secrets. The secrets stay the caller's. */
export function collectMaskValues(secrets: readonly Secret[]): MaskValues {
  const values = createMaskValues()
  for (const secret of secrets) unwrap(values.add(secret.id, lentHandleOf(secret)))
  return values
}

/** Why a value is not masked, as a line for people. */
export function describeUnmasked({ id, reason }: UnmaskedValue): string {
  const why = {
    short: 'it has fewer than 5 bytes',
    common: 'it is too common, such as a short word or number',
    long: 'it has more than 1 MiB',
  }
  return `se://${id} is not masked: ${why[reason]}`
}
