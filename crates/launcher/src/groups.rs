//! Groups: references that set one variable for each secret that they name, as `src/deliver/groups.ts` and `group-name.ts`
//! have it (one file of vectors is read by both). A name that is wrong, or that two secrets have, is JavaScript's to tell.

use process_core::Environment;

/// A group as it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) reference: String,
    /// What stands before the names of its variables.
    pub(crate) prefix: String,
}

/// Whether a text may stand before the names of a group.
pub(crate) fn is_prefix(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The name of the variable for a secret. None: the pattern does not match the id.
pub(crate) fn name(pattern: &str, id: &str, prefix: &str) -> Option<String> {
    let tokens: Vec<&str> = pattern.split('/').collect();
    let components: Vec<&str> = id.split('/').collect();
    let open = left_open(&tokens, &components)?.join("/");
    let named = if open.is_empty() { components.last()? } else { open.as_str() };
    let letters = named.chars().map(|letter| match letter.to_ascii_uppercase() {
        letter @ ('A'..='Z' | '0'..='9' | '_') => letter,
        _ => '_',
    });
    Some(prefix.chars().chain(letters).collect())
}

/// Whether a variable of this name cannot come from a group.
pub(crate) fn is_wrong(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let is_withheld = Environment::withholds(upper.as_bytes());
    name.starts_with(|first: char| first.is_ascii_digit()) || is_withheld || name.ends_with("_FILE")
}

/// The components of an id that the wildcards of a pattern match. Where the pattern fits in several ways, what it spells
/// out is found as early as possible: on a mismatch the last `**` takes one component more.
fn left_open<'i>(tokens: &[&str], components: &[&'i str]) -> Option<Vec<&'i str>> {
    /// Where a `**` stands, what it may take next, and what was open before that.
    struct Retry {
        token: usize,
        at: usize,
        open: usize,
    }
    let mut open = Vec::new();
    let (mut token, mut at) = (0, 0);
    let mut retry: Option<Retry> = None;
    while token < tokens.len() || at < components.len() {
        match (tokens.get(token), components.get(at)) {
            (Some(&"**"), _) => {
                token += 1;
                retry = Some(Retry { token, at, open: open.len() });
            }
            (Some(wanted), Some(component)) if *wanted == "*" || wanted == component => {
                if *wanted == "*" {
                    open.push(*component);
                }
                token += 1;
                at += 1;
            }
            _ => {
                let last = retry.as_mut()?;
                let taken = components.get(last.at)?;
                open.truncate(last.open);
                open.push(*taken);
                *last = Retry { token: last.token, at: last.at + 1, open: open.len() };
                (token, at) = (last.token, last.at);
            }
        }
    }
    Some(open)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        prefixes: Vec<Prefix>,
        names: Vec<Named>,
    }

    #[derive(Deserialize)]
    struct Prefix {
        text: String,
        good: bool,
    }

    #[derive(Deserialize)]
    struct Named {
        what: String,
        pattern: String,
        id: String,
        #[serde(default)]
        prefix: String,
        name: String,
        problem: Option<String>,
    }

    #[test]
    fn names_and_prefixes_are_as_the_vectors_say() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../../../__test__/vectors/group-names.json")).unwrap();
        for Prefix { text, good } in vectors.prefixes {
            assert_eq!(is_prefix(&text), good, "{text:?}");
        }
        for Named { what, pattern, id, prefix, name: expected, problem } in vectors.names {
            let found = name(&pattern, &id, &prefix).unwrap();
            assert_eq!((found.as_str(), is_wrong(&found)), (expected.as_str(), problem.is_some()), "{what}");
        }
        assert_eq!(name("a/*", "b/c", ""), None);
    }
}
