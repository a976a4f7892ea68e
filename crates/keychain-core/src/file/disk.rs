//! Files that hold secrets or keys: opened with suspicion, replaced as a whole, one writer at a time.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::{Code, Error, Result};

/// How much of the beginning of a file belongs to its [`Stamp`]. An age header fits, whose keys and nonce are random.
const HEAD_BYTES: usize = 256;

/// What tells one content of a file from the next. Time stamps are coarse and inode numbers are used again, but two
/// encryptions never begin alike.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and when the inode was last changed: seconds and nanoseconds.
    inode: [i128; 4],
    head: Vec<u8>,
}

impl Stamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let mut head = vec![0; HEAD_BYTES];
        let mut filled = 0;
        loop {
            match read_at(file, &mut head[filled..], filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        head.truncate(filled);
        Ok(Self { len: metadata.len(), modified: metadata.modified().ok(), inode: inode(&metadata), head })
    }
}

#[cfg(unix)]
fn read_at(file: &File, target: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, target, offset)
}

/// Windows moves the position of the file with it: it is put back for those who read on.
#[cfg(windows)]
fn read_at(mut file: &File, target: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Seek, SeekFrom};
    let position = file.stream_position()?;
    let count = std::os::windows::fs::FileExt::seek_read(file, target, offset)?;
    file.seek(SeekFrom::Start(position))?;
    Ok(count)
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> [i128; 4] {
    use std::os::unix::fs::MetadataExt;
    [metadata.dev().into(), metadata.ino().into(), metadata.ctime().into(), metadata.ctime_nsec().into()]
}

#[cfg(windows)]
fn inode(_metadata: &Metadata) -> [i128; 4] {
    [0; 4]
}

/// Turns a failure of the system on this path into one of ours.
pub(super) fn failure(doing: &str, path: &Path, error: io::Error) -> Error {
    let (code, reason, hint) = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => (Code::StoreUnavailable, "it is not there", None),
        ErrorKind::PermissionDenied => (
            Code::AccessDenied,
            "permission denied",
            Some("see whose it is, and its folder, with ls -ld; it has to be yours"),
        ),
        ErrorKind::ReadOnlyFilesystem => (Code::AccessDenied, "the file system is read-only", None),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            Code::StoreFailure,
            "the disk is full",
            Some("make room, then try again; what was stored before is untouched"),
        ),
        _ => (Code::StoreFailure, "the system reports an error", None),
    };
    let failure =
        Error::new(code, format!("cannot {doing} {}: {reason}", path.display())).with_detail("path", path.display());
    let failure = match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    };
    failure.with_source(error)
}

/// Refuses a store and an identity of which one would be written over the other: at one path, however it is written,
/// or at that of a file which writing makes beside the other.
pub(super) fn check_apart(store: &Path, identity: &Path) -> Result<()> {
    let of_store = [real_path(store), real_path(&lock_path(store)), real_path(&temporary_path(store))];
    let of_identity = [real_path(identity), real_path(&temporary_path(identity))];
    if !of_store.iter().any(|path| of_identity.contains(path)) {
        return Ok(());
    }
    let paths = format!("the store {} and its identity {}", store.display(), identity.display());
    Err(Error::new(Code::InvalidOption, format!("{paths} cannot be there both: one would overwrite the other"))
        .with_detail("path", store.display())
        .with_detail("identity", identity.display())
        .with_hint("give them paths of their own, such as store.age and identity.age"))
}

/// The path without links and `..` in its folder, of which the end may not be there yet; in small letters where the
/// system does not tell letters apart.
fn real_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = real_folder(folder(&absolute)).join(absolute.file_name().unwrap_or_default());
    if cfg!(any(target_os = "macos", windows)) { real.to_string_lossy().to_lowercase().into() } else { real }
}

fn real_folder(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real_folder(parent).join(name),
        (Some(parent), None) => folder(&real_folder(parent)).to_owned(),
        (None, _) => path.to_owned(),
    })
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Opens a file for reading. Symbolic links, and what is not a regular file → `Unsupported`; readable or writable by
/// others → `LaxMode`; absent → `StoreUnavailable`.
pub(super) fn open(path: &Path) -> Result<File> {
    let kind = std::fs::symlink_metadata(path).map_err(|error| failure("open", path, error))?.file_type();
    if kind.is_symlink() {
        return Err(Error::new(Code::Unsupported, format!("{} is a symbolic link", path.display()))
            .with_detail("path", path.display())
            .with_hint("name the file that it points to: replacing it would replace the link"));
    }
    let irregular = || {
        Error::new(Code::Unsupported, format!("{} is not a regular file", path.display()))
            .with_detail("path", path.display())
    };
    if !kind.is_file() {
        return Err(irregular());
    }
    let mut options = OpenOptions::new();
    options.read(true);
    without_surprises(&mut options);
    let file = options.open(path).map_err(|error| failure("open", path, error))?;
    let metadata = file.metadata().map_err(|error| failure("open", path, error))?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    refuse_lax(path, &metadata, 0o077, "600")?;
    Ok(file)
}

