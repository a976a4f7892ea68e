import { checkOptions, checkWellFormed, wrongArgument } from '../argument.js'
import { parseId } from '../id.js'
import { type Outcome, unwrap } from '../native/outcome.js'
import type { SecretHandle } from '../native/secret.js'
import type { NativeStore, NativeStoreDescription, StoredInfo, StoredItem } from '../native/store.js'
import { parsePattern } from '../pattern.js'
import { handleFrom, handleOf, Secret, secretFromHandle } from '../secret.js'
import { type WaitOptions, wait } from '../wait.js'
import { isWrongPassphrase, type PassphraseGiver, unwrapFrom } from './passphrase.js'

/** What is known about a stored secret without its value. */
export interface SecretInfo {
  /** The id. */
  readonly id: string
  /** Facts that were stored with it. Not secret. */
  readonly metadata: Readonly<Record<string, string>>
  /** When it was first stored, where the store knows. */
  readonly createdAt: Date | undefined
  /** When it was last written, where the store knows. */
  readonly modifiedAt: Date | undefined
}

/** Which store this is, and what protects it. */
export interface StoreDescription {
  /** The kind that `openStore` was asked for, or chose. */
  readonly kind: 'keychain' | 'file' | 'memory' | 'entries'
  /** The program or format behind it, such as `gnome-keyring` or `age`. */
  readonly backend: string
  /** Where the secrets are: a path, or the name of a collection. */
  readonly location: string
  /** What protects them at rest, in words for a person. */
  readonly encryption: string
  /** Whether they are there after a reboot. */
  readonly survivesReboot: boolean
  /** Whether a person must unlock it first; undefined where that cannot be known without asking. */
  readonly locked: boolean | undefined
  /** The longest value that it can keep, in bytes. */
  readonly maxValueBytes: number
}

/** A value to be stored: bytes, a text that becomes UTF-8, or another secret. */
export type SecretValue = Uint8Array | string | Secret

/** A secret to be stored. */
export interface NewSecret {
  /** The id to store it under. */
  id: string
  /** The value. It is copied before the call returns. */
  value: SecretValue
  /** Facts to store with it, at most 64 KiB in all. Not secret. Replaces what was there. */
  metadata?: Readonly<Record<string, string>> | undefined
}

/** How to list. */
export interface ListOptions extends WaitOptions {
  /**
   * Whether `createdAt` and `modifiedAt` are wanted. Without them a Secret Service that was not asked before answers
   * in a third of the time. Default true.
   */
  times?: boolean | undefined
}

/** How to write. */
export interface WriteOptions extends WaitOptions {
  /** Whether what is stored under the id already is replaced; else it is refused. Default false. */
  overwrite?: boolean | undefined
}

const WAIT: readonly (keyof WaitOptions)[] = ['signal', 'timeoutMs']
const WRITE: readonly (keyof WriteOptions)[] = [...WAIT, 'overwrite']

/**
 * An open store, made by `openStore`. All operations may be called at the same time; other processes may use the store
 * at the same time as well.
 *
 * Each operation may wait for a person, where the store was opened so, and takes `signal` and `timeoutMs`: those end the
 * waiting (`SE_ABORTED`, `SE_TIMEOUT`), not the work, whose result is wiped when it comes. Each can fail with
 * `SE_LOCKED`, `SE_INTERACTION_REQUIRED`, `SE_PROMPT_DISMISSED`, `SE_ACCESS_DENIED`, `SE_WRONG_KEY`,
 * `SE_STORE_UNAVAILABLE`, `SE_STORE_FAILURE`, and `SE_DISPOSED` once the store was closed.
 */
export class Store {
  readonly #native: NativeStore
  readonly #passphrase: PassphraseGiver | undefined
  readonly #timeoutMs: number | undefined

  /**
   * @param timeoutMs - The limit of operations that name none.
   * @internal
   */
  constructor(native: NativeStore, timeoutMs?: number, passphrase?: PassphraseGiver) {
    this.#native = native
    this.#timeoutMs = timeoutMs
    this.#passphrase = passphrase
  }

