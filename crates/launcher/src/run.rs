//! `se run`: this process becomes the command, with its references resolved.

use std::ffi::{CStr, c_int};

use process_core::Environment;

use crate::arguments::{Arguments, Flag};
use crate::resolve::resolve;
use crate::start::Start;
use crate::{env_file, files};

/// What is done here of the flags in `src/cli/env-flags.ts` and `src/cli/commands/run.ts`.
const FLAGS: &[Flag] = &[
    Flag { name: "env-file", short: Some(b'f'), value: true },
    Flag { name: "env", short: Some(b'e'), value: true },
    // The failure of a plugin is never passed over here.
    Flag { name: "strict", short: None, value: false },
];

/// Becomes the command, or answers that it is to be handed over.
pub(crate) fn run(start: Start, words: &[&CStr]) -> Option<c_int> {
    let arguments = Arguments::parse(FLAGS, true, words)?;
    let command: Vec<Vec<u8>> = arguments.rest.iter().map(|word| word.to_bytes().to_vec()).collect();
    if command.is_empty() {
        return None;
    }
    let mut environment =
        Environment::from_strings(start.variables.iter().map(|variable| variable.to_bytes().to_vec()).collect());
    for path in arguments.values("env-file") {
        for (name, value) in env_file::parse(&files::read(path)??.text)? {
            environment.set(&name, value.as_bytes());
        }
    }
    for assignment in arguments.values("env") {
        let (name, reference) = assignment.split_once('=')?;
        if name.is_empty() || !reference.starts_with("se://") || is_passphrase(name) {
            return None;
        }
        environment.set(name, reference.as_bytes());
    }
    let references = environment.references();
    if !references.is_empty() {
        // It means a file.
        if references.iter().any(|reference| reference.name.ends_with("_FILE")) {
            return None;
        }
        let texts: Vec<&str> = references.iter().map(|reference| reference.text.as_str()).collect();
        let resolved = resolve(start, &texts)?;
        for (reference, (_, value)) in references.iter().zip(resolved.iter()) {
            environment.bind(reference.index, value.as_bytes());
        }
    }
    if environment.problems(&command).is_empty() {
        // It returns when there is no such command.
        let _ = process_core::exec_untouched(&command, &environment);
    }
    None
}

/// Whether the variable may not be set, since it never reaches a command.
fn is_passphrase(name: &str) -> bool {
    name.strip_prefix("SE_").is_some_and(|rest| rest.contains("PASSPHRASE"))
}
