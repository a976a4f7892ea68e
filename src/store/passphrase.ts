// Where the passphrase of an encrypted file comes from, and how it gets there.
import { createError } from '../errors/secrets-error.js'
import { unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import type { NativeStore } from '../native/store.js'
import { handleFrom, handleOf, Secret } from '../secret.js'

/** A passphrase that is there already. */
export type PassphraseValue = Uint8Array | string | Secret

/** A passphrase, or a function that is asked when one is needed, and may ask a person. */
export type Passphrase = PassphraseValue | (() => PassphraseValue | Promise<PassphraseValue>)

/** Gives a store its passphrase when it needs one, asking at most once at a time, and again after a wrong one. */
export class PassphraseGiver {
  readonly #source: Passphrase
  #giving: Promise<void> | undefined
  #given = 0
  #wrong = false

  /** @param source - Who knows the passphrase. */
  constructor(source: Passphrase) {
    this.#source = source
  }

  /** How often it was given. What began before the last time does not need to ask again. */
  get given(): number {
    return this.#given
  }

  /** Takes back a passphrase that was found to be wrong, before something is begun that would use it. */
  begin(store: NativeStore): void {
    if (this.#wrong) store.forgetPassphrase()
    this.#wrong = false
  }

  /**
   * Notes that the passphrase did not open the store. Those that wait with it get the same answer; what begins later asks.
   * @param given - What {@link given} was when it was used.
   */
  failed(given: number): void {
    if (given === this.#given) this.#wrong = true
  }

  /** Gives the passphrase to the store. Rejects with whatever the function does. */
  provide(store: NativeStore): Promise<void> {
    this.#giving ??= this.#give(store).finally(() => {
      this.#giving = undefined
    })
    return this.#giving
  }

  async #give(store: NativeStore): Promise<void> {
    const handle = await passphraseHandle(this.#source)
    try {
      unwrap(store.providePassphrase(handle))
      this.#given += 1
      this.#wrong = false
    } finally {
      handle.dispose()
    }
  }
}

/** A copy of the passphrase in native memory, which the caller disposes. */
export async function passphraseHandle(source: Passphrase): Promise<SecretHandle> {
  const value = typeof source === 'function' ? await source() : source
  return value instanceof Secret ? unwrap(handleOf(value).duplicate()) : handleFrom(value)
}

/**
 * A copy of a passphrase for a new key, which the caller disposes.
 * @throws `InvalidInputError` `SE_INVALID_OPTION` for an empty one.
 */
export async function newPassphraseHandle(source: Passphrase): Promise<SecretHandle> {
  const handle = await passphraseHandle(source)
  if (!unwrap(handle.equals(new Uint8Array()))) return handle
  handle.dispose()
  throw createError('SE_INVALID_OPTION', 'an empty passphrase protects nothing', {
    hint: 'its first line counts; for a key without a passphrase: se store use file --key-file, se store passphrase --remove',
    details: { option: 'passphrase' },
  })
}

/** The passphrase in a text: its first line, without the line end. */
export function passphraseIn(bytes: Uint8Array): Secret {
  const end = bytes.indexOf(0x0a)
  const line = end < 0 ? bytes : bytes.subarray(0, end)
  return Secret.from('passphrase', line.at(-1) === 0x0d ? line.subarray(0, -1) : line)
}

/**
 * The passphrase that the user's configuration names: the variable `SE_PASSPHRASE`, else the first line of a file.
 * @param file - The file that `SE_PASSPHRASE_FILE` or `passphrase_file` names.
 */
export function configuredPassphrase(file: string | undefined): Passphrase | undefined {
  const variable = process.env['SE_PASSPHRASE']
  if (variable) return variable
  return file === undefined ? undefined : () => firstLine(file)
}

async function firstLine(file: string): Promise<Secret> {
  let bytes: Buffer
  try {
    const { readFile } = await import('node:fs/promises') // 5 ms that few starts need
    bytes = await readFile(file)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw createError('SE_INVALID_CONFIG', `the passphrase file ${file} cannot be read (${reason})`, {
      hint: 'mend it, or name another with SE_PASSPHRASE_FILE',
      details: { file },
      cause,
    })
  }
  try {
    return passphraseIn(bytes)
  } finally {
    bytes.fill(0)
  }
}
