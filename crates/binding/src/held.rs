//! All values that JavaScript holds, so that they can be wiped when the process ends regularly.
//!
//! Node runs no finalizer on `process.exit()` in the main thread, only the C library's exit handlers: ours walks this
//! list. Values that native work is using at that instant are not in it: a store that is being written when the process
//! exits must not write zeros.

use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError, Weak};

use keychain_core::SecretBytes;
use zeroize::Zeroize;

/// A value, shared by what JavaScript holds and the list of what is wiped at exit. `None` once it was disposed.
pub(crate) struct Held(Mutex<Option<SecretBytes>>);

struct List {
    entries: Vec<Weak<Held>>,
    /// At this length the entries whose value is gone are dropped: on average a constant cost for each value.
    prune_at: usize,
}

static LIST: Mutex<List> = Mutex::new(List { entries: Vec::new(), prune_at: 64 });
static AT_EXIT: Once = Once::new();

impl Held {
    /// Takes over a value and puts it on the list.
    pub(crate) fn new(value: SecretBytes) -> Arc<Self> {
        AT_EXIT.call_once(|| {
            // SAFETY: `wipe_all` is a plain function, and the addon stays loaded until the process ends. Where the
            // registration fails, values are left to the system, which clears memory before it gives it to others.
            unsafe { libc::atexit(wipe_all) };
        });
        let held = Arc::new(Self(Mutex::new(Some(value))));
        let mut list = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        if list.entries.len() >= list.prune_at {
            list.entries.retain(|entry| entry.strong_count() > 0);
            list.prune_at = (list.entries.len() * 2).max(64);
        }
        list.entries.push(Arc::downgrade(&held));
        held
    }

    /// The value. Whoever holds the guard keeps it from being disposed.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<SecretBytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Zeroes the value and keeps its memory, for views that may still point to it.
    pub(crate) fn wipe(&self) {
        if let Some(value) = self.lock().as_mut() {
            value.as_bytes_mut().zeroize();
        }
    }
}

extern "C" fn wipe_all() {
    // A thread that was stopped in the middle keeps its lock for ever: never wait here.
    let list = match LIST.try_lock() {
        Ok(list) => list,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return,
    };
    for held in list.entries.iter().filter_map(Weak::upgrade) {
        if let Ok(mut value) = held.0.try_lock()
            && let Some(value) = value.as_mut()
        {
            value.as_bytes_mut().zeroize();
        }
    }
    // What stores keep, unless one is at work: then it would write zeros.
    // SAFETY: Node's main thread, which ran JavaScript, is in here, and native work says that it uses values. A worker
    // thread that still runs JavaScript ends with the process.
    unsafe { keychain_core::wipe_all() };
}
