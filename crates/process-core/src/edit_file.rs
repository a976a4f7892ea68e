//! A value as a file for an editor, in memory only.
//!
//! Editors save by writing a new file and renaming it, and keep swap and backup files beside it, so they need a folder
//! of their own: a memfd's name cannot be replaced, and nothing can be put beside it. The folder is private and on a
//! tmpfs, which keeps it off the disk (as far as swap is off or encrypted).

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result, SecretBytes};

use crate::input::read_all;
use crate::output::{create_private, file_error, random_name};

/// A value in a file that an editor can change. Dropping it wipes and removes the file and all that was put beside it,
/// unless it was to be kept.
#[derive(Debug)]
pub struct EditFile {
    folder: PathBuf,
    path: PathBuf,
    ends_its_line: bool,
    kept: bool,
}

impl EditFile {
    /// Puts the value into a new folder (mode 0700) below `$XDG_RUNTIME_DIR` or `/dev/shm`, whichever is in memory.
    /// Neither is (macOS and Windows have none) → `Unsupported`.
    pub fn create(value: &[u8]) -> Result<Self> {
        let folder = memory_folder().ok_or_else(|| {
            Error::new(Code::Unsupported, "there is no file system in memory to edit a secret in")
                .with_hint("change it with se set, from standard input")
        })?;
        let folder = random_name()
            .map(|name| folder.join(format!("se-edit-{name}")))
            .and_then(|folder| create_private_folder(&folder).map(|()| folder))
            .map_err(|error| file_error("created", &folder, error))?;
        let path = folder.join("secret");
        let file = Self { folder, path, ends_its_line: value.is_empty() || value.ends_with(b"\n"), kept: false };
        create_private(&file.path)
            .and_then(|mut target| target.write_all(value))
            .map_err(|error| file_error("written", &file.path, error))?;
        Ok(file)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what the editor left. Editors end the last line: where the value had no such line end, it is taken off.
    pub fn read(&self) -> Result<SecretBytes> {
        let mut file = open_regular(&self.path).map_err(|error| file_error("read", &self.path, error))?;
        let value = read_all(&mut file)?;
        match value.as_bytes().strip_suffix(b"\n") {
            Some(line) if !self.ends_its_line => Ok(SecretBytes::copy_from(line)),
            _ => Ok(value),
        }
    }

    /// Leaves the file there, for a person: what was written into it could not be stored.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Wipes and removes everything. Fails where something cannot be removed.
    pub fn remove(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let Ok(facts) = entry.metadata() else { continue };
            if !facts.is_file() {
                continue;
            }
            if let Ok(mut file) = fs::OpenOptions::new().write(true).open(entry.path()) {
                // Removed below whether or not it can be wiped first.
                let _ = std::io::copy(&mut std::io::repeat(0).take(facts.len()), &mut file);
            }
        }
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(file_error("removed", &self.folder, error))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for EditFile {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever must know called `remove`.
            let _ = self.remove();
        }
    }
}

/// Opens what the editor left, which must be a file: a pipe would be waited for, and a link read from elsewhere.
fn open_regular(path: &Path) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("the editor left something else in its place"));
    }
    Ok(file)
}

#[cfg(target_os = "linux")]
fn memory_folder() -> Option<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime.into_iter().chain([PathBuf::from("/dev/shm")]).find(|folder| folder.is_absolute() && is_in_memory(folder))
}

#[cfg(not(target_os = "linux"))]
fn memory_folder() -> Option<PathBuf> {
    None
}

#[cfg(target_os = "linux")]
fn is_in_memory(folder: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return false };
    let mut facts = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path ends in NUL; statfs writes a whole structure where it answers 0.
    let kind = unsafe {
        if libc::statfs(path.as_ptr(), facts.as_mut_ptr()) != 0 {
            return false;
        }
        facts.assume_init().f_type
    };
    // tmpfs and ramfs, from linux/magic.h.
    kind == 0x0102_1994 || kind == 0x8584_58f6
}

#[cfg(unix)]
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(windows)]
fn create_private_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn only_its_owner_can_look_into_it() {
        let file = EditFile::create(b"value").unwrap();
        assert_eq!(fs::metadata(&file.folder).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        assert!(is_in_memory(file.path()));
    }

    #[test]
    fn an_editor_may_replace_the_file() {
        let file = EditFile::create(b"old").unwrap();
        let beside = file.path().with_extension("new");
        fs::write(&beside, "new").unwrap();
        fs::rename(&beside, file.path()).unwrap();
        assert_eq!(file.read().unwrap().as_bytes(), b"new");
    }

    #[test]
    fn the_line_end_that_an_editor_adds_is_taken_off() {
        for (before, after, value) in
            [("a", "b\n", "b"), ("a", "b\nc\n", "b\nc"), ("a\n", "b\n", "b\n"), ("a", "b", "b"), ("", "b\n", "b\n")]
        {
            let file = EditFile::create(before.as_bytes()).unwrap();
            fs::write(file.path(), after).unwrap();
            assert_eq!(file.read().unwrap().as_bytes(), value.as_bytes(), "{before:?}");
        }
    }

    #[test]
    fn nothing_is_left_of_it() {
        let file = EditFile::create(b"value").unwrap();
        let folder = file.folder.clone();
        fs::write(folder.join(".secret.swp"), "swap").unwrap();
        drop(file);
        assert!(!folder.exists());
    }

    #[test]
    fn a_disk_is_not_memory() {
        assert!(is_in_memory(Path::new("/dev/shm")));
        assert!(!is_in_memory(Path::new("/proc")));
        assert!(!is_in_memory(Path::new("/no/such/folder")));
    }
}
