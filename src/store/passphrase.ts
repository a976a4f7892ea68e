import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import type { NativeStore } from '../native/store.js'
import { handleFrom, handleOf, Secret } from '../secret.js'

/** A passphrase: a text, bytes, a secret, or a function that is asked when one is needed, and may ask a person. */
export type Passphrase = PassphraseValue | (() => PassphraseValue | Promise<PassphraseValue>)

/** A passphrase that is there already. */
export type PassphraseValue = Uint8Array | string | Secret

/** Gives a store its passphrase when it needs one, asking at most once at a time. */
export class PassphraseGiver {
  readonly #source: Passphrase
  #asking: Promise<SecretHandle> | undefined

  constructor(source: Passphrase) {
    this.#source = source
  }

  /** Gives the passphrase to the store. Rejects with whatever the function does. */
  async provide(store: NativeStore): Promise<void> {
    this.#asking ??= handleOfPassphrase(this.#source).finally(() => {
      this.#asking = undefined
    })
    unwrap(store.providePassphrase(await this.#asking))
  }
}

/** The passphrase as a handle. A text or bytes are copied; the copy is wiped when it is collected. */
export async function handleOfPassphrase(source: Passphrase): Promise<SecretHandle> {
  const value = typeof source === 'function' ? await source() : source
  return value instanceof Secret ? unwrap(handleOf(value).duplicate()) : handleFrom(value)
}

/** The native part, for those who make a store. */
export { native }
