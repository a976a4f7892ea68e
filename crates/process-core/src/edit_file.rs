//! A value as a file for an editor, in memory only.
//!
//! Editors save by writing a new file and renaming it, and keep swap and backup files beside it, so they need a folder
//! of their own: a memfd's name cannot be replaced, and nothing can be put beside it. The folder is private and on a
//! tmpfs, which keeps it off the disk (as far as swap is off or encrypted). Should this process be killed, the folder goes
//! as the files of commands do ([`WatchedFolder`]).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result, SecretBytes};

use crate::input::read_all;
use crate::output::{create_private, file_error, random_name};
use crate::secret_file::WatchedFolder;

/// A value in a file that an editor can change. Dropping it wipes and removes the file and all that was put beside it,
/// unless it was to be kept.
#[derive(Debug)]
pub struct EditFile {
    folder: WatchedFolder,
    path: PathBuf,
    ends_its_line: bool,
    kept: bool,
}

impl EditFile {
    /// Puts the value into a new folder (mode 0700) below `$XDG_RUNTIME_DIR` or `/dev/shm`, whichever is in memory. It is
    /// noted in the folder `records`, and the launcher at this path removes it when this process is killed.
    ///
    /// Neither is (macOS and Windows have none) → `Unsupported`; not noted, or nobody to remove it → `OutputFailure`.
    pub fn create(value: &[u8], records: &Path, launcher: &Path) -> Result<Self> {
        let folder = memory_folder().ok_or_else(|| {
            Error::new(Code::Unsupported, "there is no file system in memory to edit a secret in")
                .with_hint("change it with se set, from standard input")
        })?;
        let name = random_name().map_err(|error| file_error("created", &folder, error))?;
        let folder = WatchedFolder::create(folder.join(format!("se-edit-{name}")), records, launcher)?;
        let path = folder.path().join("secret");
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
        self.folder.forget();
    }

    /// Wipes and removes everything. Fails where something cannot be removed.
    pub fn remove(&mut self) -> Result<()> {
        self.folder.remove()
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// A file whose watcher ends at once: who kills this process is another test (`__test__/cli/edit.spec.ts`).
    fn create(value: &[u8]) -> (EditFile, tempfile::TempDir) {
        let records = tempfile::TempDir::new().unwrap();
        (EditFile::create(value, records.path(), Path::new("/bin/true")).unwrap(), records)
    }

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn only_its_owner_can_look_into_it() {
        let (file, _records) = create(b"value");
        assert_eq!(fs::metadata(file.folder.path()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o777, 0o600);
        assert!(is_in_memory(file.path()));
    }

    #[test]
    fn an_editor_may_replace_the_file() {
        let (file, _records) = create(b"old");
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
            let (file, _records) = create(before.as_bytes());
            fs::write(file.path(), after).unwrap();
            assert_eq!(file.read().unwrap().as_bytes(), value.as_bytes(), "{before:?}");
        }
    }

    #[test]
    fn nothing_is_left_of_it() {
        let (file, records) = create(b"value");
        let folder = file.folder.path().to_owned();
        fs::write(folder.join(".secret.swp"), "swap").unwrap();
        fs::create_dir(folder.join("undo")).unwrap();
        fs::write(folder.join("undo/secret"), "before").unwrap();
        assert_eq!(count(records.path()), 1);
        drop(file);
        assert!(!folder.exists());
        assert_eq!(count(records.path()), 0);
    }

    #[test]
    fn what_is_kept_stays_and_nobody_has_the_right_to_remove_it() {
        let (mut file, records) = create(b"value");
        let path = file.path().to_owned();
        file.keep();
        assert_eq!(count(records.path()), 0);
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"value");
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn without_a_watcher_there_is_no_file() {
        let records = tempfile::TempDir::new().unwrap();
        let error = EditFile::create(b"value", records.path(), Path::new("/no/such/program")).unwrap_err();
        assert_eq!(error.code(), Code::OutputFailure);
        assert_eq!(count(records.path()), 0);
    }

    #[test]
    fn a_disk_is_not_memory() {
        assert!(is_in_memory(Path::new("/dev/shm")));
        assert!(!is_in_memory(Path::new("/proc")));
        assert!(!is_in_memory(Path::new("/no/such/folder")));
    }
}
