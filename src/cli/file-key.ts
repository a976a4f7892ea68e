/** The key of the encrypted file, for the commands that change it. */
import { chooseStore, type FilePlace } from '../config/choose-store.js'
import { readConfig } from '../config/config.js'
import { createError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { type Outcome, unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import { passphraseHandle } from '../store/passphrase.js'
import { knownPassphrase } from './passphrase.js'

/**
 * Where the encrypted file is, when it is the chosen store.
 * @throws `SE_UNSUPPORTED` when another store is chosen.
 */
export async function chosenFile(env: NodeJS.ProcessEnv): Promise<FilePlace> {
  const probe = async (): Promise<string> => unwrap(await native().probeKeychain())
  const chosen = await chooseStore({}, probe, await readConfig(env))
  if (chosen.kind === 'file') return chosen
  throw createError('SE_UNSUPPORTED', 'the chosen store is the keychain, whose key is the system’s own affair', {
    hint: 'choose the encrypted file with SE_STORE=file, or se store use file',
  })
}

/** Runs work that may need the passphrase of the key: first without, then with the one that is known or asked for. */
export async function withKey<T>(
  { passphraseFile }: FilePlace,
  work: (known: SecretHandle | undefined) => Promise<Outcome<T>>,
): Promise<T> {
  const first = await work(undefined)
  if (first.error?.code !== 'SE_INTERACTION_REQUIRED') return unwrap(first)
  const known = await passphraseHandle(knownPassphrase(passphraseFile))
  try {
    return unwrap(await work(known))
  } finally {
    known.dispose()
  }
}
