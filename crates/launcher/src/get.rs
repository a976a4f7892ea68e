//! `se get`: shows that a secret is there, or gives its value out.

use std::ffi::{CStr, c_int};

use pattern_matcher::Id;

use crate::arguments::{Arguments, Flag};
use crate::resolve::resolve;
use crate::start::Start;

/// What is done here of the flags in `src/cli/commands/get.ts`.
const FLAGS: &[Flag] = &[Flag { name: "reveal", short: Some(b'r'), value: false }];

/// Prints what was asked for, or answers that it is to be handed over.
pub(crate) fn get(start: Start, words: &[&CStr]) -> Option<c_int> {
    let arguments = Arguments::parse(FLAGS, false, words)?;
    let [id] = arguments.positionals[..] else { return None };
    Id::parse(id).ok()?;
    // Closed, its number would be that of the next descriptor.
    // SAFETY: fcntl with integers.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } < 0 {
        return None;
    }
    let resolved = resolve(start, &[&format!("se://{id}")], &[])?;
    let secret = resolved.references().next()?;
    let _quiet = Quiet::begin();
    if !arguments.has("reveal") {
        write(format!("ID: {}\nValue: **********\n", secret.id).as_bytes())?;
        return Some(0);
    }
    write(secret.value.as_bytes())?;
    // SAFETY: isatty takes an integer.
    if unsafe { libc::isatty(libc::STDOUT_FILENO) } == 1 {
        write(b"\n")?;
    }
    Some(0)
}

/// Writes to standard output. None: that failed, and fails again for JavaScript, which tells why.
fn write(bytes: &[u8]) -> Option<()> {
    process_core::write_to(libc::STDOUT_FILENO, bytes).ok()
}

/// A reader that goes away is no failure, and must not end this process.
struct Quiet(libc::sighandler_t);

impl Quiet {
    fn begin() -> Self {
        // SAFETY: an ignored signal runs no code.
        Self(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: what was there before: ignored, or the default.
        unsafe { libc::signal(libc::SIGPIPE, self.0) };
    }
}
