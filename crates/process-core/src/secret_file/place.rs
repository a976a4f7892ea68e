//! Where a file may be put: in a folder in memory that nobody can play tricks in.

use std::ffi::{CString, OsStr};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result};

use super::Access;
use crate::output::{file_error, reason};

/// A folder, opened, and a name in it. What is done with it stays in this folder, whatever happens to its path.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: File,
    pub(super) name: CString,
}

impl Place {
    /// Opens the folder of an absolute path. Not there, or not permitted → as [`file_error`] says.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(no_file(path)) };
        let name = CString::new(name.as_bytes()).map_err(|_| no_file(path))?;
        // Neither to read nor to write: to do so with what is in it needs the right to that alone.
        let flags = libc::O_DIRECTORY | if cfg!(target_os = "linux") { O_PATH } else { 0 };
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(folder);
        Ok(Self { folder: opened.map_err(|error| file_error("opened", folder, error))?, name })
    }

    /// All that keeps a file with this access from being put here.
    pub(super) fn problems(&self, path: &Path, access: &Access) -> Vec<Error> {
        let folder = path.parent().unwrap_or(path);
        let shown = folder.display();
        let mut problems = Vec::new();
        let mut wrong = |code, message: String, hint: String| {
            problems.push(Error::new(code, message).with_hint(hint).with_detail("path", path.display()));
        };
        if !is_in_memory(&self.folder, folder) {
            wrong(Code::InvalidOption, format!("{shown} is on a disk, where a secret would leave traces"), elsewhere());
        }
        if let Ok(facts) = self.folder.metadata() {
            if let Some(who) = who_may_replace_files(&facts) {
                wrong(
                    Code::LaxMode,
                    format!("{who} may replace files in {shown}"),
                    "give the path of a folder that others may not write to".into(),
                );
            } else if !access.trusts(facts.uid()) {
                wrong(
                    Code::LaxMode,
                    format!("{shown} belongs to another user, who may replace files in it"),
                    "give the path of a folder of yours".into(),
                );
            }
        }
        if let Err(error) = self.may_write() {
            let text = format!("{shown} cannot be written to: {}", reason(&error));
            wrong(Code::AccessDenied, text, elsewhere());
        }
        match self.look(path) {
            Ok(()) => problems.push(taken(path)),
            Err(error) if error.kind() == io::ErrorKind::InvalidFilename => {
                problems.push(file_error("written", path, error));
            }
            // Nothing is there. What else is wrong with the folder is told above.
            Err(_) => {}
        }
        problems
    }

    fn may_write(&self) -> io::Result<()> {
        // SAFETY: an open descriptor and a text that ends in NUL.
        match unsafe { libc::faccessat(self.folder.as_raw_fd(), c".".as_ptr(), libc::W_OK | libc::X_OK, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Fails where nothing is there: in this folder, or at the path, which may be too long though the name is not.
    fn look(&self, path: &Path) -> io::Result<()> {
        let mut facts = std::mem::MaybeUninit::<libc::stat>::uninit();
        let (folder, name) = (self.folder.as_raw_fd(), self.name.as_ptr());
        // SAFETY: an open descriptor, a text that ends in NUL, and room for what is written.
        match unsafe { libc::fstatat(folder, name, facts.as_mut_ptr(), libc::AT_SYMLINK_NOFOLLOW) } {
            0 => Ok(()),
            _ => std::fs::symlink_metadata(path).map(drop),
        }
    }
}

/// Whom the mode of a folder lets replace files of others: everybody, or a group that is not this process's own, as that of
/// a user alone is.
fn who_may_replace_files(folder: &Metadata) -> Option<&'static str> {
    // SAFETY: getegid cannot fail.
    let own_group = unsafe { libc::getegid() };
    match folder.mode() {
        mode if mode & 0o1000 != 0 => None,
        mode if mode & 0o002 != 0 => Some("everybody"),
        mode if mode & 0o020 != 0 && folder.gid() != own_group => Some("another group"),
        _ => None,
    }
}

#[cfg(target_os = "linux")]
const O_PATH: libc::c_int = libc::O_PATH;
#[cfg(not(target_os = "linux"))]
const O_PATH: libc::c_int = 0;

/// The error for a path that is taken.
pub(super) fn taken(path: &Path) -> Error {
    Error::new(Code::Exists, format!("{} is there already", path.display()))
        .with_hint("a secret never replaces a file: remove it, or give another path")
        .with_detail("path", path.display())
}

fn no_file(path: &Path) -> Error {
    Error::new(Code::InvalidOption, format!("{} names no file", path.display())).with_detail("path", path.display())
}

/// Whether what a descriptor refers to is in memory: on tmpfs or ramfs (linux/magic.h).
#[cfg(target_os = "linux")]
fn is_in_memory(folder: &File, _path: &Path) -> bool {
    let mut facts = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: an open descriptor; fstatfs writes a whole structure where it answers 0.
    unsafe {
        libc::fstatfs(folder.as_raw_fd(), facts.as_mut_ptr()) == 0
            && matches!(facts.assume_init().f_type, 0x0102_1994 | 0x8584_58f6)
    }
}

/// The other systems mount nothing in memory by themselves. What comes closest is the user's own temporary folder: on the
/// disk (encrypted where FileVault is on), for nobody else, and emptied by the system. docs/files.md says so.
#[cfg(not(target_os = "linux"))]
fn is_in_memory(_folder: &File, path: &Path) -> bool {
    let own = std::env::temp_dir().canonicalize();
    let private = |folder: &Path| std::fs::metadata(folder).is_ok_and(|facts| facts.mode() & 0o077 == 0);
    let (Ok(own), Ok(path)) = (own, path.canonicalize()) else { return false };
    private(&own) && path.starts_with(own)
}

/// Where a file may be put instead.
fn elsewhere() -> String {
    let folders = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter();
    let mut all = folders.chain([PathBuf::from(OsStr::new("/dev/shm")), PathBuf::from("/run")]);
    let fits = |folder: &PathBuf| {
        let Ok(place) = folder.is_absolute().then(|| Place::open(&folder.join("x"))).transpose() else { return false };
        place.is_some_and(|place| is_in_memory(&place.folder, folder) && place.may_write().is_ok())
    };
    let fitting = if cfg!(target_os = "linux") { all.find(fits) } else { Some(std::env::temp_dir()) };
    match fitting {
        Some(folder) => format!("give it a path in {}", folder.display()),
        None => "leave path= out: the file is in memory then, and has no name".into(),
    }
}
