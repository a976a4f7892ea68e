//! One writer at a time: a secret in several credentials cannot be replaced in one step, so writers of all processes
//! in this logon session take turns, and so do readers of such secrets.

use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, WAIT_ABANDONED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{CreateMutexW, INFINITE, ReleaseMutex, WaitForSingleObject};

use super::credential::{failure, wide};
use crate::Result;

/// The turn, given back when dropped. It belongs to the thread that took it, and a second one of the same thread is
/// granted at once.
pub(super) struct Turn(HANDLE);

impl Turn {
    /// Waits for the turn. A holder that died gives it up: what it left behind reads as old or new.
    pub(super) fn wait() -> Result<Self> {
        let name = wide(r"Local\se-native.credential-manager");
        // SAFETY: the name ends with a NUL and outlives the call; no attributes are passed.
        let handle = unsafe { CreateMutexW(ptr::null(), 0, name.as_ptr()) };
        if handle.is_null() {
            return Err(failure("cannot take turns with other users of the Credential Manager"));
        }
        // SAFETY: the handle is of the mutex above.
        let outcome = unsafe { WaitForSingleObject(handle, INFINITE) };
        if !matches!(outcome, WAIT_OBJECT_0 | WAIT_ABANDONED) {
            let error = failure("cannot take turns with other users of the Credential Manager");
            // SAFETY: the handle is ours and not used again.
            unsafe { CloseHandle(handle) };
            return Err(error);
        }
        Ok(Self(handle))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // SAFETY: this thread owns the mutex (a `HANDLE` is a raw pointer, so `Turn` stays on its thread).
        unsafe {
            ReleaseMutex(self.0);
            CloseHandle(self.0);
        }
    }
}
