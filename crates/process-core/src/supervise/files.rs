//! Files that are there while a command runs: how a plan carries them, and when they come and go.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use keychain_core::{Result, SecretBytes};

use super::plan::Fields;
pub use crate::secret_file::WATCH;
use crate::secret_file::{Access, PathFile, PlacedFiles, WatcherProgram};

pub(super) fn fields(file: &PathFile) -> Vec<Cow<'_, [u8]>> {
    let mut fields = vec![Cow::Borrowed(file.path.as_os_str().as_bytes())];
    fields.extend(file.access.to_numbers().map(|number| Cow::Owned(number.to_le_bytes().into())));
    fields.push(Cow::Borrowed(file.value.as_bytes()));
    fields
}

pub(super) fn from_fields(fields: &mut Fields<'_>) -> Option<PathFile> {
    Some(PathFile {
        path: PathBuf::from(OsStr::from_bytes(fields.field()?)),
        access: Access::from_numbers([fields.number()?, fields.number()?, fields.number()?]),
        value: SecretBytes::copy_from(fields.field()?),
    })
}

/// Puts files in their places, before the command starts, and notes them in the folder `records`.
pub(super) fn place(files: &[PathFile], records: &Path) -> Result<PlacedFiles> {
    let path = if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() };
    let path = path.map_err(super::system_failure("the look for this program"))?;
    PlacedFiles::place(files, records, &WatcherProgram::launcher(path))
}
