// The handle on one secret value. The bytes are in native memory (crates/binding/src/secret.rs); this file gives them out
// and keeps them from being printed.
import { inspect } from 'node:util'
import { checkWellFormed, wrongArgument } from './argument.js'
import { native } from './native/load.js'
import { unwrap } from './native/outcome.js'
import type { SecretHandle } from './native/secret.js'
import { type SecretSink, writeView } from './secret-sink.js'

const REDACTED = '[redacted]'

// Handles whose value was disposed, to be used again: making one costs more than all else about a short value.
const spareHandles: SecretHandle[] = []
const SPARE_HANDLES = 64
const REFILLED_BELOW = 4096
let disposed: SecretHandle | undefined

/** What a secret has in the place of a handle that it gave away. */
function disposedHandle(): SecretHandle {
  if (disposed === undefined) {
    disposed = handleFrom('')
    disposed.dispose()
  }
  return disposed
}

/** What is known about a secret beside its value. */
export interface SecretFacts {
  /** The name of the plugin that answered. */
  plugin?: string | undefined
  /** The version of the value, where its source has versions. */
  version?: string | undefined
  /** Facts that were stored with it. Not secret. */
  metadata?: Readonly<Record<string, string>> | undefined
  /** When it was first stored. */
  createdAt?: Date | undefined
  /** When it was read. */
  resolvedAt?: Date | undefined
  /** When it stops being valid. */
  expiresAt?: Date | undefined
}

// What only this package may do with a secret. The class fills these in, since they reach its private parts.
/** Wraps a native handle, which belongs to the secret from then on. */
export let secretFromHandle: (id: string, handle: SecretHandle, facts?: SecretFacts) => Secret
/** The native handle of a secret, which stays the secret's. It may be kept, also beyond `dispose`. */
export let handleOf: (secret: Secret) => SecretHandle
/** The same for a call into the native part that is over when it returns: after `dispose` the handle is another secret's. */
export let lentHandleOf: (secret: Secret) => SecretHandle
/** The same secret once more, to be disposed by itself. */
export let copyOf: (secret: Secret) => Secret
/** Adds facts, such as the plugin that answered. */
export let addFacts: (secret: Secret, facts: SecretFacts) => void

/**
 * One secret: a value with its facts.
 *
 * The value is in native memory, outside the JavaScript heap. It is wiped by `dispose()`, at the end of a `using` block,
 * when the object is collected, and when the process ends regularly. Printing, serialising or cloning the object, or one
 * that holds it, shows `[redacted]` or nothing.
 */
export class Secret {
  readonly #id: string
  #handle: SecretHandle
  /** Whether the handle is in other hands, too. */
  #isShared = false
  readonly #byteLength: number
  #facts: SecretFacts
  #disposed = false

  private constructor(id: string, handle: SecretHandle, facts: SecretFacts, byteLength = handle.adopt()) {
    this.#id = id
    this.#handle = handle
    this.#byteLength = byteLength
    this.#facts = facts
  }

