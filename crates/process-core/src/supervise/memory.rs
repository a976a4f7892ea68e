//! What the processes around a command forget when it has started.

use std::ffi::CStr;

use libc::c_char;
use zeroize::Zeroize;

/// Wipes the variables that this process was started with, where the system keeps them: they hold the command's secrets.
/// To be called when nobody reads them any more.
pub(super) fn wipe_start() {
    // SAFETY: the vector ends in NULL, its strings in NUL, and this process has one thread.
    unsafe {
        let mut entry = environment();
        while !entry.is_null() && !(*entry).is_null() {
            let len = CStr::from_ptr(*entry).count_bytes();
            std::slice::from_raw_parts_mut((*entry).cast::<u8>(), len).zeroize();
            entry = entry.add(1);
        }
    }
}

/// Wipes every value that this copy of a process has got from its original, and its variables.
pub(super) fn wipe_values() {
    wipe_start();
    // SAFETY: this copy has one thread, which uses no value any more.
    unsafe { keychain_core::wipe_all() };
}

#[cfg(target_os = "macos")]
unsafe fn environment() -> *mut *mut c_char {
    // SAFETY: takes nothing; answers with the place of the vector.
    unsafe { *libc::_NSGetEnviron() }
}

#[cfg(not(target_os = "macos"))]
unsafe fn environment() -> *mut *mut c_char {
    unsafe extern "C" {
        static environ: *mut *mut c_char;
    }
    // SAFETY: the C library defines it.
    unsafe { environ }
}
