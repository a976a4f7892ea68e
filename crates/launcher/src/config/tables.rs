//! Whether the tables of `config.toml` are as `src/config/tables.ts` wants them. Only a daemon needs what they say.

use std::collections::BTreeMap;

use pattern_matcher::Pattern;

use super::MAX_TIMEOUT_MS;
use super::toml::{Table, Value};

/// Checks all tables. None: JavaScript says what is wrong.
pub(crate) fn check(tables: &BTreeMap<Vec<String>, Table>) -> Option<()> {
    for (path, table) in tables {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let right = match path[..] {
            ["daemon"] => is_daemon(table),
            ["plugins", name] => is_plugin_name(name) && is_plugin(table),
            ["plugins", name, "env"] => {
                tables.contains_key(&vec!["plugins".to_owned(), name.to_owned()]) && is_environment(table)
            }
            _ => false,
        };
        right.then_some(())?;
    }
    Some(())
}

fn is_plugin_name(name: &str) -> bool {
    name.len() <= 128 && name != "docker-pass"
}

fn is_plugin(table: &Table) -> bool {
    table.contains_key("command")
        && table.iter().all(|(key, value)| match key.as_str() {
            "command" => match value {
                Value::List(list) => is_list(value, is_argument) && list.first().is_some_and(is_text),
                value => is_text(value),
            },
            "args" => is_list(value, is_argument),
            "pattern" => matches!(value, Value::Text(text) if Pattern::parse(text).is_ok()),
            "protocol" => matches!(value, Value::Text(text) if matches!(text.as_str(), "session" | "lines")),
            "timeout_ms" | "cache_ttl_ms" => is_number(value, 1, MAX_TIMEOUT_MS),
            _ => false,
        })
}

fn is_daemon(table: &Table) -> bool {
    table.iter().all(|(key, value)| match key.as_str() {
        "addresses" | "priority" => is_list(value, is_text),
        "allowed_uids" => is_list(value, |value| is_number(value, 0, u64::from(u32::MAX) - 1)),
        "idle_exit_seconds" => is_number(value, 1, MAX_TIMEOUT_MS / 1000),
        _ => false,
    })
}

fn is_environment(table: &Table) -> bool {
    table.iter().all(|(name, value)| {
        let first = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        let ours = name.starts_with("SE_") || name == "DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG";
        first && !name.contains('-') && !ours && is_argument(value)
    })
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Text(text) if !text.is_empty())
}

fn is_argument(value: &Value) -> bool {
    matches!(value, Value::Text(_))
}

fn is_number(value: &Value, min: u64, max: u64) -> bool {
    matches!(value, Value::Number(number) if (min..=max).contains(number))
}

fn is_list(value: &Value, is: impl Fn(&Value) -> bool) -> bool {
    matches!(value, Value::List(list) if list.iter().all(is))
}

#[cfg(test)]
mod tests {
    use super::super::toml::parse;
    use super::*;

    fn checked(text: &str) -> bool {
        check(&parse(text).unwrap().tables).is_some()
    }

    #[test]
    fn tables_as_they_have_to_be_are_right() {
        assert!(checked(
            "[plugins.a]\ncommand = \"x\"\nargs = [\"\"]\npattern = \"a/**\"\nprotocol = \"lines\"\ntimeout_ms = 1\n\
             [plugins.a.env]\nA_1 = \"x\"\n[plugins.b]\ncommand = [\"x\", \"\"]\n[daemon]\naddresses = [\"@a\"]\n\
             allowed_uids = [0]\nidle_exit_seconds = 86400\npriority = []\n"
        ));
    }

    #[test]
    fn anything_else_is_left_to_javascript() {
        for text in [
            "[other]",
            "[plugins]",
            "[daemon]\nother = 1",
            "[daemon]\npriority = [1]",
            "[daemon]\naddresses = [\"\"]",
            "[daemon]\nallowed_uids = [4294967295]",
            "[daemon]\nidle_exit_seconds = 0",
            "[plugins.a]",
            "[plugins.docker-pass]\ncommand = \"x\"",
            "[plugins.a]\ncommand = []",
            "[plugins.a]\ncommand = [\"\"]",
            "[plugins.a]\ncommand = \"x\"\npattern = \"a//b\"",
            "[plugins.a]\ncommand = \"x\"\nprotocol = \"http\"",
            "[plugins.a]\ncommand = \"x\"\ntimeout_ms = true",
            "[plugins.a]\ncommand = \"x\"\nother = \"x\"",
            "[plugins.a.env]\nA = \"x\"",
            "[plugins.a]\ncommand = \"x\"\n[plugins.a.env]\nSE_PASSPHRASE = \"x\"",
            "[plugins.a]\ncommand = \"x\"\n[plugins.a.env]\n1A = \"x\"",
            "[plugins.a]\ncommand = \"x\"\n[plugins.a.env]\nA = 1",
            "[plugins.a.b]\ncommand = \"x\"",
        ] {
            assert!(!checked(text), "{text}");
        }
    }
}