  static {
    secretFromHandle = (id, handle, facts = {}) => new Secret(id, handle, facts)
    handleOf = (secret) => {
      secret.#isShared = true
      return secret.#handle
    }
    lentHandleOf = (secret) => secret.#handle
    copyOf = (secret) => new Secret(secret.#id, unwrap(secret.#handle.duplicate()), secret.#facts)
    addFacts = (secret, facts) => {
      secret.#facts = { ...secret.#facts, ...facts }
    }
  }

  /**
   * Makes a secret from a value. Bytes are copied: wipe your own. Of a text, a copy stays in the JavaScript heap until the
   * engine reuses that memory.
   * @param id - The id it is to have.
   * @param value - Any bytes, or a text that becomes UTF-8; at most 16 MiB.
   * @throws `InvalidInputError` `SE_VALUE_TOO_LARGE`; `SE_NOT_TEXT` when the text holds a lone surrogate.
   */
  static from(id: string, value: Uint8Array | string, facts: SecretFacts = {}): Secret {
    const spare = value instanceof Uint8Array && value.length < REFILLED_BELOW ? spareHandles.pop() : undefined
    if (spare === undefined) return new Secret(id, handleFrom(value), facts)
    spare.refill(value as Uint8Array)
    return new Secret(id, spare, facts, value.length)
  }

  /** The id. */
  get id(): string {
    return this.#id
  }

  /** The name of the plugin that answered; undefined when it was read from a store directly. */
  get plugin(): string | undefined {
    return this.#facts.plugin
  }

  /** The version of the value, where its source has versions. */
  get version(): string | undefined {
    return this.#facts.version
  }

  /** Facts that were stored with it. Not secret. */
  get metadata(): Readonly<Record<string, string>> {
    return this.#facts.metadata ?? {}
  }

  /** When it was first stored, where the source knows. */
  get createdAt(): Date | undefined {
    return this.#facts.createdAt
  }

  /** When it was read. */
  get resolvedAt(): Date | undefined {
    return this.#facts.resolvedAt
  }

  /** When it stops being valid, where the source says so. */
  get expiresAt(): Date | undefined {
    return this.#facts.expiresAt
  }

  /** The length of the value in bytes, also after it was disposed. */
  get byteLength(): number {
    return this.#byteLength
  }

  /** Whether the value was wiped. */
  get disposed(): boolean {
    return this.#disposed
  }

  /**
   * The value as a string. A JavaScript string cannot be wiped: a copy stays until the engine reuses its memory. Where you
   * can, prefer `use` or `writeTo`.
   * @throws `InvalidInputError` `SE_NOT_TEXT` when the value is not UTF-8; `SE_DISPOSED`.
   */
  text(): string {
    return unwrap(this.#handle.text())
  }

  /**
   * A copy of the value that the caller owns, and wipes with `fill(0)`.
   * @throws `InvalidInputError` `SE_DISPOSED`.
   */
  bytes(): Uint8Array<ArrayBuffer> {
    // An ArrayBuffer of its own: V8 keeps small typed arrays in its heap, where collections leave copies.
    const copy = new Uint8Array(new ArrayBuffer(this.#byteLength))
    unwrap(this.#handle.copyInto(copy))
    return copy
  }

  /**
   * Lends a copy of the value while `fn` runs: what it returns is awaited, then the copy is wiped and the view is dead,
   * for everybody who kept it. To send the value somewhere, use `writeTo`: a stream reads what it was given later.
   * @param fn - Gets the bytes. What it throws or rejects with is passed on, after the copy was wiped.
   * @returns what `fn` returned.
   * @throws `InvalidInputError` `SE_DISPOSED`.
   */
  async use<T>(fn: (bytes: Uint8Array<ArrayBuffer>) => T | PromiseLike<T>): Promise<T> {
    const view = unwrap(this.#handle.view())
    const buffer = view.open(false)
    try {
      return await fn(new Uint8Array(buffer))
    } finally {
      view.close(buffer)
    }
  }

  /**
   * Writes the value to a stream, and waits until the stream is done with it. The copy is wiped then; one that went
   * through a stream with a readable side (a transform, say) or a web stream is wiped when it is collected.
   * The stream stays open.
   * @throws what the stream fails with, or `InvalidInputError` `SE_DISPOSED`.
   */
  async writeTo(stream: SecretSink): Promise<void> {
    await writeView(unwrap(this.#handle.view()), stream)
  }

  /**
   * Whether the value is equal to other bytes or another secret, in a time that does not depend on where they differ.
   * @throws `InvalidInputError` `SE_DISPOSED`; `SE_INVALID_OPTION` for anything else.
   */
  equals(other: Uint8Array | Secret): boolean {
    if (!(other instanceof Secret || other instanceof Uint8Array)) {
      throw wrongArgument('other', 'bytes or a Secret', other, 'of a text: Buffer.from(text)')
    }
    return unwrap(other instanceof Secret ? this.#handle.equalsHandle(other.#handle) : this.#handle.equals(other))
  }

  /** Wipes the value. Afterwards reading it throws `SE_DISPOSED`. Again: nothing. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#handle.dispose()
    if (this.#isShared || spareHandles.length === SPARE_HANDLES) return
    spareHandles.push(this.#handle)
    this.#handle = disposedHandle()
  }

  /** The same as {@link Secret.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Always `[redacted]`. */
  toString(): string {
    return REDACTED
  }

  /** Always `[redacted]`. */
  toJSON(): string {
    return REDACTED
  }

  /** Always `[redacted]`. */
  [Symbol.toPrimitive](): string {
    return REDACTED
  }

  /** The id, and `[redacted]`. */
  [inspect.custom](): string {
    return `Secret(${this.#id}) ${REDACTED}`
  }
}

/** Puts a value into native memory. The caller disposes the handle. */
export function handleFrom(value: Uint8Array | string): SecretHandle {
  if (typeof value === 'string') {
    checkWellFormed('the value', value, 'pass the value as bytes')
    return unwrap(native().SecretHandle.fromText(value))
  }
  if (value instanceof Uint8Array) return unwrap(native().SecretHandle.fromBytes(value))
  throw wrongArgument('value', 'bytes or a text', value)
}
