//! Asks a person at the terminal for a value that is not shown while it is typed.

use keychain_core::{Code, Error, Result, SecretBytes};

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix::Terminal;
#[cfg(windows)]
use windows::Terminal;

/// How often two entries may differ before we give up.
const TRIES: usize = 3;

/// Asks at the process's terminal (`/dev/tty`; on Windows the console), wherever the standard streams lead, and
/// blocks until the person has answered. With `confirm` the value is asked for again under that text, up to three
/// times until both are the same. Echo is off meanwhile, and on again whichever way it ends, by a signal too.
///
/// No terminal → `InteractionRequired`; dismissed (Ctrl-D on an empty line), or never twice the same →
/// `PromptDismissed`; several lines at once (pasted), or more than 64 KiB → `InvalidOption`.
pub fn prompt(text: &str, confirm: Option<&str>) -> Result<SecretBytes> {
    let mut terminal = Terminal::open().map_err(|error| {
        Error::new(Code::InteractionRequired, "a person must be asked, and there is no terminal").with_source(error)
    })?;
    for _ in 0..TRIES {
        let value = terminal.ask(text)?;
        let Some(again) = confirm else {
            terminal.expect_nothing_more()?;
            return Ok(value);
        };
        let same = terminal.ask(again)?.equals(value.as_bytes());
        terminal.expect_nothing_more()?;
        if same {
            return Ok(value);
        }
        terminal.say("The two are not the same.\n");
    }
    Err(Error::new(Code::PromptDismissed, "the two entries were never the same").with_hint("try again, or pipe it in"))
}

fn dismissed() -> Error {
    Error::new(Code::PromptDismissed, "the prompt was dismissed")
}

fn too_long() -> Error {
    Error::new(Code::InvalidOption, "the line is too long to be typed").with_hint("give the value by standard input")
}

fn several_lines() -> Error {
    Error::new(Code::InvalidOption, "several lines were entered where one was asked for")
        .with_hint("give a value of several lines by standard input")
}
