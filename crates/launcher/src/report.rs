//! A failure for people, where nothing can be handed over any more.

use std::io::{self, IsTerminal, Write};

use keychain_core::Error;

/// Whether standard error is coloured, by the variables of this environment.
pub(crate) fn is_coloured<'e>(variable: impl Fn(&str) -> Option<&'e [u8]>) -> bool {
    let is_set = |name| variable(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !is_set("NO_COLOR") && variable("TERM") != Some(b"dumb")
}

/// Prints a failure as the JavaScript command line does.
pub(crate) fn report(error: &Error, is_coloured: bool) {
    let name = if is_coloured { "\x1b[31mse:\x1b[39m" } else { "se:" };
    let hint = error.hint().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    // Nobody is left to be told.
    let _ = io::stderr().write_all(format!("{name} {error}\n{hint}").as_bytes());
}
