//! The part of TOML that people usually write into `config.toml`: comments, tables whose names need no quotes, and keys with
//! a plain string, a whole number, a boolean or a list of such on the same line.

use std::collections::BTreeMap;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(u64),
    Boolean,
    List(Vec<Value>),
}

/// Keys and values.
pub(crate) type Table = BTreeMap<String, Value>;

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Toml {
    /// What stands before the first table.
    pub(crate) settings: Table,
    /// The tables by their names, such as `["plugins", "vault"]`.
    pub(crate) tables: BTreeMap<Vec<String>, Table>,
}

/// Reads a file. None: it holds more than this part, or is wrong.
pub(crate) fn parse(text: &str) -> Option<Toml> {
    let mut toml = Toml::default();
    let mut place = None;
    for line in text.split('\n') {
        let mut line = Line(line.strip_suffix('\r').unwrap_or(line));
        line.skip_spaces();
        if line.at_end()? {
            continue;
        }
        if line.take('[') {
            let mut name = vec![line.key()?];
            while line.take('.') {
                name.push(line.key()?);
            }
            if !line.take(']') || !line.at_end()? || toml.tables.contains_key(&name) {
                return None;
            }
            toml.tables.insert(name.clone(), Table::new());
            place = Some(name);
            continue;
        }
        let key = line.key()?;
        line.skip_spaces();
        if !line.take('=') {
            return None;
        }
        line.skip_spaces();
        let value = line.value()?;
        if !line.at_end()? {
            return None;
        }
        let table = match &place {
            None => &mut toml.settings,
            Some(name) => toml.tables.get_mut(name)?,
        };
        if table.insert(key, value).is_some() {
            return None;
        }
    }
    Some(toml)
}

/// What is left of a line.
struct Line<'t>(&'t str);

impl Line<'_> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches(['\t', ' ']);
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Whether nothing follows but a comment. None: a comment that holds what it must not.
    fn at_end(&mut self) -> Option<bool> {
        self.skip_spaces();
        match self.0.strip_prefix('#') {
            Some(comment) if comment.contains(|character| is_control(character) && character != '\t') => None,
            comment => Some(comment.is_some() || self.0.is_empty()),
        }
    }

    fn take_while(&mut self, is: impl Fn(char) -> bool) -> &str {
        let end = self.0.find(|character| !is(character)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn key(&mut self) -> Option<String> {
        let key = self.take_while(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
        (!key.is_empty()).then(|| key.to_owned())
    }

    fn value(&mut self) -> Option<Value> {
        if self.take('"') {
            let text =
                self.take_while(|character| !matches!(character, '"' | '\\') && !is_control(character)).to_owned();
            return self.take('"').then_some(Value::Text(text));
        }
        if self.take('[') {
            return self.list();
        }
        let word = self.take_while(|character| character.is_ascii_alphanumeric());
        match word {
            "true" | "false" => Some(Value::Boolean),
            "0" => Some(Value::Number(0)),
            digits
                if digits.len() <= 15
                    && !digits.starts_with('0')
                    && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                digits.parse().ok().map(Value::Number)
            }
            _ => None,
        }
    }

    fn list(&mut self) -> Option<Value> {
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            if self.take(']') {
                return Some(Value::List(values));
            }
            values.push(self.value()?);
            self.skip_spaces();
            if !self.take(',') && !self.0.starts_with(']') {
                return None;
            }
        }
    }
}

fn is_control(character: char) -> bool {
    matches!(character, '\0'..='\x1f' | '\x7f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_tables_are_read() {
        let text = "# c\nstore = \"file\" # é\r\ntimeout_ms=5\n\n[plugins.a-b_1]\n command = [\"/p\", \"x y\",]\n\
                    cache_ttl_ms = 0\n[plugins.a-b_1.env]\nA = \"\"\n[daemon]\nallowed_uids = [1, 2]\nx = true";
        let toml = parse(text).unwrap();
        let text = |text: &str| Value::Text(text.into());
        assert_eq!(toml.settings["store"], text("file"));
        assert_eq!(toml.settings["timeout_ms"], Value::Number(5));
        let table = |names: &[&str]| &toml.tables[&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
        assert_eq!(table(&["plugins", "a-b_1"])["command"], Value::List(vec![text("/p"), text("x y")]));
        assert_eq!(table(&["plugins", "a-b_1", "env"])["A"], text(""));
        assert_eq!(table(&["daemon"])["allowed_uids"], Value::List(vec![Value::Number(1), Value::Number(2)]));
        assert_eq!(table(&["daemon"])["x"], Value::Boolean);
    }

    #[test]
    fn what_is_unusual_or_wrong_is_not_read() {
        for text in [
            "store",
            "store = ",
            "store = file",
            "store = 'file'",
            "a = 1\na = 2",
            "a = 01",
            "a = 1_000",
            "a = -1",
            "a = 1.5",
            "a = \"\\n\"",
            "a = \"x",
            "a = \"\"\"x\"\"\"",
            "a = [\n1]",
            "a = {}",
            "a.b = 1",
            "\"a\" = 1",
            "[a",
            "[[a]]",
            "[\"a\"]",
            "[a]\n[a]",
            "[ a ]",
            "# \u{1}",
            "a = 1 b",
            "\u{feff}a = 1",
            "a = [1 2]",
            "a = [,]",
            "a = 1234567890123456",
            "a = \"\t\"",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
