//! Values that come in: from standard input and from this process's own arguments.

use std::collections::BTreeMap;
use std::io::{self, Read};

use keychain_core::{Code, Error, MAX_VALUE_BYTES, Result, SecretBytes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::start;

/// How standard input becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One line loses its line end (`\n` or `\r\n`); several lines stay byte for byte. A JSON object that holds
    /// `secret`, and nothing but `metadata` beside it, is taken apart.
    Line,
    /// A JSON object as with `Line` is taken apart; anything else stays byte for byte, one line as well.
    Object,
    /// Every byte is the value.
    Verbatim,
}

/// A value that was read, with the facts that came with it.
#[derive(Debug)]
pub struct Input {
    /// The value.
    pub value: SecretBytes,
    /// The metadata of a JSON object.
    pub metadata: Option<BTreeMap<String, String>>,
}

/// Reads standard input to its end.
///
/// More than 16 MiB → `ValueTooLarge`; a JSON object with a `secret` that is no text, or with `metadata` that is not
/// text by name → `InvalidOption`. What is read is never quoted.
pub fn from_stdin(mode: Mode) -> Result<Input> {
    let bytes = read_all(&mut Stdin)?;
    match mode {
        Mode::Verbatim => Ok(Input { value: bytes, metadata: None }),
        Mode::Line | Mode::Object => parse(bytes, mode),
    }
}

/// The part of one of this process's own arguments from byte `offset` on. `from_end` counts arguments from the last
/// one, which is 1. No such argument, or a shorter one → `InvalidOption`.
pub fn from_argument(from_end: usize, offset: usize) -> Result<SecretBytes> {
    let arguments: Vec<Zeroizing<Vec<u8>>> = start::arguments()?.into_iter().map(Zeroizing::new).collect();
    let argument = arguments.len().checked_sub(from_end).and_then(|index| arguments.get(index));
    argument
        .and_then(|argument| argument.get(offset..))
        .map(SecretBytes::copy_from)
        .ok_or_else(|| Error::new(Code::InvalidOption, "there is no such argument").with_detail("fromEnd", from_end))
}

fn parse(bytes: SecretBytes, mode: Mode) -> Result<Input> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Object {
        secret: Zeroizing<String>,
        #[serde(default)]
        metadata: BTreeMap<String, String>,
    }
    let text = bytes.as_bytes();
    if text.trim_ascii_start().first() == Some(&b'{') {
        let keys: Option<BTreeMap<String, IgnoredAny>> = serde_json::from_slice(text).ok();
        let ours = |key: &String| key == "secret" || key == "metadata";
        if keys.is_some_and(|keys| keys.contains_key("secret") && keys.keys().all(ours)) {
            // serde's message may quote the value.
            let object: Object = serde_json::from_slice(text).map_err(|_| {
                Error::new(Code::InvalidOption, "the JSON object on standard input is not as it should be")
                    .with_hint("`secret` is a text and `metadata` an object of texts, each once; --verbatim stores the object itself")
            })?;
            let value = SecretBytes::copy_from(object.secret.as_bytes());
            return Ok(Input { value, metadata: Some(object.metadata) });
        }
    }
    let line = text.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let value = match line {
        Some(line) if mode == Mode::Line && !line.contains(&b'\n') => SecretBytes::copy_from(line),
        _ => bytes,
    };
    Ok(Input { value, metadata: None })
}

/// Reads to the end into memory that wipes itself, whenever it grows too.
pub(crate) fn read_all(source: &mut impl Read) -> Result<SecretBytes> {
    let mut buffer = SecretBytes::with(64 << 10, |_| ());
    let mut used = 0;
    loop {
        if used > MAX_VALUE_BYTES {
            return Err(Error::new(Code::ValueTooLarge, format!("a value has at most {MAX_VALUE_BYTES} bytes"))
                .with_detail("limit", MAX_VALUE_BYTES));
        }
        if used == buffer.as_bytes().len() {
            let grown = SecretBytes::with(used * 2, |bytes| bytes[..used].copy_from_slice(buffer.as_bytes()));
            buffer = grown;
        }
        match source.read(&mut buffer.as_bytes_mut()[used..]) {
            Ok(0) => return Ok(SecretBytes::copy_from(&buffer.as_bytes()[..used])),
            Ok(count) => used += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Error::new(Code::InvalidOption, "the input cannot be read").with_source(error));
            }
        }
    }
}

/// Standard input without a buffer of the standard library's, which would never be wiped.
struct Stdin;

