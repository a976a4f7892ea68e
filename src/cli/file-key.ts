/** The key of the encrypted file, for the commands that change it. */
import { chooseStore, type FilePlace } from '../config/choose-store.js'
import { readConfig } from '../config/config.js'
import { createError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { type Outcome, unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import { isWrongPassphrase, passphraseHandle, unwrapFrom } from '../store/passphrase.js'
import { wait } from '../wait.js'
import { knownPassphrase } from './passphrase.js'

/** An encrypted file, and how long work on it may take. */
export interface ChosenFile extends FilePlace {
  /** Milliseconds, where a limit is configured. */
  readonly timeoutMs: number | undefined
}

/**
 * Where the encrypted file is, when it is the chosen store.
 * @throws `SE_UNSUPPORTED` when another store is chosen.
 */
export async function chosenFile(env: NodeJS.ProcessEnv): Promise<ChosenFile> {
  const config = await readConfig(env)
  const timeoutMs = config.timeoutMs?.value
  const probe = async (): Promise<string> => unwrap(await native().probeKeychain())
  const chosen = await wait({ what: 'looking for a store', begin: () => chooseStore({}, probe, config) }, { timeoutMs })
  if (chosen.kind === 'file') return { ...chosen, timeoutMs }
  throw createError('SE_UNSUPPORTED', 'the chosen store is the keychain, whose key is the system’s own affair', {
    hint: 'choose the encrypted file with SE_STORE=file, or se store use file',
  })
}

/**
 * Runs work that may need the passphrase of the key: first without, then with the one that is known or asked for.
 * @param question - What is asked at the terminal.
 */
export async function withKey<T>(
  { path, passphraseFile, timeoutMs }: ChosenFile,
  work: (known: SecretHandle | undefined) => Promise<Outcome<T>>,
  question?: string,
): Promise<T> {
  const begin = async (): Promise<T> => {
    const first = await work(undefined)
    if (first.error?.code !== 'SE_INTERACTION_REQUIRED') return unwrap(first)
    const source = knownPassphrase(passphraseFile, question)
    if (source === undefined) return unwrap(first)
    for (let wrong = 0; ; wrong++) {
      const known = await passphraseHandle(source, wrong)
      try {
        const outcome = await work(known)
        if (!isWrongPassphrase(outcome.error) || wrong + 1 >= source.tries) return unwrapFrom(source, outcome)
      } finally {
        known.dispose()
      }
    }
  }
  return wait({ what: `opening ${path}`, begin }, { timeoutMs })
}

/** The passphrase that opens the key, for the caller to dispose. Nothing when the key needs none. */
export function currentPassphrase(place: ChosenFile): Promise<SecretHandle | undefined> {
  const check = async (known: SecretHandle | undefined): Promise<Outcome<SecretHandle | undefined>> => {
    const { error } = await native().checkStorePassphrase(place.path, place.identity, known)
    return error === undefined ? { value: known && unwrap(known.duplicate()) } : { error }
  }
  return withKey(place, check, 'Current passphrase: ')
}
