//! Whether the tables of `config.toml` are as `src/config/tables.ts` wants them. Only a daemon needs what they say.

use pattern_matcher::Pattern;
use toml::{Table, Value};

use super::MAX_TIMEOUT_MS;

/// Checks the tables. None: JavaScript says what is wrong.
pub(crate) fn check(plugins: Option<&Value>, daemon: Option<&Value>) -> Option<()> {
    let are_plugins = plugins.is_none_or(|plugins| is_table(plugins, is_plugin));
    (are_plugins && daemon.is_none_or(|daemon| is_table(daemon, is_daemon_setting))).then_some(())
}

fn is_plugin(name: &str, plugin: &Value) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_name = (1..=128).contains(&name.len()) && name.bytes().all(is_sign) && name != "docker-pass";
    is_name && plugin.get("command").is_some() && is_table(plugin, is_plugin_setting)
}

fn is_plugin_setting(key: &str, value: &Value) -> bool {
    match key {
        "command" => match value {
            Value::Array(words) => is_list(value, is_argument) && words.first().is_some_and(is_text),
            value => is_text(value),
        },
        "args" => is_list(value, is_argument),
        "env" => is_table(value, is_variable),
        "pattern" => value.as_str().is_some_and(|text| Pattern::parse(text).is_ok()),
        "protocol" => matches!(value.as_str(), Some("session" | "lines")),
        "timeout_ms" | "cache_ttl_ms" => is_number(value, 1, MAX_TIMEOUT_MS),
        _ => false,
    }
}

fn is_daemon_setting(key: &str, value: &Value) -> bool {
    match key {
        "addresses" | "priority" => is_list(value, is_text),
        "allowed_uids" => is_list(value, |value| is_number(value, 0, u64::from(u32::MAX) - 1)),
        "idle_exit_seconds" => is_number(value, 1, MAX_TIMEOUT_MS / 1000),
        _ => false,
    }
}

fn is_variable(name: &str, value: &Value) -> bool {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let ours = name.starts_with("SE_") || name == "DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG";
    is_name && !ours && is_argument(value)
}

fn is_table(value: &Value, is: impl Fn(&str, &Value) -> bool) -> bool {
    value.as_table().is_some_and(|table: &Table| table.iter().all(|(key, value)| is(key, value)))
}

fn is_text(value: &Value) -> bool {
    is_argument(value) && value.as_str() != Some("")
}

fn is_argument(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.contains('\0'))
}

fn is_number(value: &Value, min: u64, max: u64) -> bool {
    value.as_integer().is_some_and(|number| u64::try_from(number).is_ok_and(|number| (min..=max).contains(&number)))
}

fn is_list(value: &Value, is: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> bool {
        let file: Table = text.parse().unwrap();
        check(file.get("plugins"), file.get("daemon")).is_some()
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
            "plugins = 1",
            "[[daemon]]",
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
            "[plugins.a]\ncommand = \"x\"\n[plugins.a.env]\nA-B = \"x\"",
            "[plugins.a]\ncommand = \"x\"\nargs = [\"\\u0000\"]",
            "[plugins.a.b]\ncommand = \"x\"",
            "[plugins.\"a b\"]\ncommand = \"x\"",
        ] {
            assert!(!checked(text), "{text}");
        }
    }
}
