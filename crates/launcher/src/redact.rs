//! `se redact`: standard input to standard output, with the secrets replaced that the environment, env files, flags or
//! patterns refer to.

use std::collections::HashSet;
use std::ffi::{CStr, c_int};
use std::panic;
use std::sync::Arc;

use keychain_core::{Code, Error};
use process_core::{MaskSet, github_masks, redact_stream, unmasked_warning, write_to};

use crate::arguments::{Arguments, Flag, Takes};
use crate::output::{Quiet, is_open};
use crate::report::{is_coloured, report};
use crate::request::{self, ENV_FLAGS, Request};
use crate::resolve::resolve;
use crate::start::Start;

/// What is done here of the flags in `src/cli/commands/redact.ts`.
const FLAGS: &[Flag] = &[
    Flag { name: "pattern", short: None, takes: Takes::Value },
    Flag { name: "github", short: None, takes: Takes::Nothing },
];

/// The exit statuses of a wrong input, and of everything else.
const UNREADABLE: c_int = 2;
const FAILED: c_int = 1;

/// Filters standard input, or answers that it is to be handed over. When it has begun, failures are told here.
pub(crate) fn redact(start: Start, words: &[&CStr]) -> Option<c_int> {
    let arguments = Arguments::parse(&[ENV_FLAGS, FLAGS], false, words)?;
    if !arguments.positionals.is_empty() || !is_open(libc::STDIN_FILENO) || !is_open(libc::STDOUT_FILENO) {
        return None;
    }
    let references = references(&arguments, &request::read(start, &arguments)?);
    if references.is_empty() {
        return None;
    }
    let groups: Vec<&str> = references.iter().map(String::as_str).collect();
    let resolved = resolve(start, &[], &groups)?;
    let values: Vec<(String, &[u8])> =
        resolved.all().map(|secret| (secret.id.clone(), secret.value.as_bytes())).collect();
    let (set, unmasked) = MaskSet::new(&values);
    let masks = arguments.has("github").then(|| {
        let values: Vec<&[u8]> = values.iter().map(|(_, value)| *value).collect();
        github_masks(&values)
    });
    drop(values);
    drop(resolved);
    // Nothing is handed over from here on.
    drop(panic::take_hook());
    let _quiet = Quiet::begin();
    let tell = |error: &Error| report(error, is_coloured(|name| start.bytes(name)));
    let masked = masks.map_or(Ok(()), |masks| write_to(libc::STDOUT_FILENO, masks.as_bytes()));
    if let Some(warning) = unmasked_warning(&unmasked) {
        tell(&warning);
    }
    let ended = masked.and_then(|()| redact_stream(libc::STDIN_FILENO, libc::STDOUT_FILENO, Arc::new(set)));
    let Err(error) = ended else { return Some(0) };
    tell(&error);
    Some(if error.code() == Code::InvalidOption { UNREADABLE } else { FAILED })
}

/// The references, each once: the patterns, then the variables, then the groups. With patterns, nothing that only the
/// environment refers to.
fn references(arguments: &Arguments<'_>, request: &Request) -> Vec<String> {
    let Request { environment, groups, assigned, of_files } = request;
    let patterns: Vec<String> = arguments.values("pattern").map(str::to_owned).collect();
    let is_asked = |name: &String| patterns.is_empty() || assigned.contains(name) || of_files.contains(name);
    let variables = environment.references().into_iter().filter(|reference| is_asked(&reference.name));
    let all = variables.map(|reference| reference.text).chain(groups.iter().map(|group| group.reference.clone()));
    let mut present = HashSet::new();
    patterns.iter().cloned().chain(all).filter(|reference| present.insert(reference.clone())).collect()
}