/// Between the look at the path and its opening somebody may have put another file there.
#[cfg(unix)]
fn without_surprises(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
}

#[cfg(windows)]
fn without_surprises(_options: &mut OpenOptions) {}

/// Refuses a folder in which others can replace files.
pub(super) fn check_folder(path: &Path) -> Result<()> {
    let folder = folder(path);
    let metadata = std::fs::metadata(folder).map_err(|error| failure("open", folder, error))?;
    refuse_lax(folder, &metadata, 0o022, "go-w")
}

#[cfg(unix)]
fn refuse_lax(path: &Path, metadata: &Metadata, forbidden: u32, mend: &str) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    let others = if forbidden & 0o044 == 0 { "others can write to" } else { "others can open" };
    Err(Error::new(Code::LaxMode, format!("{others} {} (mode {mode:04o})", path.display()))
        .with_detail("path", path.display())
        .with_detail("mode", format!("{mode:04o}"))
        .with_hint(format!("chmod {mend} {}", quoted(path))))
}

#[cfg(windows)]
fn refuse_lax(_path: &Path, _metadata: &Metadata, _forbidden: u32, _mend: &str) -> Result<()> {
    Ok(())
}

/// The path as a shell takes it.
#[cfg(unix)]
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Makes the folder of this path, and those above it, for the user alone. Those that exist stay as they are.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let folder = folder(path);
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| failure("make the folder", folder, error))
}

/// The right to write, until it is dropped.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

fn beside(path: &Path, prefix: &str, suffix: &str) -> PathBuf {
    let mut name = std::ffi::OsString::from(prefix);
    name.push(path.file_name().unwrap_or_default());
    name.push(suffix);
    folder(path).join(name)
}

fn lock_path(store: &Path) -> PathBuf {
    beside(store, "", ".lock")
}

fn temporary_path(path: &Path) -> PathBuf {
    beside(path, ".", ".tmp")
}

/// Waits for the right to write this store and its identity. The lock file stays: removing it would let two in.
pub(super) fn lock(store: &Path) -> Result<Lock> {
    let path = lock_path(store);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    without_surprises(&mut options);
    let file = options.open(&path).map_err(|error| failure("lock", &path, error))?;
    if let Ok(metadata) = std::fs::metadata(store) {
        give_to_owner_of(&metadata, &file).map_err(|error| failure("lock", &path, error))?;
    }
    loop {
        match file.lock() {
            Ok(()) => return Ok(Lock(file)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failure("lock", &path, error)),
        }
    }
}

/// When root writes another user's store (`sudo`), the files stay that user's.
#[cfg(unix)]
fn give_to_owner_of(metadata: &Metadata, file: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (metadata.uid(), metadata.gid()) || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(metadata.uid()), Some(metadata.gid()))
}

#[cfg(windows)]
fn give_to_owner_of(_metadata: &Metadata, _file: &File) -> io::Result<()> {
    Ok(())
}

/// Replaces a file as a whole: its new content is on the disk before it takes the place of the old one. Whatever
/// happens, the path holds the old content or the new. Answers with the new file, open.
///
/// The caller holds the lock: the temporary file has a fixed name, so that one left behind by a writer that was killed
/// is taken away by the next.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<File> {
    let temporary = temporary_path(path);
    let failed = |error| failure("write", path, error);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    without_surprises(&mut options);
    let mut file = options.open(&temporary).map_err(failed)?;
    let written = (|| {
        write(&mut file)?;
        if let Ok(metadata) = std::fs::metadata(path) {
            give_to_owner_of(&metadata, &file).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        rename(&temporary, path).map_err(failed)
    })();
    if let Err(error) = written {
        // Nothing can be done when this fails too; the next writer tries again.
        let _ = std::fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(path).map_err(failed)?;
    Ok(file)
}

#[cfg(unix)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Windows refuses for as long as somebody has the old file open who does not share its deletion, such as a scanner for
/// viruses: milliseconds, as a rule. (MoveFileEx: `ERROR_ACCESS_DENIED`, `ERROR_SHARING_VIOLATION`.)
#[cfg(windows)]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    use std::time::Duration;
    const ACCESS_DENIED: i32 = 5;
    const SHARING_VIOLATION: i32 = 32;
    let mut pause = Duration::from_millis(1);
    loop {
        match std::fs::rename(from, to) {
            Err(error)
                if matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION))
                    && pause < Duration::from_secs(1) =>
            {
                std::thread::sleep(pause);
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
}

/// Makes the new name durable. Windows keeps names in a journal and knows no such call.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder(path))?.sync_all() } else { Ok(()) }
}
