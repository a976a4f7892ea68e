//! A lock between processes, on a file that stays.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use keychain_core::{Code, Error, Result};

/// A lock that this process holds until it is dropped, or the process ends, however it ends. The file stays: removing it
/// would let two processes hold locks on two files of one name.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock of a file, without waiting; makes the file, with mode 0600 at most. None when another process, or
    /// this one, holds it. A link at the path, or no right to write there → `AccessDenied`; any other refusal of the
    /// system → `OutputFailure`.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        let failure = |error: io::Error| {
            let denied = error.kind() == io::ErrorKind::PermissionDenied || error.raw_os_error() == Some(libc::ELOOP);
            let code = if denied { Code::AccessDenied } else { Code::OutputFailure };
            Error::new(code, format!("cannot lock {}", path.display()))
                .with_detail("path", path.display())
                .with_source(error)
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .map_err(failure)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failure(error)),
        }
    }
}
