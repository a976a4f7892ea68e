//! Values that go out: to a descriptor, or to a file that only its owner reads.

mod replace;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result};

#[cfg(target_os = "linux")]
pub(crate) use replace::link_unnamed;

/// Writes all bytes to one of this process's descriptors, waiting where it is full. When the reader has gone, the rest
/// is dropped. A descriptor that cannot be written to → `OutputFailure`.
pub fn write_to(fd: i32, bytes: &[u8]) -> Result<()> {
    match write_whole(fd, bytes) {
        Err(error) if !is_reader_gone(&error) => Err(write_error(fd, error)),
        _ => Ok(()),
    }
}

pub(crate) fn is_reader_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The error for a descriptor that cannot be written to.
pub(crate) fn write_error(fd: i32, error: io::Error) -> Error {
    let name = match fd {
        1 => "standard output".to_owned(),
        2 => "standard error".to_owned(),
        _ => format!("descriptor {fd}"),
    };
    Error::new(Code::OutputFailure, format!("{name} cannot be written: {}", reason(&error)))
        .with_detail("fd", fd)
        .with_source(error)
}

/// The system's words for a failure, without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

/// Writes all bytes, waiting where the descriptor is full.
#[cfg(unix)]
pub(crate) fn write_whole(fd: i32, mut bytes: &[u8]) -> io::Result<()> {
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

/// Lets a pipe hold more, so that who writes and who reads wait for each other less often. What is no pipe, or must not grow,
/// stays as it is.
pub(crate) fn widen_pipe(pipe: i32, bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: it takes and gives integers.
    unsafe {
        let bytes = libc::c_int::try_from(bytes).unwrap_or(0);
        if libc::fcntl(pipe, libc::F_GETPIPE_SZ) < bytes {
            libc::fcntl(pipe, libc::F_SETPIPE_SZ, bytes);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (pipe, bytes);
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
pub(crate) fn write_whole(fd: i32, bytes: &[u8]) -> io::Result<()> {
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
/// under the name at once, durably, or nothing changes. A file that was there is replaced, not written into.
///
/// A link stays, and what it leads to is written: a file as above, one that is not there yet too; a pipe or device as it
/// is; one of this process's own descriptors (/dev/stdout, /dev/fd/3) from where it stands, as [`write_to`] does.
///
/// Folder missing, or the path names a folder → `InvalidOption`; not permitted, or a link that somebody else left in a
/// folder for everybody → `AccessDenied`; the system fails → `OutputFailure`.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let result = match target(path) {
        Ok(Target::Descriptor(fd)) => return write_to(fd, bytes),
        Ok(Target::Special(path)) => {
            OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(bytes))
        }
        Ok(Target::File(path)) => replace::replace(&path, bytes),
        Err(error) => Err(error),
    };
    result.map_err(|error| file_error("written", path, error))
}

/// What a path leads to.
enum Target {
    /// One of this process's descriptors.
    Descriptor(i32),
    /// A pipe, a device or a socket.
    Special(PathBuf),
    /// A file, or nothing yet.
    File(PathBuf),
}

fn target(path: &Path) -> io::Result<Target> {
    let mut path = path.to_owned();
    loop {
        if let Some(fd) = own_descriptor(&path) {
            return Ok(Target::Descriptor(fd));
        }
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_symlink() => {
                // Links that go round are the system's to find.
                if let Err(error) = fs::metadata(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(error);
                }
                if !may_follow(&facts, folder_of(&path))? {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                path = folder_of(&path).join(fs::read_link(&path)?);
            }
            Ok(facts) if facts.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(facts) if !facts.is_file() => return Ok(Target::Special(path)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(Target::File(path)),
        }
    }
}

/// Linux's own rule (fs.protected_symlinks): in a sticky folder that everybody may write to, such as /tmp, a link is
/// followed where it is the caller's or the folder's owner's. Another may have been left there to have a file replaced.
#[cfg(unix)]
fn may_follow(link: &fs::Metadata, folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let folder = fs::metadata(folder)?;
    // SAFETY: cannot fail.
    let own = unsafe { libc::geteuid() };
    Ok(folder.mode() & 0o1002 != 0o1002 || link.uid() == own || link.uid() == folder.uid())
}

#[cfg(windows)]
fn may_follow(_link: &fs::Metadata, _folder: &Path) -> io::Result<bool> {
    Ok(true)
}

/// The descriptor that `/proc/self/fd/N` or `/dev/fd/N` stands for. To follow such a link and open what it names would
/// write at the beginning of a file that the descriptor appends to, and fails for a file that has no name any more.
#[cfg(unix)]
fn own_descriptor(path: &Path) -> Option<i32> {
    let fd = path.file_name()?.to_str()?.parse().ok()?;
    let folder = folder_of(path).canonicalize().ok()?;
    let own = fs::canonicalize("/proc/self").is_ok_and(|own| folder.starts_with(own) && folder.ends_with("fd"));
    (own || folder == Path::new("/dev/fd")).then_some(fd)
}

#[cfg(windows)]
fn own_descriptor(_path: &Path) -> Option<i32> {
    None
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The error for a file that cannot be read or written.
pub(crate) fn file_error(what: &str, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem};
    let (code, reason, hint) = match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => {
            (Code::AccessDenied, "permission denied".to_owned(), Some("name a place that you may write to"))
        }
        NotFound | NotADirectory => (
            Code::InvalidOption,
            "no such file or folder".to_owned(),
            Some("make the folder first, or name another one"),
        ),
        IsADirectory => (Code::InvalidOption, "it is a folder".to_owned(), Some("name a file in it")),
        // Too long; on Windows also what a name may not hold.
        InvalidFilename => (Code::InvalidOption, reason(&error), Some("give another path")),
        _ => (Code::OutputFailure, reason(&error), None),
    };
    let told = Error::new(code, format!("{} cannot be {what}: {reason}", path.display()))
        .with_detail("path", path.display())
        .with_source(error);
    match hint {
        Some(hint) if what != "read" => told.with_hint(hint),
        _ => told,
    }
}

/// Creates a file that nobody else can read. Fails where there is one.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Sixteen random hexadecimal digits.
pub(crate) fn random_name() -> io::Result<String> {
    let word = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{word:016x}"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

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
    fn a_link_stays_and_the_file_behind_it_is_replaced() {
        let folder = Folder::new();
        let (file, link, link_to_link) = (folder.0.join("key"), folder.0.join("link"), folder.0.join("link-to-link"));
        symlink("key", &link).unwrap();
        symlink(&link, &link_to_link).unwrap();
        for value in ["made", "replaced"] {
            write_file(&link_to_link, value.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), value);
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("key"));
        assert_eq!(fs::read_link(&link_to_link).unwrap(), link);
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 3);
    }

    #[test]
    fn links_that_go_round_are_an_error() {
        let folder = Folder::new();
        let link = folder.0.join("link");
        symlink("link", &link).unwrap();
        assert_eq!(write_file(&link, b"x").unwrap_err().code(), Code::OutputFailure);
    }

    #[test]
    fn a_link_that_somebody_else_left_in_a_shared_folder_is_not_followed() {
        use std::os::unix::fs::{chown, lchown};
        let folder = Folder::new();
        let (shared, file) = (folder.0.join("shared"), folder.0.join("mine"));
        let link = shared.join("link");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(&file, "mine").unwrap();
        symlink(&file, &link).unwrap();
        write_file(&link, b"followed").unwrap();
        if lchown(&link, Some(1), None).is_err() {
            return; // only root can play somebody else
        }
        assert_eq!(write_file(&link, b"x").unwrap_err().code(), Code::AccessDenied);
        assert_eq!(fs::read_to_string(&file).unwrap(), "followed");
        lchown(&link, Some(2), None).unwrap();
        chown(&shared, Some(2), None).unwrap();
        write_file(&link, b"of the folder's owner").unwrap();
    }

    #[test]
    fn a_device_is_written_to_as_it_is() {
        let folder = Folder::new();
        let link = folder.0.join("link");
        symlink("/dev/null", &link).unwrap();
        write_file(&link, b"x").unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("/dev/null"));
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_pipe_is_written_to_as_it_is() {
        let folder = Folder::new();
        let (pipe, link) = (folder.0.join("pipe"), folder.0.join("link"));
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: the name ends in NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        symlink("pipe", &link).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write_file(&link, b"value").unwrap();
        assert_eq!(reader.join().unwrap(), b"value");
        assert!(!fs::metadata(&pipe).unwrap().is_file());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_link_to_an_own_descriptor_writes_from_where_it_stands() {
        use std::os::fd::AsRawFd;
        let folder = Folder::new();
        let path = folder.0.join("log");
        fs::write(&path, "before ").unwrap();
        let log = OpenOptions::new().append(true).open(&path).unwrap();
        for (number, to) in ["/proc/self/fd", "/dev/fd", "/proc/thread-self/fd"].into_iter().enumerate() {
            let link = folder.0.join(format!("link{number}"));
            symlink(Path::new(to).join(log.as_raw_fd().to_string()), &link).unwrap();
            write_file(&link, b"value ").unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "before value value value ");
    }

    #[test]
    fn a_wrong_path_is_an_error_that_names_it() {
        let folder = Folder::new();
        for (path, text) in [
            (folder.0.clone(), "it is a folder"),
            (folder.0.join("no/key"), "no such file or folder"),
            (folder.0.join("a".repeat(256)), "file name too long"),
        ] {
            let error = write_file(&path, b"x").unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption);
            assert!(error.to_string().contains(text) && error.to_string().contains("se-output-"), "{error}");
            assert!(error.hint().is_some());
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
        write_to(ends[1], b"x").unwrap();
        // SAFETY: as above.
        unsafe { libc::close(ends[1]) };
    }

    #[test]
    fn what_cannot_be_written_names_the_descriptor_and_the_reason() {
        let error = write_to(9999, b"x").unwrap_err();
        assert_eq!(error.code(), Code::OutputFailure);
        assert_eq!(error.to_string(), "descriptor 9999 cannot be written: bad file descriptor");
    }
}
