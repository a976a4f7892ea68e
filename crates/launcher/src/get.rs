//! `se get`: shows that a secret is there, or gives its value out.

use std::ffi::{CStr, c_int};

use pattern_matcher::Id;

use crate::arguments::{Arguments, Flag, Takes};
use crate::output::{Quiet, is_open};
use crate::resolve::resolve;
use crate::start::Start;

/// What is done here of the flags in `src/cli/commands/get.ts`.
const FLAGS: &[Flag] = &[Flag { name: "reveal", short: Some(b'r'), takes: Takes::Nothing }];

/// Prints what was asked for, or answers that it is to be handed over.
pub(crate) fn get(start: Start, words: &[&CStr]) -> Option<c_int> {
    let arguments = Arguments::parse(&[FLAGS], false, words)?;
    let [id] = arguments.positionals[..] else { return None };
    Id::parse(id).ok()?;
    if !is_open(libc::STDOUT_FILENO) {
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
