import { createError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { type WaitOptions, wait } from '../wait.js'
import { handleOfPassphrase, type Passphrase, PassphraseGiver } from './passphrase.js'
import { Store } from './store.js'

/** Which store to open, and how. */
export interface StoreOptions extends WaitOptions {
  /**
   * `auto` (the default): the one that was chosen before (`SE_STORE`, `se store use`), else the OS keychain where one
   * answers; never a weaker one by itself. `keychain`: the OS keychain. `file`: the encrypted file. `memory`: gone with the process.
   */
  kind?: 'auto' | 'keychain' | 'file' | 'memory' | undefined
  /** The file of a `file` store. By default `store.age` in the user's data folder. */
  path?: string | undefined
  /** The identity file that opens a `file` store. By default `identity.age` beside the store. */
  identity?: string | undefined
  /** What opens the identity file, where that is encrypted. A function is asked when it is needed. */
  passphrase?: Passphrase | undefined
  /** Whether a `file` store that does not exist is made, its identity encrypted where a passphrase is given. Default false. */
  create?: boolean | undefined
  /** Whether a person may be asked to unlock the keychain. Default true. */
  prompt?: boolean | undefined
}

/**
 * Opens a store. Neither prompts nor unlocks: the first operation does, where it must.
 * @throws `StoreError` `SE_STORE_UNAVAILABLE` with what to do; `InvalidInputError` `SE_INVALID_OPTION`;
 *   `AccessError` `SE_LAX_MODE` when the files of a `file` store may be read by others.
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  const { kind = 'auto' } = options
  switch (kind) {
    case 'memory':
      return new Store(native().openMemoryStore())
    case 'keychain':
      return openKeychain(options)
    case 'file':
      return openFile(options)
    case 'auto':
      return openChosen(options)
    default:
      throw createError('SE_INVALID_OPTION', `there is no store of the kind ${String(kind)}`, {
        hint: 'use auto, keychain, file or memory',
        details: { option: 'kind' },
      })
  }
}

async function openKeychain(options: StoreOptions): Promise<Store> {
  const begin = async () => unwrap(await native().openKeychainStore(options.prompt !== false))
  return new Store(await wait({ what: 'opening the keychain', begin, discard: (late) => late.close() }, options))
}
