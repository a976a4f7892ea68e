//! What `run` and `redact` are asked for: the process's own environment, env files over it, single assignments over those,
//! and groups, as `src/cli/env-flags.ts` and `src/deliver/launch.ts` have it.

use std::collections::HashSet;

use process_core::Environment;

use crate::arguments::{Arguments, Flag, Takes};
use crate::groups::{Group, is_prefix};
use crate::start::Start;
use crate::{env_file, files};

/// What a reference begins with.
pub(crate) const SCHEME: &str = "se://";

/// What is done here of the flags that both have.
pub(crate) const ENV_FLAGS: &[Flag] = &[
    Flag { name: "env-file", short: Some(b'f'), takes: Takes::Value },
    Flag { name: "env", short: Some(b'e'), takes: Takes::Value },
    Flag { name: "env-from", short: None, takes: Takes::Value },
    Flag { name: "prefix", short: None, takes: Takes::Value },
    Flag { name: "override", short: None, takes: Takes::Nothing },
    // The failure of a plugin is never passed over here.
    Flag { name: "strict", short: None, takes: Takes::Nothing },
];

/// An environment before anything is resolved.
pub(crate) struct Request {
    pub(crate) environment: Environment,
    /// Those of the env files first.
    pub(crate) groups: Vec<Group>,
    /// The variables of `-e`.
    pub(crate) assigned: HashSet<String>,
    /// The variables of env files.
    pub(crate) of_files: HashSet<String>,
}

/// Reads everything that is asked for. None: something is wrong with it, or unusual.
pub(crate) fn read(start: Start, arguments: &Arguments<'_>) -> Option<Request> {
    let variables = start.variables.iter().map(|variable| variable.to_bytes().to_vec()).collect();
    let mut environment = Environment::from_strings(variables);
    let (mut assigned, mut of_files) = (HashSet::new(), HashSet::new());
    let mut groups = Vec::new();
    for path in arguments.values("env-file") {
        let file = env_file::parse(&files::read(path)??.text)?;
        for (name, value) in file.variables {
            environment.set(&name, value.as_bytes());
            of_files.insert(name);
        }
        groups.extend(file.groups);
    }
    for assignment in arguments.values("env") {
        let (name, reference) = assignment.split_once('=')?;
        if name.is_empty() || !reference.starts_with(SCHEME) || Environment::withholds(name.as_bytes()) {
            return None;
        }
        environment.set(name, reference.as_bytes());
        assigned.insert(name.to_owned());
    }
    groups.extend(groups_of(arguments)?);
    Some(Request { environment, groups, assigned, of_files })
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
