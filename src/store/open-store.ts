import { existsSync } from 'node:fs'
import { checkOptions, checkString } from '../argument.js'
import { chooseStore, type FilePlace, filePlace } from '../config/choose-store.js'
import { readConfig } from '../config/config.js'
import { createError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { type WaitOptions, wait } from '../wait.js'
import {
  configuredPassphrase,
  newPassphraseHandle,
  type Passphrase,
  PassphraseGiver,
  type PassphraseSource,
  sourceOf,
} from './passphrase.js'
import { Store } from './store.js'

/** Which store to open, and how. */
export interface StoreOptions extends WaitOptions {
  /**
   * `auto` (the default): the store that was chosen (`SE_STORE`, else `se store use`), else the OS keychain where one
   * answers, and never a weaker one by itself. `keychain`: the OS keychain. `file`: the encrypted file. `memory`: gone
   * with the process. `entries`: what any program keeps in the OS keychain under `service`, the account being the id;
   * accounts that are not ids are passed over, and entries carry no metadata.
   */
  kind?: 'auto' | 'keychain' | 'file' | 'memory' | 'entries' | undefined
  /** The service of an `entries` store, such as `my-app`. */
  service?: string | undefined
  /** The file of a `file` store. By default `SE_STORE_PATH`, the configured one, or `store.age` in the user's data folder. */
  path?: string | undefined
  /** The identity file that opens it. By default the configured one, or `identity.age` beside the store. */
  identity?: string | undefined
  /**
   * What opens the identity file, where that is encrypted: a value, or a function that is asked when it is needed, or one
   * that says how often an operation may ask it ({@link PassphraseSource}). After a wrong answer (`SE_WRONG_KEY`) the next
   * operation asks again. By default `SE_PASSPHRASE`, else the first line of the file that `SE_PASSPHRASE_FILE` names.
   */
  passphrase?: Passphrase | undefined
  /** Whether a `file` store that is not there is made; its identity is encrypted when `passphrase` is given. Default false. */
  create?: boolean | undefined
  /** Whether a person may be asked to unlock the keychain. Default true. */
  prompt?: boolean | undefined
  /**
   * Milliseconds for the opening, and for each operation on the store that names no limit of its own; prompts included. No
   * limit by default.
   */
  timeoutMs?: number | undefined
}

const OPTIONS: readonly (keyof StoreOptions)[] = [
  'kind',
  'service',
  'path',
  'identity',
  'passphrase',
  'create',
  'prompt',
  'signal',
  'timeoutMs',
]

/**
 * Opens a store. Neither prompts nor unlocks: the first operation does, where it must. With `create`, making the key of a
 * new file with a passphrase takes about a second.
 * @throws `StoreError` `SE_STORE_UNAVAILABLE` with what to do; `InvalidInputError` `SE_INVALID_OPTION`, `SE_INVALID_CONFIG`;
 *   `AccessError` `SE_LAX_MODE` when the files of a `file` store may be read by others.
 */
export async function openStore(options: StoreOptions = {}): Promise<Store> {
  checkOptions(options, OPTIONS)
  for (const name of ['path', 'identity', 'service'] as const) checkString(name, options[name])
  return wait({ what: 'opening the store', begin: () => open(options), discard: (late) => late.close() }, options)
}

async function open(options: StoreOptions): Promise<Store> {
  const { kind = 'auto' } = options
  switch (kind) {
    case 'memory':
      return new Store(native().openMemoryStore(), options.timeoutMs)
    case 'keychain':
      return openKeychain(options)
    case 'file':
      return openFile(options, filePlace(place(options), await readConfig()))
    case 'entries':
      return openEntries(options)
    case 'auto': {
      const chosen = await chooseStore(place(options), async () => unwrap(await native().probeKeychain()))
      return chosen.kind === 'file' ? openFile(options, chosen) : openKeychain(options)
    }
    default:
      throw createError('SE_INVALID_OPTION', `there is no store of the kind ${String(kind)}`, {
        hint: 'use auto, keychain, file, memory or entries',
        details: { option: 'kind' },
      })
  }
}

async function openKeychain({ prompt, timeoutMs }: StoreOptions): Promise<Store> {
  return new Store(unwrap(await native().openKeychainStore(prompt !== false)), timeoutMs)
}

async function openEntries({ service, prompt, timeoutMs }: StoreOptions): Promise<Store> {
  if (service === undefined) {
    throw createError('SE_INVALID_OPTION', 'a store of the kind entries needs a service', {
      hint: "name it: openStore({ kind: 'entries', service: 'my-app' })",
      details: { option: 'service' },
    })
  }
  return new Store(unwrap(await native().openEntriesStore(service, prompt !== false)), timeoutMs)
}

function place({ path, identity }: StoreOptions): { path: string | undefined; identity: string | undefined } {
  return { path, identity }
}

async function openFile(
  { passphrase, create, timeoutMs }: StoreOptions,
  { path, identity, passphraseFile }: FilePlace,
): Promise<Store> {
  const source = passphrase === undefined ? configuredPassphrase(passphraseFile) : sourceOf(passphrase)
  if (create === true && !existsSync(path)) await createFile(path, identity, source)
  const store = unwrap(await native().openFileStore(path, identity))
  return new Store(store, timeoutMs, source === undefined ? undefined : new PassphraseGiver(source))
}

// One that is there already is what was wanted; so is one that another process makes at the same time.
async function createFile(path: string, identity: string, source: PassphraseSource | undefined): Promise<void> {
  const handle = source === undefined ? undefined : await newPassphraseHandle(source)
  try {
    const outcome = await native().createFileStore(path, identity, handle)
    if (outcome.error?.code !== 'SE_EXISTS') unwrap(outcome)
  } finally {
    handle?.dispose()
  }
}
