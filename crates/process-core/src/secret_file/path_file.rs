//! A file with a name, for programs that need one: it appears whole or not at all, and never in the place of another.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result, SecretBytes};

use super::Access;
use super::place::{Place, taken};
use super::record::{Identity, Record, overwrite, remove};
use super::watcher::{Program, watched_record};
#[cfg(target_os = "linux")]
use crate::output::link_unnamed;
use crate::output::reason;

/// A file with a secret in it, at a path that the command knows. Prints without its value.
pub struct PathFile {
    /// Where it is to be: absolute, its last part a name.
    pub path: PathBuf,
    /// Who may read it.
    pub access: Access,
    /// What is in it.
    pub value: SecretBytes,
}

impl PathFile {
    /// All that keeps a file from being put there, as far as that can be known before: no folder, none in memory, or a
    /// path that is too long → `InvalidOption`; others may replace files in it → `LaxMode`; not permitted →
    /// `AccessDenied`; taken → `Exists`.
    pub fn problems(path: &Path, access: &Access) -> Vec<Error> {
        Place::open(path).map_or_else(|error| vec![error], |place| place.problems(path, access))
    }
}

impl fmt::Debug for PathFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathFile").field("path", &self.path).field("access", &self.access).finish_non_exhaustive()
    }
}

/// Files in their places. Dropping it removes them.
#[derive(Debug, Default)]
pub struct PlacedFiles {
    files: Vec<(PathBuf, Identity)>,
    /// The same files, open: one whose name went elsewhere, alone or with its folder, is overwritten there.
    made: Vec<File>,
    record: Option<Record>,
}

impl PlacedFiles {
    /// Puts all files in their places, and sees to it that they go when this process is killed: by the watcher, which
    /// `program` is, and by the record of them, which is kept in the folder `records`.
    ///
    /// Failures: those of [`PathFile::problems`]; `OutputFailure`. No file is left then.
    pub fn place(files: &[PathFile], records: &Path, program: &Program) -> Result<Self> {
        let mut placed = Self::default();
        if files.is_empty() {
            return Ok(placed);
        }
        let mut record = watched_record(records, program)?;
        let result = files.iter().try_for_each(|file| placed.add(file, &mut record));
        placed.record = Some(record);
        result.map(|()| placed)
    }

    fn add(&mut self, file: &PathFile, record: &mut Record) -> Result<()> {
        let place = Place::open(&file.path)?;
        if let Some(problem) = place.problems(&file.path, &file.access).into_iter().next() {
            return Err(problem);
        }
        let made = make(&place, file, |identity| {
            record.add(&file.path, identity)?;
            self.files.push((file.path.clone(), identity));
            Ok(())
        });
        made.map(|made| self.made.push(made)).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => taken(&file.path),
            _ => Error::new(
                Code::OutputFailure,
                format!("{} cannot be written: {}", file.path.display(), reason(&error)),
            )
            .with_detail("path", file.path.display())
            .with_source(error),
        })
    }

    /// Removes the files, those that are still what was put there, and overwrites all. Fails where one cannot be removed; the record stays
    /// then, and the next sweep tries again.
    pub fn remove(mut self) -> Result<()> {
        self.clear()
    }

    fn clear(&mut self) -> Result<()> {
        for mut made in std::mem::take(&mut self.made) {
            // Where that fails, what is at its path is removed all the same.
            let _ = overwrite(&mut made);
        }
        let files = std::mem::take(&mut self.files);
        let mut left = Vec::new();
        for (path, identity) in files {
            left.extend(remove(&path, identity).err().map(|error| (path, error)));
        }
        if let Some((path, error)) = left.pop() {
            let text = format!("{} cannot be removed: {}", path.display(), reason(&error));
            return Err(Error::new(Code::OutputFailure, text).with_detail("path", path.display()).with_source(error));
        }
        if let Some(record) = self.record.take() {
            // Without files it is a note of nothing.
            let _ = record.close();
        }
        Ok(())
    }
}

impl Drop for PlacedFiles {
    fn drop(&mut self) {
        // Whoever must know called `remove`.
        let _ = self.clear();
    }
}

/// Makes the file. `note` is told what it will be known by, before its name appears.
#[cfg(target_os = "linux")]
fn make(place: &Place, file: &PathFile, note: impl FnOnce(Identity) -> io::Result<()>) -> io::Result<File> {
    let flags = libc::O_TMPFILE | libc::O_WRONLY | libc::O_CLOEXEC;
    let mut made = open(place, c".", flags)?;
    made.write_all(file.value.as_bytes())?;
    file.access.give(&made)?;
    note(Identity::of(&made.metadata()?))?;
    link_unnamed(&made, place.folder.as_raw_fd(), &place.name)?;
    Ok(made)
}

/// Makes the file: empty at first, and for nobody to open. A kill between that and the note leaves it so.
#[cfg(not(target_os = "linux"))]
fn make(place: &Place, file: &PathFile, note: impl FnOnce(Identity) -> io::Result<()>) -> io::Result<File> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW | libc::O_WRONLY | libc::O_CLOEXEC;
    let mut made = open(place, &place.name, flags)?;
    note(Identity::of(&made.metadata()?).given_to(file.access.user()))?;
    made.write_all(file.value.as_bytes())?;
    file.access.give(&made)?;
    Ok(made)
}

fn open(place: &Place, name: &std::ffi::CStr, flags: libc::c_int) -> io::Result<File> {
    let mode: libc::c_uint = 0;
    // SAFETY: an open descriptor and a text that ends in NUL; what is opened is nobody else's.
    unsafe {
        match libc::openat(place.folder.as_raw_fd(), name.as_ptr(), flags, mode) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}
