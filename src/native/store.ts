import type { Outcome } from './outcome.js'
import type { SecretHandle } from './secret.js'

/** What is known about a stored secret without its value. Times are milliseconds since 1970. */
export interface StoredInfo {
  id: string
  metadata: Record<string, string>
  createdAt?: number
  modifiedAt?: number
}

/** A secret as a store returns it. */
export interface StoredItem {
  info: StoredInfo
  secret: SecretHandle
}

/** Which store this is and what protects it. */
export interface NativeStoreDescription {
  kind: string
  backend: string
  location: string
  encryption: string
  survivesReboot: boolean
  locked?: boolean
  maxValueBytes: number
}

/** An open store; crates/binding/src/store.rs says what each operation does. */
export interface NativeStore {
  describe(): Promise<Outcome<NativeStoreDescription>>
  get(id: string): Promise<Outcome<StoredItem>>
  getMatching(pattern: string): Promise<Outcome<StoredItem[]>>
  getIds(ids: readonly string[]): Promise<Outcome<StoredItem[]>>
  list(pattern: string, times: boolean): Promise<Outcome<StoredInfo[]>>
  setMany(
    ids: readonly string[],
    values: readonly SecretHandle[],
    metadata: readonly Record<string, string>[],
    overwrite: boolean,
  ): Promise<Outcome<null>>
  delete(id: string): Promise<Outcome<null>>
  rename(from: string, to: string, overwrite: boolean): Promise<Outcome<null>>
  providePassphrase(passphrase: SecretHandle): Outcome<null>
  forgetPassphrase(): void
  close(): void
}

/** What crates/binding/src/store.rs exports. */
export interface StoreBinding {
  openMemoryStore(): NativeStore
  openFileStore(store: string, identity: string): Promise<Outcome<NativeStore>>
  createFileStore(store: string, identity: string, passphrase?: SecretHandle): Promise<Outcome<null>>
  openKeychainStore(interactive: boolean): Promise<Outcome<NativeStore>>
  /** Opens the entries that programs keep in the OS keychain under a service. */
  openEntriesStore(service: string, interactive: boolean): Promise<Outcome<NativeStore>>
  probeKeychain(): Promise<Outcome<string>>
}