  /**
   * Reads one secret.
   * @returns a secret that the caller disposes.
   * @throws `NotFoundError` `SE_NOT_FOUND`; `StoreError` `SE_AMBIGUOUS` when several items have the id, `SE_CORRUPT`;
   *   `InvalidInputError` `SE_INVALID_ID`.
   */
  async get(id: string, options?: WaitOptions): Promise<Secret> {
    parseId(id)
    checkOptions(options, WAIT)
    return this.#run(`reading ${id}`, options, () => this.#native.get(id), toSecret, discardItem)
  }

  /**
   * Reads many secrets in as few round trips as the store allows. One that cannot be read fails the whole call.
   * @param wanted - A pattern, or a list of ids. Ids that are not there are left out; repeated ones count once.
   * @returns secrets in the order of their ids (by bytes), which the caller disposes.
   * @throws `StoreError` `SE_AMBIGUOUS`, `SE_CORRUPT`; `InvalidInputError` `SE_INVALID_PATTERN`, `SE_INVALID_ID`.
   */
  async getMany(wanted: string | readonly string[], options?: WaitOptions): Promise<Secret[]> {
    checkOptions(options, WAIT)
    if (typeof wanted === 'string') parsePattern(wanted)
    else if (Array.isArray(wanted)) wanted.forEach(parseId)
    else throw wrongArgument('wanted', 'a pattern or an array of ids', wanted)
    const begin = (): Promise<Outcome<StoredItem[]>> =>
      typeof wanted === 'string' ? this.#native.getMatching(wanted) : this.#native.getIds(wanted)
    const what = typeof wanted === 'string' ? `reading ${wanted}` : `reading ${wanted.length} ids`
    return this.#run(
      what,
      options,
      begin,
      (items) => items.map(toSecret),
      (items) => items.forEach(discardItem),
    )
  }

  /**
   * Lists secrets without fetching any value.
   * @param pattern - Which ones; all by default.
   * @returns what is known about each, in the order of their ids (by bytes).
   * @throws `InvalidInputError` `SE_INVALID_PATTERN`.
   */
  async list(pattern = '**', options?: ListOptions): Promise<SecretInfo[]> {
    parsePattern(pattern)
    checkOptions(options, [...WAIT, 'times'])
    return this.#run(
      `listing ${pattern}`,
      options,
      () => this.#native.list(pattern, options?.times !== false),
      (infos) => infos.map(toInfo),
    )
  }

  /**
   * Stores a secret.
   * @throws `StoreError` `SE_EXISTS` when something is stored under the id and `overwrite` is not set;
   *   `InvalidInputError` `SE_INVALID_ID`, `SE_VALUE_TOO_LARGE`.
   */
  async set(
    id: string,
    value: SecretValue,
    options: WriteOptions & { metadata?: NewSecret['metadata'] } = {},
  ): Promise<void> {
    checkOptions(options, [...WRITE, 'metadata'])
    const { metadata, ...others } = options
    return this.setMany([{ id, value, metadata }], others)
  }

  /**
   * Stores secrets. All are checked before any is written; where the store cannot write all at once and one fails,
   * `details.written` counts those that were.
   * @throws as {@link Store.set}; `InvalidInputError` `SE_INVALID_OPTION` when an id is among them twice.
   */
  async setMany(entries: Iterable<NewSecret>, options: WriteOptions = {}): Promise<void> {
    checkOptions(options, WRITE)
    const list = [...entries]
    for (const { id, metadata } of list) {
      parseId(id)
      checkMetadata(id, metadata)
    }
    const own: SecretHandle[] = []
    const give = (value: SecretValue): SecretHandle => {
      if (value instanceof Secret) return handleOf(value)
      const handle = handleFrom(value)
      own.push(handle)
      return handle
    }
    try {
      const handles = list.map(({ value }) => give(value))
      const ids = list.map(({ id }) => id)
      const metadata = list.map((entry) => ({ ...entry.metadata }))
      const what = ids.length === 1 ? `writing ${ids[0]}` : `writing ${ids.length} secrets`
      const begin = (): Promise<Outcome<null>> =>
        this.#native.setMany(ids, handles, metadata, options.overwrite === true)
      await this.#run(what, options, begin, ignore)
    } finally {
      for (const handle of own) handle.dispose()
    }
  }

  /**
   * Removes a secret.
   * @throws `NotFoundError` `SE_NOT_FOUND`; `InvalidInputError` `SE_INVALID_ID`.
   */
  async delete(id: string, options?: WaitOptions): Promise<void> {
    parseId(id)
    checkOptions(options, WAIT)
    return this.#run(`removing ${id}`, options, () => this.#native.delete(id), ignore)
  }

  /**
   * Gives a secret another id. At no instant are both gone. The same id twice: nothing happens.
   * @throws `NotFoundError` `SE_NOT_FOUND`; `StoreError` `SE_EXISTS` when `to` is taken and `overwrite` is not set;
   *   `InvalidInputError` `SE_INVALID_ID`.
   */
  async rename(from: string, to: string, options: WriteOptions = {}): Promise<void> {
    parseId(from)
    parseId(to)
    checkOptions(options, WRITE)
    const overwrite = options.overwrite === true
    return this.#run(`renaming ${from} to ${to}`, options, () => this.#native.rename(from, to, overwrite), ignore)
  }

  /** Says which store this is and what protects it. Never prompts, unlocks or starts anything. */
  describe(options?: WaitOptions): Promise<StoreDescription> {
    return this.#run('describing the store', options, () => this.#native.describe(), toDescription)
  }

  /** Lets go of the store. What runs finishes; what is called later throws `SE_DISPOSED`. Again: nothing. */
  close(): void {
    this.#native.close()
  }

  /** The same as {@link Store.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close()
  }

  #run<N, T>(
    what: string,
    options: WaitOptions | undefined,
    begin: () => Promise<Outcome<N>>,
    convert: (value: N) => T,
    discard: (value: N) => void = ignore,
  ): Promise<T> {
    const passphrase = this.#passphrase
    const work = async (): Promise<N> => {
      if (passphrase === undefined) return unwrap(await begin())
      const { source } = passphrase
      passphrase.begin(this.#native)
      for (let wrong = 0; ; ) {
        const { given } = passphrase
        const outcome = await begin()
        if (isWrongPassphrase(outcome.error)) {
          passphrase.failed(given)
          wrong += 1
          if (wrong >= source.tries) return unwrapFrom(source, outcome)
          passphrase.begin(this.#native)
        } else if (outcome.error?.code !== 'SE_INTERACTION_REQUIRED') return unwrap(outcome)
        else if (passphrase.given === given) await passphrase.provide(this.#native, wrong)
      }
    }
    const limit = { signal: options?.signal, timeoutMs: options?.timeoutMs ?? this.#timeoutMs }
    return wait({ what, begin: work, discard }, limit).then(convert)
  }
}

function checkMetadata(id: string, metadata: unknown): void {
  if (metadata === undefined) return
  const name = `the metadata of ${id}`
  if (!isPlainObject(metadata)) throw wrongArgument(name, 'a plain object of strings', metadata)
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw wrongArgument(`${name} under ${JSON.stringify(key)}`, 'a string', value)
    for (const text of [key, value]) checkWellFormed(name, text)
  }
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function ignore(): void {}

function discardItem(item: StoredItem): void {
  item.secret.dispose()
}

function toSecret({ info, secret }: StoredItem): Secret {
  const { id, metadata, createdAt } = info
  return secretFromHandle(id, secret, { metadata, createdAt: toDate(createdAt), resolvedAt: new Date() })
}

function toInfo({ id, metadata, createdAt, modifiedAt }: StoredInfo): SecretInfo {
  return { id, metadata, createdAt: toDate(createdAt), modifiedAt: toDate(modifiedAt) }
}

function toDate(milliseconds: number | undefined): Date | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds)
}

function toDescription(native: NativeStoreDescription): StoreDescription {
  return { ...native, kind: native.kind as StoreDescription['kind'], locked: native.locked }
}
