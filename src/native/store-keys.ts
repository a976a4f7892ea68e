import type { Outcome } from './outcome.js'
import type { SecretHandle } from './secret.js'

/** What crates/binding/src/store_keys.rs exports. `known` is the passphrase of the identity file. */
export interface StoreKeysBinding {
  checkStorePassphrase(store: string, identity: string, known: SecretHandle | undefined): Promise<Outcome<null>>
  changeStorePassphrase(
    store: string,
    identity: string,
    known: SecretHandle | undefined,
    next: SecretHandle | undefined,
  ): Promise<Outcome<null>>
  rotateStoreKey(store: string, identity: string, known: SecretHandle | undefined): Promise<Outcome<null>>
  storeRecipients(store: string, identity: string, known: SecretHandle | undefined): Promise<Outcome<string[]>>
  setStoreRecipient(
    store: string,
    identity: string,
    known: SecretHandle | undefined,
    recipient: string,
    reads: boolean,
  ): Promise<Outcome<null>>
}
