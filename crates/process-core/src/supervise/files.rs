//! Files that are there while a command runs.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use keychain_core::{Code, Error, Result, SecretBytes};

use super::plan::Fields;

/// A file with a secret in it, at a path that the command knows. Prints without its value.
pub struct PathFile {
    /// Where it is to be.
    pub path: PathBuf,
    /// Its permissions, such as `0o400`.
    pub mode: u32,
    /// What is in it.
    pub value: SecretBytes,
}

impl PathFile {
    pub(super) fn fields(&self) -> Vec<Cow<'_, [u8]>> {
        vec![
            Cow::Borrowed(self.path.as_os_str().as_bytes()),
            Cow::Owned(self.mode.to_le_bytes().into()),
            Cow::Borrowed(self.value.as_bytes()),
        ]
    }

    pub(super) fn from_fields(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            path: PathBuf::from(OsStr::from_bytes(fields.field()?)),
            mode: fields.number()?,
            value: SecretBytes::copy_from(fields.field()?),
        })
    }
}

impl fmt::Debug for PathFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PathFile").field("path", &self.path).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// The files of a plan, in their places until this is dropped.
pub(super) struct Placed;

/// Puts the files in their places, before the command starts.
pub(super) fn place(files: &[PathFile]) -> Result<Placed> {
    match files {
        [] => Ok(Placed),
        [file, ..] => Err(Error::new(Code::Unsupported, "files at paths are not delivered yet")
            .with_detail("path", file.path.display())),
    }
}

impl Placed {
    /// Removes the files, when the command has ended. What is wrong with it is told, and changes no status.
    pub(super) fn remove(self) -> Result<()> {
        Ok(())
    }
}
