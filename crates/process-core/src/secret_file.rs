//! Secrets as files, for one command and for as long as it runs.
//!
//! A [`MemoryFile`] has no name: the command inherits it, and reads it by the name of its own descriptor. A [`PathFile`]
//! has one, for programs that need it: it lies on a file system in memory, and is removed when the command ends. Should
//! this process be killed, a [watcher](watch) removes it; should both be killed, the next [`sweep`] does. A
//! [`WatchedFolder`] goes likewise, with all that is in it.

#[cfg(unix)]
mod access;
mod folder;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod path_file;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod watcher;

use std::path::PathBuf;

use keychain_core::{Code, Error};

#[cfg(unix)]
pub use access::Access;
pub(crate) use folder::WatchedFolder;
#[cfg(target_os = "linux")]
pub use memory::MemoryFile;
#[cfg(unix)]
pub use path_file::{PathFile, PlacedFiles};
#[cfg(unix)]
pub use watcher::{Program as WatcherProgram, WATCH, sweep, watch};

/// What a file is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRequest {
    /// Where it is to be. None: in memory, without a name.
    pub path: Option<PathBuf>,
    /// Read and write bits, such as 0400.
    pub mode: u32,
    /// Whom it is given to, as [`Access::new`] takes it.
    pub owner: Option<String>,
}

impl FileRequest {
    /// All that keeps the file from being made, as far as that is known without its value: what [`Access::new`] and
    /// [`PathFile::problems`] answer, and `Unsupported` for what this system does not have.
    #[cfg(unix)]
    pub fn problems(&self) -> Vec<Error> {
        let access = Access::new(self.mode, self.owner.as_deref());
        let (access, mut problems) = match access {
            Ok(access) => (access, Vec::new()),
            Err(error) => (Access::private(), vec![error]),
        };
        match &self.path {
            Some(path) => problems.extend(PathFile::problems(path, &access)),
            None if cfg!(target_os = "linux") => {}
            None => problems.push(Self::unsupported()),
        }
        problems
    }

    /// All that keeps the file from being made: Windows has neither files without a name that can be opened again, nor a
    /// file system in memory, nor a way to remove a file that is open.
    #[cfg(windows)]
    pub fn problems(&self) -> Vec<Error> {
        vec![Self::unsupported()]
    }

    /// The error for a file that this system does not have.
    pub fn unsupported() -> Error {
        let error = Error::new(Code::Unsupported, "this system has no files in memory that a command could be given");
        error.with_hint(match cfg!(windows) {
            true => "write a file that you remove yourself: se get ID --output FILE",
            false => "give the file a path in your temporary folder: --file NAME=REF,path=…",
        })
    }
}
