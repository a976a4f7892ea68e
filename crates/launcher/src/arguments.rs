//! A command line taken apart, as `src/cli/parse-arguments.ts` does. A flag that is not named here, and every wrong use, is
//! JavaScript's.

use std::ffi::CStr;

/// A flag that is understood here.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) short: Option<u8>,
    pub(crate) takes: Takes,
}

/// Whether a flag has a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// A word, attached or the next one.
    Value,
    /// An attached word, or this one.
    Attached(&'static str),
}

/// The flags with their values, in order, and what else there is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments<'a> {
    given: Vec<(&'static str, &'a str)>,
    pub(crate) positionals: Vec<&'a str>,
    /// The command behind, as bytes.
    pub(crate) rest: &'a [&'a CStr],
}

impl<'a> Arguments<'a> {
    /// Takes the words apart. `has_rest`: what follows the flags is a command.
    pub(crate) fn parse(flags: &[&[Flag]], has_rest: bool, words: &'a [&'a CStr]) -> Option<Self> {
        let mut parsed = Self::default();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let bytes = word.to_bytes();
            if bytes == b"--" {
                at += 1;
                break;
            }
            let is_flag = bytes.len() > 1 && bytes[0] == b'-';
            if !is_flag && has_rest {
                break;
            }
            let text = word.to_str().ok()?;
            if let Some(text) = text.strip_prefix("--") {
                let (name, attached) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
                let flag = flags.iter().copied().flatten().find(|flag| flag.name == name)?;
                parsed.take(flag, attached, words, &mut at)?;
            } else if is_flag {
                parsed.take_short(flags, &text[1..], words, &mut at)?;
            } else {
                parsed.positionals.push(text);
            }
            at += 1;
        }
        if has_rest {
            parsed.rest = &words[at..];
        } else {
            for word in &words[at..] {
                parsed.positionals.push(word.to_str().ok()?);
            }
        }
        Some(parsed)
    }

    fn take(&mut self, flag: &Flag, attached: Option<&'a str>, words: &'a [&'a CStr], at: &mut usize) -> Option<()> {
        let value = match (flag.takes, attached) {
            (Takes::Nothing, Some(_)) => return None,
            (Takes::Nothing, None) => "",
            (_, Some(value)) => value,
            (Takes::Attached(value), None) => value,
            (Takes::Value, None) => {
                *at += 1;
                words.get(*at)?.to_str().ok()?
            }
        };
        self.given.push((flag.name, value));
        Some(())
    }

    /// Letters in a row, the last of which may have its value behind it, with or without `=`.
    fn take_short(&mut self, flags: &[&[Flag]], text: &'a str, words: &'a [&'a CStr], at: &mut usize) -> Option<()> {
        // What may be a long flag with one dash is told so by JavaScript.
        let name = text.split('=').next().unwrap_or_default();
        if name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
            return None;
        }
        let mut letters = text;
        while let Some(letter) = letters.bytes().next() {
            let flag = flags.iter().copied().flatten().find(|flag| flag.short == Some(letter))?;
            letters = &letters[1..];
            if flag.takes != Takes::Nothing {
                let attached = (!letters.is_empty()).then(|| letters.strip_prefix('=').unwrap_or(letters));
                return self.take(flag, attached, words, at);
            }
            self.take(flag, None, words, at)?;
        }
        Some(())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.iter().any(|(given, _)| *given == name)
    }

    pub(crate) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.given.iter().filter(move |(given, _)| *given == name).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    const FLAGS: &[Flag] = &[
        Flag { name: "env-file", short: Some(b'f'), takes: Takes::Value },
        Flag { name: "env", short: Some(b'e'), takes: Takes::Value },
        Flag { name: "strict", short: Some(b's'), takes: Takes::Nothing },
        Flag { name: "mask", short: None, takes: Takes::Attached("auto") },
    ];

    type Taken = (Vec<(&'static str, String)>, Vec<String>, Vec<Vec<u8>>);

    fn parse(has_rest: bool, words: &[&[u8]]) -> Option<Taken> {
        let words: Vec<CString> = words.iter().map(|word| CString::new(*word).unwrap()).collect();
        let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
        let parsed = Arguments::parse(&[FLAGS], has_rest, &words)?;
        Some((
            parsed.given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            parsed.positionals.iter().map(|text| (*text).to_owned()).collect(),
            parsed.rest.iter().map(|word| word.to_bytes().to_vec()).collect(),
        ))
    }

    #[test]
    fn flags_have_their_values_in_every_way_of_writing() {
        for words in [&["--env-file", "a"][..], &["--env-file=a"], &["-f", "a"], &["-f=a"], &["-f=a", "--"]] {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            assert_eq!(parse(true, &words).unwrap().0, [("env-file", "a".to_owned())]);
        }
        assert_eq!(parse(true, &[b"-f.env"]).unwrap().0, [("env-file", ".env".to_owned())]);
        assert_eq!(parse(true, &[b"-seA=b"]).unwrap().0, [("strict", String::new()), ("env", "A=b".to_owned())]);
        for (words, value) in [(&[&b"--mask"[..], b"always"][..], "auto"), (&[b"--mask=never", b"x"], "never")] {
            assert_eq!(parse(true, words).unwrap().0, [("mask", value.to_owned())]);
            assert_eq!(parse(true, words).unwrap().2.len(), 1);
        }
    }

    #[test]
    fn the_command_begins_behind_two_dashes_or_with_the_first_word() {
        for words in [&[&b"-s"[..], b"--", b"-x", b"\xff"][..], &[b"--", b"-x", b"\xff"]] {
            assert_eq!(parse(true, words).unwrap().2, [&b"-x"[..], b"\xff"]);
        }
        assert_eq!(parse(true, &[b"\xff", b"-s"]).unwrap().2, [&b"\xff"[..], b"-s"]);
        assert_eq!(parse(true, &[b"-", b"-s"]).unwrap().2, [b"-", &b"-s"[..]]);
        assert_eq!(parse(false, &[b"a", b"-s", b"--", b"-b"]).unwrap().1, ["a", "-b"]);
    }

    #[test]
    fn what_is_not_understood_is_left() {
        for words in [
            &[&b"--unknown"[..]][..],
            &[b"--strict=x"],
            &[b"--env-file"],
            &[b"-f"],
            &[b"-x"],
            &[b"-sx"],
            &[b"-env=a"],
            &[b"-strict"],
            &[b"-f", b"\xff"],
            &[b"--env-file=\xff"],
            &[b"--help"],
            &[b"-h"],
        ] {
            assert_eq!(parse(true, words), None, "{words:?}");
        }
        assert_eq!(parse(false, &[b"\xff"]), None);
    }
}
