//! The parent of a command. `se __supervise FD -- COMMAND…` is it in place of the JavaScript command line that resolved
//! the secrets: the variables of this process are the command's, and the descriptor holds the plan.

use std::ffi::{CStr, OsStr, c_int};
use std::os::unix::ffi::OsStrExt;
use std::panic;
use std::path::Path;

use keychain_core::{Code, Error, Result};
use process_core::Environment;
use process_core::supervise::{Command, Plan, end_as, supervise};

use crate::hand_over::RUN_FAILED;
use crate::report::{is_coloured, report};
use crate::start::Start;

/// The statuses of every shell for a command that cannot be started.
const NOT_EXECUTABLE: c_int = 126;
const NOT_FOUND: c_int = 127;

/// Runs the command that the words after `__supervise` name, and ends as it does.
pub(crate) fn run(begun: Start, words: &[&CStr]) -> c_int {
    match read(words) {
        Ok((plan, command)) => start(plan, command),
        Err(error) => {
            report(&error, is_coloured(|name| begun.bytes(name)));
            RUN_FAILED
        }
    }
}

fn read(words: &[&CStr]) -> Result<(Plan, Command)> {
    let wrong =
        || Error::new(Code::InvalidOption, "this is started by se itself, with a plan").with_hint("se help run");
    let [fd, dashes, words @ ..] = words else { return Err(wrong()) };
    let fd = fd.to_str().ok().and_then(|fd| fd.parse().ok()).ok_or_else(wrong)?;
    if dashes.to_bytes() != b"--" {
        return Err(wrong());
    }
    let arguments = words.iter().map(|word| word.to_bytes().to_vec()).collect();
    let environment = Environment::current()?;
    // Before there are more values than those of the variables.
    process_core::harden();
    Ok((Plan::from_descriptor(fd)?, Command { arguments, environment }))
}

/// Runs a command as its plan says, and ends as it does. Nothing is handed over from here on.
pub(crate) fn start(plan: Plan, command: Command) -> c_int {
    drop(panic::take_hook());
    // Looked up now: while the command runs, this process has no variables.
    let is_coloured = is_coloured(|name| command.environment.get(name));
    let tell = |error: &Error| report(error, is_coloured);
    let error = match supervise(plan, command, tell) {
        Ok(ended) => end_as(ended),
        Err(error) => error,
    };
    tell(&error);
    match error.code() {
        Code::CommandNotFound => NOT_FOUND,
        Code::CommandNotExecutable => NOT_EXECUTABLE,
        _ => RUN_FAILED,
    }
}

/// Outlives the parent of a command, to remove its files. Nobody is there to be told of a failure.
pub(crate) fn watch(words: &[&CStr]) -> c_int {
    let watched = words.first().map(|record| process_core::watch(Path::new(OsStr::from_bytes(record.to_bytes()))));
    if matches!(watched, Some(Ok(()))) { 0 } else { RUN_FAILED }
}
