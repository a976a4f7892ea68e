//! How a file comes to its name: whole, durably, or not at all.
//!
//! On Linux it has no name before it is whole, so that a process which is killed leaves nothing. No system call puts such a
//! file in the place of another: then it gets a name beside it for as long as a rename takes. Elsewhere it has that name
//! while it is written.

use std::fs;
#[cfg(target_os = "linux")]
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::{create_private, folder_of, random_name};

/// Puts bytes under a name, in the place of what is there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    let mut beside = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
    beside.push(format!(".{}.tmp", random_name()?));
    let beside = folder.join(beside);
    if !put_unnamed(path, &beside, bytes)? {
        put_named(path, &beside, bytes)?;
    }
    sync_folder(folder)
}

/// Writes the file under the name beside it, which is then renamed.
fn put_named(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = create_private(beside).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_or_else(|error| remove_after(beside, error), |()| rename(beside, path))
}

/// Writes the file before it has a name. False: it could not be made so, and nothing is there.
///
/// File systems without such files say so in several ways (EOPNOTSUPP, EISDIR, EINVAL), and so does a system without
/// `/proc` (ENOENT). What else is in the way is so for a file with a name as well, and told of that one.
#[cfg(target_os = "linux")]
fn put_unnamed(path: &Path, beside: &Path, bytes: &[u8]) -> io::Result<bool> {
    use std::os::unix::fs::OpenOptionsExt;
    let options = OpenOptions::new().write(true).mode(0o600).custom_flags(libc::O_TMPFILE).clone();
    let Ok(mut file) = options.open(folder_of(path)) else { return Ok(false) };
    file.write_all(bytes)?;
    file.sync_all()?;
    match name(&file, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match name(&file, beside) {
            // Nothing comes between the two: a kill here leaves the name beside it.
            Ok(()) => rename(beside, path).map(|()| true),
            Err(_) => Ok(false),
        },
        Err(_) => Ok(false),
    }
}

#[cfg(not(target_os = "linux"))]
fn put_unnamed(_path: &Path, _beside: &Path, _bytes: &[u8]) -> io::Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
fn name(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    link_unnamed(file, libc::AT_FDCWD, &path)
}

/// Gives a file without a name (`O_TMPFILE`) one in a folder. Fails where that is taken, or where there is no `/proc`: the
/// call that takes the descriptor itself is for processes with a right of its own.
#[cfg(target_os = "linux")]
pub(crate) fn link_unnamed(file: &File, folder: libc::c_int, name: &std::ffi::CStr) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let link = std::ffi::CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    // SAFETY: two texts that end in NUL, and a descriptor that is checked by the system.
    match unsafe { libc::linkat(libc::AT_FDCWD, link.as_ptr(), folder, name.as_ptr(), libc::AT_SYMLINK_FOLLOW) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn rename(beside: &Path, path: &Path) -> io::Result<()> {
    fs::rename(beside, path).or_else(|error| remove_after(beside, error))
}

/// Nothing more can be done about a file that cannot be removed.
fn remove_after(beside: &Path, error: io::Error) -> io::Result<()> {
    let _ = fs::remove_file(beside);
    Err(error)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Windows has no such call, and needs none: a rename there is written through the journal.
#[cfg(windows)]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
