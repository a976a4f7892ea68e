//! How values are protected in memory, for `se doctor`.

use keychain_core::memory_protection;
use napi_derive::napi;

use crate::outcome::Outcome;

/// What the system grants to the memory of values.
#[napi(object)]
pub struct MemoryProtection {
    /// Whether a small value made now stays out of swap.
    pub locked: bool,
    /// Whether a small value made now stays out of core dumps.
    pub excluded_from_core: bool,
    /// Bytes of values now in memory that could not be locked.
    pub unlocked_bytes: f64,
    /// The most that this process may lock, in bytes; left out where that is unlimited or not known.
    pub lock_limit_bytes: Option<f64>,
}

/// Tries and tells how values are protected in memory.
#[napi(ts_return_type = "Outcome<MemoryProtection>")]
pub fn memory_protection_now() -> Outcome<MemoryProtection> {
    Outcome::of(|| {
        let found = memory_protection();
        Ok(MemoryProtection {
            locked: found.locked,
            excluded_from_core: found.excluded_from_core,
            unlocked_bytes: found.unlocked_bytes as f64,
            lock_limit_bytes: found.lock_limit_bytes.map(|limit| limit as f64),
        })
    })
}
