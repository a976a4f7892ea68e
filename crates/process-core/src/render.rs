//! An environment as text, for shells and other programs to read.

use keychain_core::{Code, Error, Result, SecretBytes};
use zeroize::Zeroizing;

use crate::environment::Environment;

/// How the variables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `export NAME='value'` lines for `eval` in a POSIX shell. Any bytes but NUL.
    Shell,
    /// One object of texts, in order.
    Json,
    /// An env file, as `--env-file` and Node's `util.parseEnv` read it.
    Dotenv,
}

/// Writes the variables that were set or bound, in order; those that the process had already are left out.
///
/// A value with NUL → `ValueHasNul`; one that is not UTF-8, in JSON or an env file → `NotText`; a name that no shell
/// takes, or a value that no quotes of an env file can hold → `Unsupported`. Each names the variable.
pub fn render(environment: &Environment, format: Format) -> Result<SecretBytes> {
    let capacity: usize = environment.changed().map(|(name, value)| 6 * (name.len() + value.len()) + 32).sum();
    // Large enough for whatever is escaped, so that it is never moved and left behind.
    let mut text = Zeroizing::new(Vec::with_capacity(capacity + 8));
    if format == Format::Json {
        text.push(b'{');
    }
    for (index, (name, value)) in environment.changed().enumerate() {
        if value.contains(&0) {
            return Err(refused(Code::ValueHasNul, name, "holds a zero byte"));
        }
        match format {
            Format::Shell => shell(&mut text, name, value)?,
            Format::Dotenv => dotenv(&mut text, name, value)?,
            Format::Json => {
                text.extend_from_slice(if index == 0 { b"\n  " } else { b",\n  " });
                json_text(&mut text, name, name)?;
                text.extend_from_slice(b": ");
                json_text(&mut text, name, value)?;
            }
        }
    }
    if format == Format::Json {
        let end: &[u8] = if text.len() > 1 { b"\n}\n" } else { b"}\n" };
        text.extend_from_slice(end);
    }
    Ok(SecretBytes::copy_from(&text))
}

fn refused(code: Code, name: &[u8], why: &str) -> Error {
    let name = String::from_utf8_lossy(name);
    Error::new(code, format!("{name} {why}")).with_detail("variable", name)
}

fn shell(text: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<()> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if !name.iter().all(letter) || name.first().is_none_or(u8::is_ascii_digit) {
        return Err(refused(Code::Unsupported, name, "is no name that a shell takes").with_hint("use --format json"));
    }
    text.extend_from_slice(b"export ");
    text.extend_from_slice(name);
    text.extend_from_slice(b"='");
    for byte in value {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            byte => text.push(*byte),
        }
    }
    text.extend_from_slice(b"'\n");
    Ok(())
}

fn dotenv(text: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<()> {
    if std::str::from_utf8(value).is_err() {
        return Err(refused(Code::NotText, name, "is not UTF-8 text").with_hint("use --format shell"));
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(byte);
    // Env files lose carriage returns, and only double quotes know an escape: `\n`.
    let quote = (*b"'\"`").into_iter().find(|quote| {
        !value.contains(quote)
            && !value.contains(&b'\r')
            && (*quote != b'"' || !value.windows(2).any(|pair| pair == b"\\n"))
    });
    text.extend_from_slice(name);
    text.push(b'=');
    if !value.is_empty() && value.iter().all(plain) {
        text.extend_from_slice(value);
    } else if let Some(quote) = quote {
        text.push(quote);
        text.extend_from_slice(value);
        text.push(quote);
    } else {
        let why = if value.contains(&b'\r') {
            "cannot be written in an env file, which loses carriage returns"
        } else {
            "cannot be written in an env file, which needs quotes that are not in the value: it has ', ` and \" or \\n"
        };
        return Err(refused(Code::Unsupported, name, why).with_hint("use --format json or --format shell"));
    }
    text.push(b'\n');
    Ok(())
}

fn json_text(text: &mut Vec<u8>, name: &[u8], value: &[u8]) -> Result<()> {
    let value = std::str::from_utf8(value)
        .map_err(|_| refused(Code::NotText, name, "is not UTF-8 text").with_hint("use --format shell"))?;
    // Writing into memory that is large enough does not fail.
    serde_json::to_writer(text, value).map_err(|_| refused(Code::Internal, name, "cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(variables: &[(&str, &[u8])], format: Format) -> Result<String> {
        let mut environment = Environment::from_strings(vec![b"UNTOUCHED=1".to_vec()]);
        variables.iter().for_each(|(name, value)| environment.set(name, value));
        render(&environment, format).map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned())
    }

    #[test]
    fn shells_get_any_bytes_between_single_quotes() {
        let text = rendered(&[("A", b"it's $HOME\n\\"), ("B", b"")], Format::Shell).unwrap();
        assert_eq!(text, "export A='it'\\''s $HOME\n\\'\nexport B=''\n");
    }

    #[test]
    fn json_is_one_object_in_order() {
        let text = rendered(&[("B", b"\"\n\x01"), ("A", b"x")], Format::Json).unwrap();
        assert_eq!(text, "{\n  \"B\": \"\\\"\\n\\u0001\",\n  \"A\": \"x\"\n}\n");
        assert_eq!(rendered(&[], Format::Json).unwrap(), "{}\n");
    }

    #[test]
    fn env_files_get_the_quotes_that_hold_the_value() {
        let text = rendered(
            &[("A", b"a=b"), ("B", b"a b"), ("C", b"it's"), ("D", b"'\""), ("E", b""), ("F", b"'\\n"), ("G", b"a\n#b")],
            Format::Dotenv,
        );
        assert_eq!(text.unwrap(), "A=a=b\nB='a b'\nC=\"it's\"\nD=`'\"`\nE=''\nF=`'\\n`\nG='a\n#b'\n");
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused_by_name() {
        for (name, value, format, code) in [
            ("A", &b"a\0"[..], Format::Shell, Code::ValueHasNul),
            ("A", b"a\0", Format::Json, Code::ValueHasNul),
            ("A", b"\xff", Format::Json, Code::NotText),
            ("A", b"\xff", Format::Dotenv, Code::NotText),
            ("A", b"'\"`", Format::Dotenv, Code::Unsupported),
            ("A", b"'`\\n", Format::Dotenv, Code::Unsupported),
            ("A", b"a\r", Format::Dotenv, Code::Unsupported),
            ("A.B", b"x", Format::Shell, Code::Unsupported),
            ("1A", b"x", Format::Shell, Code::Unsupported),
        ] {
            let error = rendered(&[(name, value)], format).unwrap_err();
            assert_eq!(error.code(), code);
            assert_eq!(error.details(), [("variable", name.to_owned())]);
        }
    }

    #[test]
    fn an_env_file_that_cannot_hold_a_value_says_why() {
        for (value, why) in [(&b"'\"`"[..], "quotes"), (b"'\"`\r", "carriage returns")] {
            let error = rendered(&[("A", value)], Format::Dotenv).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
