// Where the passphrase of an encrypted file comes from, and how it gets there.
import { createError } from '../errors/secrets-error.js'
import { type NativeFailure, type Outcome, unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import type { NativeStore } from '../native/store.js'
import { handleFrom, handleOf, Secret } from '../secret.js'

/** A passphrase that is there already. */
export type PassphraseValue = Uint8Array | string | Secret

/** Who knows a passphrase. */
export interface PassphraseAsker {
  /**
   * Answers with the passphrase.
   * @param wrong - How many answers before were wrong.
   */
  ask(wrong: number): PassphraseValue | Promise<PassphraseValue>
}

/** A passphrase that may be asked for again, as where a person types it. */
export interface PassphraseSource extends PassphraseAsker {
  /** How often an operation asks before it fails with `SE_WRONG_KEY`. */
  readonly tries: number
  /** The hint of that error, such as where the passphrase came from. */
  readonly hint: string
}

/** A passphrase, or a function that is asked once by an operation that needs one, or what may be asked again. */
export type Passphrase = PassphraseValue | (() => PassphraseValue | Promise<PassphraseValue>) | PassphraseSource

/** A passphrase as what can be asked. */
export function sourceOf(passphrase: Passphrase): PassphraseSource {
  if (typeof passphrase === 'object' && 'ask' in passphrase) return passphrase
  const ask = typeof passphrase === 'function' ? passphrase : () => passphrase
  return { ask, tries: 1, hint: 'it came from the option `passphrase`' }
}

/** Whether what failed is the passphrase of the key, and not the key itself. */
export function isWrongPassphrase(error: NativeFailure | undefined): boolean {
  return error?.code === 'SE_WRONG_KEY' && 'identity' in error.details
}

/** As `unwrap`; a wrong passphrase gets the hint of its source. */
export function unwrapFrom<T>({ hint }: PassphraseSource, outcome: Outcome<T>): T {
  const { error } = outcome
  return unwrap(error !== undefined && isWrongPassphrase(error) ? { error: { ...error, hint } } : outcome)
}

/** Gives a store its passphrase when it needs one, asking at most once at a time, and again after a wrong one. */
export class PassphraseGiver {
  /** Who knows the passphrase. */
  readonly source: PassphraseSource
  #giving: Promise<void> | undefined
  #given = 0
  #wrong = false

  /** @param source - Who knows the passphrase. */
  constructor(source: PassphraseSource) {
    this.source = source
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

  /**
   * Gives the passphrase to the store. Rejects with whatever the source does.
   * @param wrong - How many were wrong before.
   */
  provide(store: NativeStore, wrong: number): Promise<void> {
    this.#giving ??= this.#give(store, wrong).finally(() => {
      this.#giving = undefined
    })
    return this.#giving
  }

  async #give(store: NativeStore, wrong: number): Promise<void> {
    const handle = await passphraseHandle(this.source, wrong)
    try {
      unwrap(store.providePassphrase(handle))
      this.#given += 1
      this.#wrong = false
    } finally {
      handle.dispose()
    }
  }
}

/**
 * A copy of the passphrase in native memory, which the caller disposes.
 * @param wrong - How many were wrong before.
 */
export async function passphraseHandle(source: PassphraseAsker, wrong = 0): Promise<SecretHandle> {
  const value = await source.ask(wrong)
  return value instanceof Secret ? unwrap(handleOf(value).duplicate()) : handleFrom(value)
}

/**
 * A copy of a passphrase for a new key, which the caller disposes.
 * @throws `InvalidInputError` `SE_INVALID_OPTION` for an empty one.
 */
export async function newPassphraseHandle(source: PassphraseAsker): Promise<SecretHandle> {
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
 * The passphrase that the user's configuration names: the variable `SE_PASSPHRASE`, else the first line of a file, which
 * must be readable then.
 * @param file - The file that `SE_PASSPHRASE_FILE` or `passphrase_file` names.
 */
export function configuredPassphrase(file: string | undefined): PassphraseSource | undefined {
  const variable = process.env['SE_PASSPHRASE']
  if (variable) return { ask: () => variable, tries: 1, hint: 'it came from SE_PASSPHRASE: correct or unset that' }
  if (file === undefined) return undefined
  const hint = `it is the first line of ${file}: correct that, or name another file with SE_PASSPHRASE_FILE`
  return { ask: () => firstLine(file), tries: 1, hint }
}

async function firstLine(file: string): Promise<Secret> {
  let bytes: Buffer
  try {
    const { readFile } = await import('node:fs/promises') // 5 ms that few starts need
    bytes = await readFile(file)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw createError('SE_INVALID_CONFIG', `the passphrase file ${file} cannot be read (${reason})`, {
      hint: 'mend it, or name another with SE_PASSPHRASE_FILE; SE_PASSPHRASE wins over it',
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
