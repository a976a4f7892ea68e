//! A file without a name: an anonymous file in memory, sealed, that a command inherits.
//!
//! It is named `/proc/PID/fd/N`, PID being the command's: `/dev/fd/N` and `/proc/self/fd/N` name nothing in a process
//! that the command starts and that the descriptor was closed for, as most programs do. Each open of that name is a file
//! of its own, read from its beginning. It is gone with the last process that has it, however that ends.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;

use keychain_core::{Code, Error, Result};

use super::Access;
use crate::output::reason;

/// Descriptors of files begin here where the limit allows it: above the ones that scripts use (3 to 9), that sockets are
/// passed by (from 3 on) and that shells keep for themselves (from 10 on, at 255), and with a gap below it, so that Node,
/// which marks an unbroken run of descriptors at its start, passes these on.
const FIRST_DESCRIPTOR: RawFd = 100;

/// Where they begin where the limit is lower.
const LOWEST_DESCRIPTOR: RawFd = 10;

/// What nobody may do to the file any more: write, change its length, take these seals away.
const SEALS: libc::c_int = libc::F_SEAL_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// A value in a sealed file in memory. Dropping it closes it.
#[derive(Debug)]
pub struct MemoryFile {
    file: File,
}

impl MemoryFile {
    /// Puts a value into a new file. A system without such files, or without `/proc` → `Unsupported`; no memory, or no
    /// descriptor left → `OutputFailure`.
    pub fn create(value: &[u8], access: Access) -> Result<Self> {
        let file = sealed(value, access).and_then(move_up).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOSYS) => unsupported("this system has no files in memory").with_source(error),
            _ => Error::new(Code::OutputFailure, format!("no file can be made in memory: {}", reason(&error)))
                .with_source(error),
        })?;
        let file = Self { file };
        // In a PID namespace without a /proc of its own, the path would be another process's, or nobody's.
        match file.is_named(std::process::id()) {
            true => Ok(file),
            false => Err(unsupported("/proc does not show this process")),
        }
    }

    /// The descriptor that a command inherits.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// The file's name while the process `pid` has it.
    pub fn path(&self, pid: u32) -> String {
        format!("/proc/{pid}/fd/{}", self.descriptor())
    }

    fn is_named(&self, pid: u32) -> bool {
        let identity = |facts: fs::Metadata| (facts.dev(), facts.ino());
        let (Ok(own), Ok(named)) = (self.file.metadata(), fs::metadata(self.path(pid))) else { return false };
        identity(own) == identity(named)
    }
}

fn unsupported(message: &str) -> Error {
    Error::new(Code::Unsupported, message).with_hint("give the file a path on a tmpfs: --file NAME=REF,path=/run/…")
}

/// A sealed file, open for reading alone, at its beginning.
fn sealed(value: &[u8], access: Access) -> io::Result<File> {
    let mut file = File::from(anonymous()?);
    file.write_all(value)?;
    let read_only = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    access.give(&file)?;
    // SAFETY: an open descriptor and integers.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, SEALS) } {
        0 => Ok(read_only),
        _ => Err(io::Error::last_os_error()),
    }
}

/// An empty file in memory that can be sealed and, where the system knows how to say so (Linux 6.3), never executed.
fn anonymous() -> io::Result<OwnedFd> {
    // The C library's own function is newer than the oldest one that we run with.
    let create = |flags: libc::c_uint| {
        // SAFETY: the name ends in NUL.
        let fd = unsafe { libc::syscall(libc::SYS_memfd_create, c"secret".as_ptr(), flags) };
        RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)
    };
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let fd = create(flags | libc::MFD_NOEXEC_SEAL).or_else(|| create(flags)).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: it was opened just now, and is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The same file under a number that is in nobody's way.
fn move_up(file: File) -> io::Result<File> {
    let mut error = io::Error::from_raw_os_error(libc::EINVAL);
    for first in [FIRST_DESCRIPTOR, LOWEST_DESCRIPTOR] {
        // SAFETY: an open descriptor and integers.
        let fd = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, first) };
        if fd >= 0 {
            // SAFETY: it was opened just now, and is nobody else's.
            return Ok(unsafe { File::from_raw_fd(fd) });
        }
        error = io::Error::last_os_error();
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{Read, Seek};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn create(value: &[u8]) -> MemoryFile {
        MemoryFile::create(value, Access::new(0o400, None).unwrap()).unwrap()
    }

    #[test]
    fn it_is_read_many_times_from_its_beginning() {
        let value: Vec<u8> = (0..3 << 20).map(|byte: u32| byte as u8).collect();
        let file = create(&value);
        for _ in 0..2 {
            assert_eq!(fs::read(file.path(std::process::id())).unwrap(), value);
        }
        assert_eq!((&file.file).stream_position().unwrap(), 0);
    }

    #[test]
    fn nobody_changes_it() {
        let file = create(b"value");
        let path = file.path(std::process::id());
        assert_eq!(file.file.metadata().unwrap().permissions().mode() & 0o7777, 0o400);
        assert!((&file.file).write_all(b"x").is_err());
        // Root may open it for writing, and then nothing can be written.
        if let Ok(mut opened) = OpenOptions::new().write(true).open(&path) {
            assert!(opened.write_all(b"x").is_err());
            assert!(opened.set_len(1).is_err());
        }
        // SAFETY: the test's own descriptor.
        assert_eq!(unsafe { libc::fcntl(file.descriptor(), libc::F_GET_SEALS) } & SEALS, SEALS);
        assert!(fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).is_err() || !has_noexec());
        assert_eq!(fs::read(&path).unwrap(), b"value");
    }

    fn has_noexec() -> bool {
        // SAFETY: the name ends in NUL; what it answers is closed.
        unsafe {
            let fd = libc::syscall(libc::SYS_memfd_create, c"x".as_ptr(), libc::MFD_NOEXEC_SEAL);
            fd >= 0 && libc::close(fd as RawFd) == 0
        }
    }

    #[test]
    fn its_number_is_in_nobodys_way_and_it_is_not_passed_on_by_itself() {
        let file = create(b"value");
        assert!(file.descriptor() >= FIRST_DESCRIPTOR);
        let listed = Command::new("ls").arg("/proc/self/fd").output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(!listed.lines().any(|fd| fd == file.descriptor().to_string()), "{listed}");
    }

    #[test]
    fn an_empty_value_is_an_empty_file() {
        let mut text = Vec::new();
        create(b"").file.read_to_end(&mut text).unwrap();
        assert_eq!(text, b"");
    }
}
