//! `se __supervise FD -- COMMAND…`: the parent of a command, in place of the command line that resolved its secrets.
//! The variables of this process are the command's, and the descriptor holds the plan.

use std::ffi::{CStr, OsStr, c_int};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use keychain_core::{Code, Error, Result};
use process_core::Environment;
use process_core::supervise::{Command, Plan, end_as, supervise};

use crate::hand_over::RUN_FAILED;

/// The statuses of every shell for a command that cannot be started.
const NOT_EXECUTABLE: c_int = 126;
const NOT_FOUND: c_int = 127;

/// Runs the command that the words after `__supervise` name, and ends as it does.
pub(crate) fn run(words: &[&CStr]) -> c_int {
    // Looked up now: while the command runs, this process has no variables.
    let is_coloured = is_coloured();
    let tell = |error: &Error| report(error, is_coloured);
    let error = match start(words, tell) {
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

fn start(words: &[&CStr], tell: impl Fn(&Error)) -> Result<process_core::supervise::Ended> {
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
    supervise(Plan::from_descriptor(fd)?, Command { arguments, environment }, tell)
}

/// Outlives the parent of a command, to remove its files. Nobody is there to be told of a failure.
pub(crate) fn watch(words: &[&CStr]) -> c_int {
    let watched = words.first().map(|record| process_core::watch(Path::new(OsStr::from_bytes(record.to_bytes()))));
    if matches!(watched, Some(Ok(()))) { 0 } else { RUN_FAILED }
}

fn is_coloured() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// Prints a failure as the JavaScript command line does.
fn report(error: &Error, is_coloured: bool) {
    let name = if is_coloured { "\x1b[31mse:\x1b[39m" } else { "se:" };
    let hint = error.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    // Nobody is left to be told.
    let _ = io::stderr().write_all(format!("{name} {error}\n{hint}").as_bytes());
}
