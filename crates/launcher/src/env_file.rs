//! Env files, read as `src/deliver/env-file.ts` reads them (one file of vectors is read by both). A fault is JavaScript's
//! to tell.

use crate::groups::{Group, is_prefix};
use crate::request::SCHEME;

/// What a file says: its variables and groups in order, a repeated name as often as it is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvFile {
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) groups: Vec<Group>,
}

/// Takes the text of a file apart. None: something is wrong with it.
pub(crate) fn parse(text: &str) -> Option<EnvFile> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut file = EnvFile::default();
    let mut lines = text.split('\n');
    while let Some(line) = lines.next() {
        let trimmed = trim(line);
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if trimmed.contains(is_control) {
            return None;
        }
        match trimmed.starts_with('@') {
            true => file.groups.push(read_group(trimmed)?),
            false => file.variables.push(read_variable(line, &mut lines)?),
        }
    }
    Some(file)
}

/// `@from REF` with `prefix=NAME` behind it or not, and a comment or not.
fn read_group(line: &str) -> Option<Group> {
    let line = line.split_once(" #").map_or(line, |(line, _)| line);
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    if words.next() != Some("@from") {
        return None;
    }
    let reference = words.next().filter(|reference| reference.starts_with(SCHEME))?.to_owned();
    let prefix = match words.next() {
        None => String::new(),
        Some(word) => word.strip_prefix("prefix=").filter(|prefix| is_prefix(prefix))?.to_owned(),
    };
    words.next().is_none().then_some(Group { reference, prefix })
}

/// The variable that begins at a line. A quoted value takes more lines.
fn read_variable<'t>(whole: &'t str, more: &mut impl Iterator<Item = &'t str>) -> Option<(String, String)> {
    let line = trim(whole);
    let (name, value) = line.split_once('=')?;
    let name = trim(name);
    let name = name.strip_prefix("export ").unwrap_or(name);
    if !is_name(name) {
        return None;
    }
    let value = trim(value);
    if value.starts_with('\t') || value.ends_with('\t') {
        return None;
    }
    let value = match value.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => {
            // Spaces at the end of the line belong to the value when that goes on.
            let (_, value) = whole.split_once('=')?;
            read_quoted(value.split_once(quote)?.1, more, quote)?
        }
        _ => match value.find('#') {
            Some(at) if at > 0 && !value[..at].ends_with(' ') => return None,
            Some(at) => plain(trim(&value[..at]))?,
            None => plain(value)?,
        },
    };
    Some((name.to_owned(), value))
}

fn plain(value: &str) -> Option<String> {
    (!value.ends_with('\t')).then(|| value.to_owned())
}

/// A value up to its closing quote. `line` follows the opening one.
fn read_quoted<'t>(mut line: &'t str, more: &mut impl Iterator<Item = &'t str>, quote: char) -> Option<String> {
    let mut value = String::new();
    loop {
        if line.contains(is_control) {
            return None;
        }
        let Some((last, after)) = line.split_once(quote) else {
            value.push_str(line);
            value.push('\n');
            line = more.next()?;
            continue;
        };
        let after = trim(after);
        if !after.is_empty() && !after.starts_with('#') {
            return None;
        }
        value.push_str(last);
        return Some(if quote == '"' { value.replace("\\n", "\n") } else { value });
    }
}

fn is_control(character: char) -> bool {
    matches!(character, '\0' | '\r')
}

fn is_name(name: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_') && name.bytes().all(inside)
}

fn trim(text: &str) -> &str {
    text.trim_matches(' ')
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// One file, and what it says; without variables it has a fault.
    #[derive(Deserialize)]
    struct Vector {
        text: String,
        variables: Option<Vec<(String, String)>>,
        /// References and prefixes.
        #[serde(default)]
        groups: Vec<(String, String)>,
    }

    #[test]
    fn files_are_read_as_the_vectors_say() {
        let vectors: Vec<Vector> =
            serde_json::from_str(include_str!("../../../__test__/vectors/env-files.json")).unwrap();
        assert!(vectors.len() > 30);
        for Vector { text, variables, groups } in vectors {
            let groups = groups.into_iter().map(|(reference, prefix)| Group { reference, prefix }).collect();
            assert_eq!(parse(&text), variables.map(|variables| EnvFile { variables, groups }), "{text:?}");
        }
    }
}
