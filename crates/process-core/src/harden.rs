//! Keeps other programs of the same user from reading this process's memory.

use std::io;

/// Makes this process unreadable for debuggers and core dumps (Linux `PR_SET_DUMPABLE` 0), until the next exec.
/// Answers whether that was possible; on other systems it is not, and nothing happens.
///
/// For programs of our own, never for a library in somebody else's process.
pub fn harden() -> bool {
    set_dumpable(false).is_ok() && cfg!(target_os = "linux")
}

/// Sets or clears the dumpable flag.
#[cfg(target_os = "linux")]
pub(crate) fn set_dumpable(dumpable: bool) -> io::Result<()> {
    // SAFETY: this prctl takes integers only.
    match unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(dumpable), 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set_dumpable(_dumpable: bool) -> io::Result<()> {
    Ok(())
}
