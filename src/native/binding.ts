import type { ClientBinding } from './client.js'
import type { MaskBinding } from './mask.js'
import type { MatcherBinding } from './matcher.js'
import type { ProcessBinding } from './process.js'
import type { ProtectionBinding } from './protection.js'
import type { SecretBinding } from './secret.js'
import type { SocketBinding } from './socket.js'
import type { StoreBinding } from './store.js'
import type { StoreKeysBinding } from './store-keys.js'
import type { WireBinding } from './wire.js'

/** Everything that the native part exports. Each area's interface is in the file of its name. */
export interface NativeBinding
  extends ClientBinding,
    MaskBinding,
    MatcherBinding,
    ProcessBinding,
    ProtectionBinding,
    SecretBinding,
    SocketBinding,
    StoreBinding,
    StoreKeysBinding,
    WireBinding {
  /** The version of the native part. */
  nativeVersion(): string
  /** All codes that the native part knows. */
  nativeErrorCodes(): string[]
}
