//! Values that go out: to a descriptor, or to a file that only its owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use keychain_core::{Code, Error, Result};

/// Writes all bytes to one of this process's descriptors, waiting where it is full. Answers false when the reader
/// has gone. A descriptor that cannot be written to → `InvalidOption`.
pub fn write_to(fd: i32, bytes: &[u8]) -> Result<bool> {
    match write_all(fd, bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::new(Code::InvalidOption, format!("descriptor {fd} cannot be written to"))
            .with_detail("fd", fd)
            .with_source(error)),
    }
}

#[cfg(unix)]
fn write_all(fd: i32, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: bytes is readable for its length.
        let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(count) {
            Ok(count) => bytes = &bytes[count..],
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error if error.kind() == io::ErrorKind::WouldBlock => wait_for(fd, libc::POLLOUT)?,
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// Waits until a non-blocking descriptor is ready.
#[cfg(unix)]
pub(crate) fn wait_for(fd: i32, events: libc::c_short) -> io::Result<()> {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one pollfd, alive during the call.
    match unsafe { libc::poll(&raw mut poll, 1, -1) } {
        -1 if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(windows)]
fn write_all(fd: i32, bytes: &[u8]) -> io::Result<()> {
    use std::os::windows::io::AsHandle;
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let handle = match fd {
        1 => stdout.as_handle(),
        2 => stderr.as_handle(),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    File::from(handle.try_clone_to_owned()?).write_all(bytes)
}

/// Writes a file that only its owner may read (mode 0600; on Windows, as its folder allows): the whole value appears
/// under the name at once, durably, or nothing changes. A file that was there is replaced, not written into. A pipe
/// or device (such as /dev/stdout) is written to as it is.
///
/// Folder missing, or the path names a folder → `InvalidOption`; not permitted → `AccessDenied`; the system fails →
/// `StoreFailure`.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let result = match fs::metadata(path) {
        Ok(facts) if facts.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(facts) if !facts.is_file() => OpenOptions::new().write(true).open(path).and_then(|mut f| f.write_all(bytes)),
        _ => replace(path, bytes),
    };
    result.map_err(|error| file_error("written", path, error))
}

/// The error for a file that cannot be read or written.
pub(crate) fn file_error(what: &str, path: &Path, error: io::Error) -> Error {
    let (code, reason) = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (Code::AccessDenied, "permission denied".to_owned())
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            (Code::InvalidOption, "no such file or folder".to_owned())
        }
        io::ErrorKind::IsADirectory => (Code::InvalidOption, "it is a folder".to_owned()),
        _ => (Code::StoreFailure, error.to_string()),
    };
    Error::new(code, format!("{} cannot be {what}: {reason}", path.display()))
        .with_detail("path", path.display())
        .with_source(error)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut temporary = name.to_owned();
    temporary.push(format!(".{}.tmp", random_name()?));
    let temporary = folder.join(temporary);
    let result = create_private(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // Nothing more can be done about a file that cannot be removed.
        let _ = fs::remove_file(&temporary);
        return result;
    }
    sync_folder(folder)
}

/// Creates a file that nobody else can read. Fails where there is one.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no such call, and needs none: a rename there is written through the journal.
#[cfg(windows)]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Sixteen random hexadecimal digits.
pub(crate) fn random_name() -> io::Result<String> {
    let word = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{word:016x}"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("se-output-{}", random_name().unwrap()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_private() {
        let folder = Folder::new();
        let path = folder.0.join("key");
        fs::write(&path, "old and longer").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        write_file(&path, b"new\0").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new\0");
        assert_eq!(after.mode() & 0o777, 0o600);
        assert_ne!(after.ino(), before);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_to_as_it_is() {
        write_file(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_wrong_path_is_an_error_that_names_it() {
        let folder = Folder::new();
        for (path, text) in [(folder.0.clone(), "it is a folder"), (folder.0.join("no/key"), "no such file or folder")]
        {
            let error = write_file(&path, b"x").unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption);
            assert!(error.to_string().contains(text) && error.to_string().contains("se-output-"), "{error}");
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_not_an_error() {
        let mut ends = [0; 2];
        // SAFETY: the test's own pipe; Rust's test harness ignores SIGPIPE as Node does.
        unsafe {
            assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
            libc::close(ends[0]);
        }
        assert!(!write_to(ends[1], b"x").unwrap());
        // SAFETY: as above.
        unsafe { libc::close(ends[1]) };
        assert_eq!(write_to(9999, b"x").unwrap_err().code(), Code::InvalidOption);
    }
}
