import type { Outcome } from './outcome.js'

/** What the system grants to the memory of values. */
export interface MemoryProtection {
  /** Whether a small value made now stays out of swap. */
  locked: boolean
  /** Whether a small value made now stays out of core dumps. */
  excludedFromCore: boolean
  /** Bytes of values now in memory that could not be locked. */
  unlockedBytes: number
  /** The most that this process may lock, in bytes; left out where that is unlimited or not known. */
  lockLimitBytes?: number
}

/** What crates/binding/src/protection.rs exports. */
export interface ProtectionBinding {
  memoryProtectionNow(): Outcome<MemoryProtection>
}
