//! The process that outlives a killed one, for as long as it takes to remove its files.
//!
//! It is a program of its own, started before there is any file: it has no secret in its memory, no variable, and none of
//! its starter's descriptors. It leads a session of its own, so that no terminal and no group reaches it, takes no signal
//! that it can refuse, and waits for nothing but the lock on the record, which the system gives away when its holder ends.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use keychain_core::{Code, Error, Result};

use super::access::own_user;
use super::record::Record;
use crate::descriptors::inheritable;
use crate::output::reason;

/// A program that calls [`watch`] with its last argument.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// What comes before the last argument.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// The launcher at this path.
    pub(crate) fn launcher(path: PathBuf) -> Self {
        Self { path, arguments: vec![WATCH.into()] }
    }
}

/// The word that has the launcher watch a record of files, which the next word names.
pub const WATCH: &str = "__watch-files";

/// Makes a record in this folder, and starts its watcher.
pub(super) fn watched_record(records: &Path, program: &Program) -> Result<Record> {
    let record = Record::create(records).map_err(|error| {
        let text = format!("what removes files after a crash cannot be noted in {}", records.display());
        Error::new(Code::OutputFailure, format!("{text}: {}", reason(&error))).with_source(error)
    })?;
    match start_watcher(program, record.path()) {
        Ok(()) => Ok(record),
        Err(error) => {
            // Without files it is a note of nothing.
            let _ = record.close();
            Err(error)
        }
    }
}

fn start_watcher(program: &Program, record: &Path) -> Result<()> {
    let failed = |error: io::Error| {
        let text = format!("what removes files after a crash cannot be started: {}", reason(&error));
        Error::new(Code::OutputFailure, text).with_source(error)
    };
    let mut command = Command::new(&program.path);
    command.arg0("se").args(&program.arguments).arg(record).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Listed here: after the fork there may be no memory to list them in.
    let inherited = inheritable().map_err(failed)?;
    // SAFETY: where this process has more threads than this one (Node), another may have held a lock at the fork. These
    // calls take none, and no memory.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            let mut all = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
            for fd in inherited.iter().filter(|fd| **fd > 2) {
                libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            Ok(())
        });
    }
    // Nobody waits for it: it outlives its starter, or is removed with it.
    command.spawn().map(drop).map_err(failed)
}

/// Waits until the process that made this record has ended, however it ended, and removes the files that it left.
pub fn watch(record: &Path) -> io::Result<()> {
    Record::take_over(record, true)?.map_or(Ok(()), Record::clear)
}

/// Removes what killed processes of this user left, where their watchers were killed too.
///
/// Call it while this process has no files or folders in place: its own record it would take for one that was left. A
/// folder of another user, or a link to one, is left alone: its owner could lead what is removed elsewhere.
pub fn sweep(records: &Path) -> io::Result<()> {
    if std::fs::symlink_metadata(records).is_ok_and(|facts| !facts.is_dir() || facts.uid() != own_user()) {
        return Ok(());
    }
    let entries = match std::fs::read_dir(records) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries.flatten() {
        // The others may still be cleared, and this one the next time.
        let _ = Record::take_over(&entry.path(), false).and_then(|record| record.map_or(Ok(()), Record::clear));
    }
    Ok(())
}