#[cfg(unix)]
impl Read for Stdin {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            // SAFETY: target is writable for its length.
            let count = unsafe { libc::read(0, target.as_mut_ptr().cast(), target.len()) };
            if let Ok(count) = usize::try_from(count) {
                return Ok(count);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::WouldBlock {
                return Err(error);
            }
            crate::output::wait_for(0, libc::POLLIN)?;
        }
    }
}

#[cfg(windows)]
impl Read for Stdin {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        use std::os::windows::io::AsHandle;
        let file = std::fs::File::from(io::stdin().as_handle().try_clone_to_owned()?);
        match (&file).read(target) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &[u8]) -> Vec<u8> {
        let input = parse(SecretBytes::copy_from(text), Mode::Line).unwrap();
        assert!(input.metadata.is_none());
        input.value.as_bytes().to_vec()
    }

    macro_rules! kept {
        ($($name:ident: $text:expr => $value:expr;)*) => {
            $(#[test] fn $name() { assert_eq!(value($text), $value); })*
        };
    }

    kept! {
        one_line_loses_its_line_end: b"token\n" => b"token";
        one_line_loses_a_windows_line_end: b"token\r\n" => b"token";
        only_one_line_end_is_lost: b"token\n\n" => b"token\n\n";
        a_value_without_a_line_end_stays: b"token" => b"token";
        several_lines_stay: b"a\nb\n" => b"a\nb\n";
        an_empty_line_is_an_empty_value: b"\n" => b"";
        nothing_is_an_empty_value: b"" => b"";
        a_lone_carriage_return_stays: b"a\r" => b"a\r";
        bytes_that_are_no_text_stay: b"\xff\0\n" => b"\xff\0";
        json_that_is_no_object_stays: b"[\"secret\"]\n" => b"[\"secret\"]";
        an_object_without_a_secret_stays: b"{\"key\":1}" => b"{\"key\":1}";
        an_object_with_more_than_ours_stays: b"{\"secret\":\"a\",\"client\":\"b\"}" => b"{\"secret\":\"a\",\"client\":\"b\"}";
        broken_json_stays: b"{\"secret\":\n" => b"{\"secret\":";
    }

    #[test]
    fn an_object_with_a_secret_is_taken_apart() {
        let text = b" {\"metadata\":{\"owner\":\"me\"}, \"secret\":\"a\\n\\u00e4\\\"\"}\n";
        let input = parse(SecretBytes::copy_from(text), Mode::Line).unwrap();
        assert_eq!(input.value.as_bytes(), "a\nä\"".as_bytes());
        assert_eq!(input.metadata.unwrap(), BTreeMap::from([("owner".into(), "me".into())]));
    }

    #[test]
    fn only_an_object_is_taken_apart_where_lines_stay() {
        for (text, value) in [(&b"token\n"[..], &b"token\n"[..]), (b"{\"secret\":\"a\"}\n", b"a"), (b"{}\n", b"{}\n")] {
            assert_eq!(parse(SecretBytes::copy_from(text), Mode::Object).unwrap().value.as_bytes(), value);
        }
    }

    #[test]
    fn an_object_that_is_meant_for_us_but_wrong_is_refused_and_not_quoted() {
        for text in [
            &b"{\"secret\":5150}"[..],
            b"{\"secret\":\"canary\",\"secret\":\"canary\"}",
            b"{\"secret\":\"canary\",\"metadata\":[\"canary\"]}",
            b"{\"secret\":\"canary\",\"metadata\":{\"a\":1}}",
            b"{\"secret\":null}",
        ] {
            let error = parse(SecretBytes::copy_from(text), Mode::Line).unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption);
            assert!(!format!("{error:?}").contains("canary") && !format!("{error:?}").contains("5150"));
        }
    }

    #[test]
    fn reading_ends_at_the_limit() {
        assert_eq!(
            read_all(&mut io::repeat(7).take(MAX_VALUE_BYTES as u64)).unwrap().as_bytes().len(),
            MAX_VALUE_BYTES
        );
        let error = read_all(&mut io::repeat(7).take(MAX_VALUE_BYTES as u64 + 1)).unwrap_err();
        assert_eq!(error.code(), Code::ValueTooLarge);
    }

    #[test]
    fn an_argument_is_counted_from_the_end() {
        let last = std::env::args_os().next_back().unwrap().into_encoded_bytes();
        assert_eq!(from_argument(1, 2).unwrap().as_bytes(), &last[2..]);
        assert_eq!(from_argument(1, last.len()).unwrap().as_bytes(), b"");
        for (from_end, offset) in [(0, 0), (1, last.len() + 1), (1000, 0)] {
            assert_eq!(from_argument(from_end, offset).unwrap_err().code(), Code::InvalidOption);
        }
    }
}
