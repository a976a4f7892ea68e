//! Bytes that wipe themselves.

mod pool;
mod region;
mod registers;

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use subtle::ConstantTimeEq;

pub use self::registers::clear_registers;

/// The longest value, in bytes: 16 MiB.
pub const MAX_VALUE_BYTES: usize = 16 << 20;

/// A value in memory outside every heap, zeroed when it is dropped and by [`wipe_all`]. The pages are locked and
/// excluded from core dumps where the system allows; [`memory_protection`] tells. Prints as `[redacted]`.
pub struct SecretBytes {
    /// None for the empty value.
    place: Option<pool::Place>,
    len: usize,
}

// SAFETY: the place is plain memory that belongs to this value alone, and is tied to no thread.
unsafe impl Send for SecretBytes {}
// SAFETY: a shared reference only reads; writing takes an exclusive one.
unsafe impl Sync for SecretBytes {}

impl SecretBytes {
    /// Makes zeroed memory of this length and lets `fill` write the value into it.
    ///
    /// # Panics
    /// When the system has no memory left.
    pub fn with(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = Self { place: (len > 0).then(|| pool::take(len)), len };
        fill(bytes.as_bytes_mut());
        bytes
    }

    /// Copies the value. The caller wipes the original.
    pub fn copy_from(bytes: &[u8]) -> Self {
        Self::with(bytes.len(), |target| target.copy_from_slice(bytes))
    }

    /// The value.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the place holds `len` initialised bytes for as long as this value lives, and only it points there.
        unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.len) }
    }

    /// The value, to be changed in place.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the exclusive reference keeps every other one away.
        unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.len) }
    }

    /// Whether both hold the same bytes; takes the same time wherever they differ. Lengths are not hidden.
    pub fn equals(&self, other: &[u8]) -> bool {
        self.as_bytes().ct_eq(other).into()
    }

    fn start(&self) -> NonNull<u8> {
        self.place.as_ref().map_or(NonNull::dangling(), |place| place.start)
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            // SAFETY: the place was taken with this length, and this value was its only user.
            unsafe { pool::give_back(place, self.len) };
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What the system grants to the memory of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryProtection {
    /// Whether a small value made now stays out of swap.
    pub locked: bool,
    /// Whether a small value made now stays out of core dumps.
    pub excluded_from_core: bool,
    /// Bytes of values now in memory, in whole pages, that could not be locked.
    pub unlocked_bytes: usize,
    /// The most that this process may lock, in bytes. None: unlimited, or not known here.
    pub lock_limit_bytes: Option<u64>,
}

/// Tries and tells how values are protected in memory. For `se doctor`.
pub fn memory_protection() -> MemoryProtection {
    let place = pool::take(1);
    let (locked, excluded_from_core, unlocked_bytes) = pool::protection_of(&place);
    // SAFETY: taken above with this length, and used by nobody.
    unsafe { pool::give_back(&place, 1) };
    #[cfg(unix)]
    let lock_limit_bytes = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    #[cfg(not(unix))]
    let lock_limit_bytes = None;
    MemoryProtection { locked, excluded_from_core, unlocked_bytes, lock_limit_bytes }
}

/// How many [`InUse`] there are; `WIPED` once everything was wiped.
static USERS: AtomicUsize = AtomicUsize::new(0);
const WIPED: usize = usize::MAX;

/// Keeps [`wipe_all`] away while native work uses values: a store must not write zeros because the process exits. At the
/// end it clears the registers of its thread through which values went.
pub struct InUse(());

/// Says that this thread uses values until the answer is dropped. Once everything was wiped, this never returns: the
/// process is ending, and nothing true could be done with the values.
pub fn in_use() -> InUse {
    // Only the count itself is shared; what the values hold is ordered by `Acquire` here and `Release` at the end.
    let counted = USERS.fetch_update(Ordering::Acquire, Ordering::Relaxed, |n| (n != WIPED).then_some(n + 1));
    while counted.is_err() {
        std::thread::park();
    }
    InUse(())
}

impl Drop for InUse {
    fn drop(&mut self) {
        clear_registers();
        USERS.fetch_sub(1, Ordering::Release);
    }
}

/// Zeroes all values there are, for a regular exit, and says whether it did. Values that are [`in_use`] at that instant
/// keep everything from being wiped; this never waits. Called twice, it does nothing more.
///
/// # Safety
/// The process is ending: no thread uses a value any more other than under [`in_use`].
pub unsafe fn wipe_all() -> bool {
    match USERS.compare_exchange(0, WIPED, Ordering::Acquire, Ordering::Acquire) {
        // SAFETY: nobody is in use, nobody can be from now on, and the caller answers for everyone else.
        Ok(_) => unsafe { pool::wipe_all() },
        Err(users) => users == WIPED,
    }
}
