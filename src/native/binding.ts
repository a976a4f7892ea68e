import type { ProcessBinding } from './process.js'
import type { ProtectionBinding } from './protection.js'
import type { SecretBinding } from './secret.js'
import type { StoreBinding } from './store.js'

/** Everything that the native part exports. Each area's interface is in the file of its name. */
export interface NativeBinding extends ProcessBinding, ProtectionBinding, SecretBinding, StoreBinding {
  /** All codes that the native part knows. */
  nativeErrorCodes(): string[]
}
