//! `se run`: this process becomes the command, with its references resolved; or its parent, which masks what it writes.

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, c_int};
use std::path::Path;

use keychain_core::SecretBytes;
use process_core::Environment;
use process_core::supervise::{Command, MaskMode, Plan};
use wire_core::Envelope;

use crate::arguments::{Arguments, Flag, Takes};
use crate::groups::{self, Group};
use crate::memory_files::MemoryFiles;
use crate::paths;
use crate::request::{self, ENV_FLAGS, Request, SCHEME};
use crate::resolve::{Resolved, resolve};
use crate::start::Start;
use crate::supervise;

/// What is done here of the flags in `src/cli/commands/run.ts`.
const FLAGS: &[Flag] = &[
    Flag { name: "file", short: None, takes: Takes::Value },
    Flag { name: "mask", short: None, takes: Takes::Attached("auto") },
];

/// Becomes the command or its parent, or answers that it is to be handed over.
pub(crate) fn run(start: Start, words: &[&CStr]) -> Option<c_int> {
    let arguments = Arguments::parse(&[ENV_FLAGS, FLAGS], true, words)?;
    let command: Vec<Vec<u8>> = arguments.rest.iter().map(|word| word.to_bytes().to_vec()).collect();
    if command.is_empty() {
        return None;
    }
    let mask = mask_of(&arguments)?;
    let Request { mut environment, groups, mut assigned, .. } = request::read(start, &arguments)?;
    let mut named = HashSet::new();
    for assignment in arguments.values("file") {
        let (name, reference) = read_file(assignment)?;
        if !assigned.insert(name.to_owned()) {
            return None;
        }
        environment.set(name, reference.as_bytes());
        named.insert(name);
    }
    let references = environment.references();
    let is_file = |name: &str| named.contains(name) || name.ends_with("_FILE");
    let mut files = MemoryFiles::default();
    let mut values = Vec::new();
    if !references.is_empty() || !groups.is_empty() {
        if references.iter().any(|reference| is_file(&reference.name)) {
            // What a killed process left is in nobody's way for longer than until here. A failure says nothing of ours.
            let _ = process_core::sweep(Path::new(&paths::record_folder(start)?));
        }
        let texts: Vec<&str> = references.iter().map(|reference| reference.text.as_str()).collect();
        let of_groups: Vec<&str> = groups.iter().map(|group| group.reference.as_str()).collect();
        let resolved = resolve(start, &texts, &of_groups)?;
        let given = |name: &str| match (arguments.has("override"), assigned.contains(name)) {
            (false, _) if environment.has(name) => Given::Refused,
            (true, true) => Given::Stays,
            _ => Given::Set,
        };
        let variables = name_variables(&groups, &resolved, given)?;
        let mut masked = |secret: &Envelope| {
            if mask.is_some() {
                values.push((secret.id.clone(), SecretBytes::copy_from(secret.value.as_bytes())));
            }
        };
        for (reference, secret) in references.iter().zip(resolved.references()) {
            if variables.iter().any(|(name, _)| *name == reference.name) {
                continue;
            }
            match is_file(&reference.name) {
                true => environment.bind(reference.index, files.add(secret.value.as_bytes())?.as_bytes()),
                false => environment.bind(reference.index, secret.value.as_bytes()),
            }
            masked(secret);
        }
        for (name, secret) in variables {
            environment.set(&name, secret.value.as_bytes());
            masked(secret);
        }
    }
    if !environment.problems(&command).is_empty() {
        return None;
    }
    files.pass_on();
    if mask.is_some() {
        let plan = Plan { mask, values, ..Plan::default() };
        files.leave();
        return Some(supervise::start(plan, Command { arguments: command, environment }));
    }
    // It returns when there is no such command.
    let _ = process_core::execute(&command, &environment);
    None
}

/// `NAME=REF`. A file with options is JavaScript's.
fn read_file(text: &str) -> Option<(&str, &str)> {
    let (name, reference) = text.split_once('=')?;
    let is_right = !name.is_empty()
        && reference.starts_with(SCHEME)
        && !text.contains(',')
        && !Environment::withholds(name.as_bytes());
    is_right.then_some((name, reference))
}

/// How the command is masked, if it is.
fn mask_of(arguments: &Arguments<'_>) -> Option<Option<MaskMode>> {
    let mut asked = arguments.values("mask");
    let mode = match asked.next() {
        None | Some("never") => None,
        Some("auto") => Some(MaskMode::Auto),
        Some("always") => Some(MaskMode::Always),
        Some(_) => return None,
    };
    asked.next().is_none().then_some(mode)
}

/// What a name of a group's variable means for what is there.
enum Given {
    /// Nothing is in its way.
    Set,
    /// What is there wins.
    Stays,
    /// It may not be replaced.
    Refused,
}

/// The variables of groups, in the order of the groups and of their secrets. A secret that several groups give the same
/// name is one variable.
fn name_variables<'r>(
    groups: &[Group],
    resolved: &'r Resolved,
    given: impl Fn(&str) -> Given,
) -> Option<Vec<(String, &'r Envelope)>> {
    let mut variables: Vec<(String, &Envelope)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (group, secrets) in groups.iter().zip(resolved.groups()) {
        let pattern = group.reference.strip_prefix(SCHEME)?;
        for secret in secrets {
            let name = groups::name(pattern, &secret.id, &group.prefix)?;
            match given(&name) {
                Given::Stays => continue,
                Given::Refused => return None,
                Given::Set if groups::is_wrong(&name) => return None,
                Given::Set => {}
            }
            match places.get(&name) {
                Some(place) if variables[*place].1.id == secret.id => {}
                Some(_) => return None,
                None => {
                    places.insert(name.clone(), variables.len());
                    variables.push((name, secret));
                }
            }
        }
    }
    Some(variables)
}
