// Secrets that are to be masked, collected natively.
import { createMaskValues, type MaskValues } from '../native/mask.js'
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
