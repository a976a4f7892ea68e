//! Which program a process runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result};

/// A program that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name of its file; where that may not be seen, the name that the process has.
    pub name: String,
    /// The path of its file as it was started. None where it may not be seen: another user's, or one that hides itself.
    pub path: Option<PathBuf>,
}

/// The program of a process. No such process → `NotFound`. A number may belong to another process by now: ask while the
/// one that is meant is known to run.
///
/// Source: Linux `/proc/<pid>/exe` and `comm`; macOS `proc_pidpath` and `proc_name`.
pub fn program_of(pid: u32) -> Result<Program> {
    let path = system::path(pid);
    let name = path.as_deref().and_then(Path::file_name).map(OsStr::to_string_lossy).map(String::from);
    match name.or_else(|| system::name(pid)) {
        Some(name) => Ok(Program { name, path }),
        None => Err(Error::new(Code::NotFound, format!("there is no process {pid}")).with_detail("pid", pid)),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    pub(super) fn path(pid: u32) -> Option<PathBuf> {
        let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        // The system's own mark on a file that was removed, as an upgrade does.
        let path = path.as_os_str().as_bytes();
        Some(OsStr::from_bytes(path.strip_suffix(b" (deleted)").unwrap_or(path)).into())
    }

    pub(super) fn name(pid: u32) -> Option<String> {
        let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
        Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::ffi::{OsStr, c_void};
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    fn ask(pid: u32, ask: unsafe extern "C" fn(libc::c_int, *mut c_void, u32) -> libc::c_int) -> Option<Vec<u8>> {
        let mut text = vec![0_u8; libc::PROC_PIDPATHINFO_MAXSIZE as usize];
        // SAFETY: the text is as long as is said, and both functions write no more than that.
        let length = unsafe { ask(i32::try_from(pid).ok()?, text.as_mut_ptr().cast(), text.len() as u32) };
        text.truncate(usize::try_from(length).ok().filter(|length| *length > 0)?);
        Some(text)
    }

    pub(super) fn path(pid: u32) -> Option<PathBuf> {
        ask(pid, libc::proc_pidpath).map(|path| OsStr::from_bytes(&path).into())
    }

    pub(super) fn name(pid: u32) -> Option<String> {
        ask(pid, libc::proc_name).map(|name| String::from_utf8_lossy(&name).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_this_test() {
        let own = std::env::current_exe().unwrap();
        let found = program_of(std::process::id()).unwrap();
        assert_eq!(found.path.as_deref(), Some(&*own));
        assert_eq!(found.name, own.file_name().unwrap().to_string_lossy());
    }

    #[test]
    fn a_process_that_is_not_there_is_not_found() {
        assert_eq!(program_of(i32::MAX as u32).unwrap_err().code(), Code::NotFound);
    }
}
