//! A folder for programs that put more beside a file, such as editors: it goes with all that is in it, also when this
//! process is killed.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use keychain_core::Result;

#[cfg(unix)]
use super::record::{Identity, Record};
#[cfg(unix)]
use super::watcher::{Program, watched_record};
use crate::output::file_error;

/// How often a folder is emptied that another program puts something into meanwhile.
const ATTEMPTS: usize = 100;

/// A private folder (mode 0700), noted in a record that is watched.
#[derive(Debug)]
pub(crate) struct WatchedFolder {
    path: PathBuf,
    #[cfg(unix)]
    record: Option<Record>,
}

impl WatchedFolder {
    /// Makes the folder, and notes it in the folder `records`; its watcher is the launcher at this path. A kill in between
    /// leaves it empty. Not made, noted or watched → as [`file_error`] says, or `OutputFailure`; no folder is left then.
    #[cfg(unix)]
    pub(crate) fn create(path: PathBuf, records: &Path, launcher: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let record = watched_record(records, &Program::launcher(launcher.to_owned()))?;
        let mut folder = Self { path, record: Some(record) };
        let made = fs::DirBuilder::new().mode(0o700).create(&folder.path).and_then(|()| folder.note());
        if let Err(error) = made {
            folder.close();
            return Err(file_error("created", &folder.path, error));
        }
        Ok(folder)
    }

    /// Makes the folder. Nothing removes it when this process is killed.
    #[cfg(windows)]
    pub(crate) fn create(path: PathBuf, _records: &Path, _launcher: &Path) -> Result<Self> {
        fs::create_dir(&path).map_err(|error| file_error("created", &path, error))?;
        Ok(Self { path })
    }

    #[cfg(unix)]
    fn note(&mut self) -> io::Result<()> {
        let noted = fs::symlink_metadata(&self.path).and_then(|facts| match &mut self.record {
            Some(record) => record.add_folder(&self.path, Identity::of(&facts)),
            None => Ok(()),
        });
        // It is empty.
        noted.inspect_err(|_| drop(fs::remove_dir(&self.path)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder there, also when this process is killed.
    pub(crate) fn forget(&mut self) {
        #[cfg(unix)]
        if let Some(record) = self.record.take() {
            record.forget();
        }
    }

    /// Wipes and removes everything. Fails where something cannot be removed; the record stays then, and the next sweep
    /// tries again.
    pub(crate) fn remove(&mut self) -> Result<()> {
        remove_all(&self.path).map_err(|error| file_error("removed", &self.path, error))?;
        self.close();
        Ok(())
    }

    fn close(&mut self) {
        #[cfg(unix)]
        if let Some(record) = self.record.take() {
            // Without a folder it is a note of nothing.
            let _ = record.close();
        }
    }
}

/// Removes a folder with all that is in it, files wiped. Not there → nothing to do.
pub(super) fn remove_all(folder: &Path) -> io::Result<()> {
    let mut attempts = 0..ATTEMPTS;
    loop {
        wipe_files(folder);
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && attempts.next().is_some() => {}
            removed => return removed,
        }
    }
}

/// They are removed whether or not they can be wiped first.
fn wipe_files(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(facts) = entry.metadata() else { continue };
        if !facts.is_file() {
            continue;
        }
        if let Ok(mut file) = fs::OpenOptions::new().write(true).open(entry.path()) {
            let _ = io::copy(&mut io::repeat(0).take(facts.len()), &mut file);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;
    use crate::sweep;

    /// A folder as a killed process leaves it, whose watcher was killed too.
    fn left(within: &TempDir, records: &TempDir) -> PathBuf {
        let path = within.path().join("folder");
        let folder = WatchedFolder::create(path.clone(), records.path(), Path::new("/bin/true")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        // Its lock goes, and neither the folder nor the record.
        drop(folder);
        fs::write(path.join("secret"), "value").unwrap();
        path
    }

    fn count(folder: &TempDir) -> usize {
        fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn a_sweep_removes_all_that_was_put_into_it() {
        let (within, records) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (path, elsewhere) = (left(&within, &records), within.path().join("elsewhere"));
        fs::write(&elsewhere, "mine").unwrap();
        fs::write(path.join("new"), "new").unwrap();
        fs::rename(path.join("new"), path.join("secret")).unwrap();
        fs::write(path.join("secret~"), "value").unwrap();
        symlink(&elsewhere, path.join("link")).unwrap();
        fs::create_dir(path.join("undo")).unwrap();
        fs::write(path.join("undo/secret"), "value").unwrap();
        sweep(records.path()).unwrap();
        assert!(!path.exists());
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "mine");
        assert_eq!(count(&records), 0);
    }

    #[test]
    fn a_folder_or_a_link_that_took_its_place_stays() {
        for is_link in [false, true] {
            let (within, records) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let (path, aside) = (left(&within, &records), within.path().join("aside"));
            fs::rename(&path, &aside).unwrap();
            if is_link { symlink(&aside, &path) } else { fs::create_dir(&path) }.unwrap();
            sweep(records.path()).unwrap();
            assert!(fs::symlink_metadata(&path).is_ok());
            assert!(aside.join("secret").exists());
            assert_eq!(count(&records), 0);
        }
    }

    #[test]
    fn only_a_path_that_is_noted_as_that_of_a_folder_removes_one() {
        let (within, records) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let path = left(&within, &records);
        let record = fs::read_dir(records.path()).unwrap().next().unwrap().unwrap().path();
        let text = fs::read_to_string(&record).unwrap();
        fs::write(&record, text.replace("/folder/\n", "/folder\n")).unwrap();
        sweep(records.path()).unwrap();
        assert!(path.join("secret").exists());
    }
}
