//! `se __supervise FD -- COMMAND…`: the parent of a command, in place of the command line that resolved its secrets.
//! The variables of this process are the command's, and the descriptor holds the plan.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use keychain_core::{Code, Error, Result};
use process_core::Environment;
use process_core::supervise::{Command, Plan, end_as, supervise};

use crate::FAILED;

/// The statuses of every shell for a command that cannot be started.
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// Runs the command that the words after `__supervise` name, and ends as it does.
pub(crate) fn run(words: impl Iterator<Item = OsString>) -> ExitCode {
    let error = match start(words) {
        Ok(ended) => end_as(ended),
        Err(error) => error,
    };
    report(&error);
    ExitCode::from(match error.code() {
        Code::CommandNotFound => NOT_FOUND,
        Code::CommandNotExecutable => NOT_EXECUTABLE,
        _ => FAILED,
    })
}

fn start(mut words: impl Iterator<Item = OsString>) -> Result<process_core::supervise::Ended> {
    let wrong =
        || Error::new(Code::InvalidOption, "this is started by se itself, with a plan").with_hint("se help run");
    let fd = words.next().and_then(|fd| fd.to_str()?.parse().ok()).ok_or_else(wrong)?;
    if words.next().as_deref() != Some(OsStr::new("--")) {
        return Err(wrong());
    }
    let plan = Plan::from_descriptor(fd)?;
    let command = Command { arguments: words.map(OsString::into_vec).collect(), environment: Environment::current()? };
    supervise(plan, command, report)
}

/// Prints a failure as the JavaScript command line does.
fn report(error: &Error) {
    let mut stderr = io::stderr();
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let has_colour = stderr.is_terminal() && !is_set("NO_COLOR") && !is_dumb;
    let name = if has_colour { "\x1b[31mse:\x1b[39m" } else { "se:" };
    let hint = error.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    // Nobody is left to be told.
    let _ = stderr.write_all(format!("{name} {error}\n{hint}").as_bytes());
}
