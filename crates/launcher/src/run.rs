//! `se run`: this process becomes the command, with its references resolved.

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, c_int};

use process_core::Environment;
use wire_core::Envelope;

use crate::arguments::{Arguments, Flag};
use crate::groups::{self, Group, is_prefix};
use crate::resolve::{Resolved, resolve};
use crate::start::Start;
use crate::{env_file, files};

const SCHEME: &str = "se://";

/// What is done here of the flags in `src/cli/env-flags.ts` and `src/cli/commands/run.ts`.
const FLAGS: &[Flag] = &[
    Flag { name: "env-file", short: Some(b'f'), value: true },
    Flag { name: "env", short: Some(b'e'), value: true },
    Flag { name: "env-from", short: None, value: true },
    Flag { name: "prefix", short: None, value: true },
    Flag { name: "override", short: None, value: false },
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
    let mut groups = Vec::new();
    for path in arguments.values("env-file") {
        let file = env_file::parse(&files::read(path)??.text)?;
        for (name, value) in file.variables {
            environment.set(&name, value.as_bytes());
        }
        groups.extend(file.groups);
    }
    let mut assigned = HashSet::new();
    for assignment in arguments.values("env") {
        let (name, reference) = assignment.split_once('=')?;
        if name.is_empty() || !reference.starts_with(SCHEME) || is_passphrase(name) {
            return None;
        }
        environment.set(name, reference.as_bytes());
        assigned.insert(name);
    }
    groups.extend(groups_of(&arguments)?);
    let references = environment.references();
    if !references.is_empty() || !groups.is_empty() {
        // It means a file.
        if references.iter().any(|reference| reference.name.ends_with("_FILE")) {
            return None;
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
        for (reference, secret) in references.iter().zip(resolved.references()) {
            environment.bind(reference.index, secret.value.as_bytes());
        }
        for (name, secret) in variables {
            environment.set(&name, secret.value.as_bytes());
        }
    }
    if environment.problems(&command).is_empty() {
        // It returns when there is no such command.
        let _ = process_core::execute(&command, &environment);
    }
    None
}

/// The groups of the flags.
fn groups_of(arguments: &Arguments<'_>) -> Option<Vec<Group>> {
    let prefixes: Vec<&str> = arguments.values("prefix").collect();
    let prefix = match prefixes[..] {
        [] => "",
        [prefix] if is_prefix(prefix) && arguments.has("env-from") => prefix,
        _ => return None,
    };
    let references = arguments.values("env-from").map(|reference| {
        let group = Group { reference: reference.to_owned(), prefix: prefix.to_owned() };
        reference.starts_with(SCHEME).then_some(group)
    });
    references.collect()
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

/// Whether the variable may not be set, since it never reaches a command.
fn is_passphrase(name: &str) -> bool {
    name.strip_prefix("SE_").is_some_and(|rest| rest.contains("PASSPHRASE"))
}
