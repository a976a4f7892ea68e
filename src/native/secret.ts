import type { Outcome } from './outcome.js'

/** A copy of a value as an `ArrayBuffer`, until it is closed. */
export interface SecretView {
  /** The buffer; to be called once. `inside`: in the engine's own memory, as Electron demands. */
  open(inside: boolean): ArrayBuffer
  /** Wipes the buffer and detaches it. */
  close(buffer: ArrayBuffer): void
}

/** One value in native memory. `Secret` wraps it. */
export interface SecretHandle {
  /** Tells the garbage collector the length, and returns it. To be called once. */
  adopt(): number
  /** Copies bytes, 4,095 at most, into a handle whose value was disposed. */
  refill(bytes: Uint8Array): void
  /** Copies the value into an array of exactly its length. */
  copyInto(target: Uint8Array): Outcome<null>
  /** The value as text: `SE_NOT_TEXT` when it is not UTF-8. */
  text(): Outcome<string>
  /** Whether both are the same, in constant time. */
  equals(other: Uint8Array): Outcome<boolean>
  /** Whether both are the same, in constant time. */
  equalsHandle(other: SecretHandle): Outcome<boolean>
  /** A fresh copy to look at. */
  view(): Outcome<SecretView>
  /** Another handle on a copy of the value. */
  duplicate(): Outcome<SecretHandle>
  /** Wipes the value. */
  dispose(): void
}

/** What crates/binding/src/secret.rs exports. */
export interface SecretBinding {
  /** The class of handles. */
  SecretHandle: {
    readonly prototype: SecretHandle
    /** Copies bytes, at most 16 MiB. */
    fromBytes(bytes: Uint8Array): Outcome<SecretHandle>
    /** Encodes a text as UTF-8. */
    fromText(text: string): Outcome<SecretHandle>
  }
}
