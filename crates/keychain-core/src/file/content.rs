//! What is inside the encrypted file: JSON Lines, first one about the file, then one a secret.
//!
//! ```json
//! {"format":"se-native store","version":1,"recipients":["age1…"]}
//! {"id":"team/db/password","metadata":{"owner":"ops"},"created":1767225600000,"modified":1767225600000,"value":"aHVudGVyMg=="}
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use age::x25519::Recipient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pattern_matcher::Id;
use serde::{Deserialize, Serialize};

use crate::{Info, Item, MAX_METADATA_BYTES, MAX_VALUE_BYTES, SecretBytes};

const FORMAT: &str = "se-native store";
const VERSION: u32 = 1;

/// Everything in the file. Cloning copies no value.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) secrets: BTreeMap<Id, Arc<Stored>>,
    /// All who can read the file, the writer among them: whoever writes it encrypts it to these. At least one.
    pub(super) recipients: Vec<Recipient>,
}

/// A secret as it is kept. Times are milliseconds since 1970.
pub(super) struct Stored {
    pub(super) value: SecretBytes,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) created: u64,
    pub(super) modified: u64,
}

/// Why a content is not understood. Never tells what is there instead, which may be a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not what this program writes, at this line (from 1).
    Line(usize),
    /// Written in a later version of the format.
    Version(u32),
}

#[derive(Deserialize)]
struct Version {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    version: u32,
    recipients: Vec<String>,
}

#[derive(Serialize)]
struct Facts<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    created: u64,
    modified: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    id: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    created: u64,
    modified: u64,
    /// Borrowed, so that no copy of it is made; base64 needs no escapes in JSON.
    value: &'a str,
}

impl Stored {
    pub(super) fn info(&self, id: &Id) -> Info {
        Info {
            id: id.clone(),
            metadata: self.metadata.clone(),
            created_at: time(self.created),
            modified_at: time(self.modified),
        }
    }

    pub(super) fn item(&self, id: &Id) -> Item {
        Item { info: self.info(id), value: SecretBytes::copy_from(self.value.as_bytes()) }
    }
}

fn time(milliseconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// Milliseconds since 1970, now.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Content {
    /// A content without secrets, for this recipient.
    pub(super) fn empty(recipient: Recipient) -> Self {
        Self { secrets: BTreeMap::new(), recipients: vec![recipient] }
    }

    /// Writes the content as it is encrypted. Values pass through wiping memory only.
    pub(super) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let recipients = self.recipients.iter().map(ToString::to_string).collect();
        let head = Head { format: FORMAT.into(), version: VERSION, recipients };
        out.write_all(&serde_json::to_vec(&head)?)?;
        out.write_all(b"\n")?;
        let mut text = SecretBytes::with(4096, |_| ());
        for (id, Stored { value, metadata, created, modified }) in self.secrets.iter().map(|(id, s)| (id, &**s)) {
            let facts = Facts { id: id.as_str(), metadata, created: *created, modified: *modified };
            let mut line = serde_json::to_vec(&facts)?;
            line.pop();
            line.extend_from_slice(br#","value":""#);
            out.write_all(&line)?;
            // Three quarters of the buffer: whole groups, so that only the last piece is padded.
            for piece in value.as_bytes().chunks(3072) {
                let len = STANDARD.encode_slice(piece, text.as_bytes_mut()).map_err(io::Error::other)?;
                out.write_all(&text.as_bytes()[..len])?;
            }
            out.write_all(b"\"}\n")?;
        }
        Ok(())
    }

    /// Takes a content apart.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Fault> {
        let mut lines = text
            .split(|byte| *byte == b'\n')
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .filter(|(_, line)| !line.trim_ascii().is_empty());
        let (_, first) = lines.next().ok_or(Fault::Line(1))?;
        let Version { format, version } = serde_json::from_slice(first).map_err(|_| Fault::Line(1))?;
        if format != FORMAT {
            return Err(Fault::Line(1));
        }
        if version != VERSION {
            return Err(Fault::Version(version));
        }
        let Head { recipients, .. } = serde_json::from_slice(first).map_err(|_| Fault::Line(1))?;
        let recipients: Vec<_> =
            recipients.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(|_| Fault::Line(1))?;
        if recipients.is_empty() {
            return Err(Fault::Line(1));
        }
        let mut secrets = BTreeMap::new();
        for (at, line) in lines {
            let (id, stored) = parse_secret(line).ok_or(Fault::Line(at))?;
            if secrets.insert(id, Arc::new(stored)).is_some() {
                return Err(Fault::Line(at));
            }
        }
        Ok(Self { secrets, recipients })
    }
}

/// None: not a line that this program writes. The parser's own words are dropped, since they may quote the value.
fn parse_secret(line: &[u8]) -> Option<(Id, Stored)> {
    let Line { id, metadata, created, modified, value } = serde_json::from_slice(line).ok()?;
    let id = Id::parse(&id).ok()?;
    let padding = value.bytes().rev().take_while(|byte| *byte == b'=').count();
    let len = (value.len() / 4 * 3).checked_sub(padding).filter(|len| *len <= MAX_VALUE_BYTES)?;
    let mut decoded = None;
    let bytes = SecretBytes::with(len, |target| decoded = STANDARD.decode_slice(value, target).ok());
    let metadata_bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    let sound = decoded == Some(len)
        && metadata_bytes <= MAX_METADATA_BYTES
        && time(created).is_some()
        && time(modified).is_some();
    sound.then_some((id, Stored { value: bytes, metadata, created, modified }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    fn head() -> String {
        format!(r#"{{"format":"se-native store","version":1,"recipients":["{RECIPIENT}"]}}"#)
    }

    fn content(secrets: &[(&str, &[u8])]) -> Content {
        let secrets = secrets.iter().map(|(id, value)| {
            let value = SecretBytes::copy_from(value);
            (Id::parse(id).unwrap(), Arc::new(Stored { value, metadata: BTreeMap::new(), created: 1, modified: 2 }))
        });
        Content { secrets: secrets.collect(), ..Content::empty(RECIPIENT.parse().unwrap()) }
    }

    fn text(content: &Content) -> String {
        let mut text = Vec::new();
        content.write_to(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_format_is_as_documented() {
        let content = content(&[("b", b"hunter2"), ("a/x", b"")]);
        let head = head();
        let lines = [
            head.as_str(),
            r#"{"id":"a/x","created":1,"modified":2,"value":""}"#,
            r#"{"id":"b","created":1,"modified":2,"value":"aHVudGVyMg=="}"#,
            "",
        ];
        assert_eq!(text(&content), lines.join("\n"));
    }

    #[test]
    fn values_of_every_length_around_the_pieces_come_back() {
        for len in (0..10).chain(3070..3080).chain([6144, 100_000]) {
            let value: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let parsed = Content::parse(text(&content(&[("a", &value)])).as_bytes()).unwrap();
            assert!(parsed.secrets[&Id::parse("a").unwrap()].value.equals(&value), "{len} bytes");
        }
    }

    #[test]
    fn a_later_version_is_told_from_nonsense() {
        let later = br#"{"format":"se-native store","version":2,"cipher":"new"}"#;
        assert_eq!(Content::parse(later).err(), Some(Fault::Version(2)));
    }

    macro_rules! refused {
        ($($name:ident: $line:expr, $text:expr;)*) => {
            $(#[test] fn $name() { assert_eq!(Content::parse(&$text[..]).err(), Some(Fault::Line($line))); })*
        };
    }

    fn lines(second: &str) -> Vec<u8> {
        format!("{}\n{second}\n", head()).into_bytes()
    }

    refused! {
        nothing_at_all: 1, b"";
        another_format: 1, br#"{"format":"x","version":1}"#;
        no_version: 1, br#"{"format":"se-native store"}"#;
        no_recipients: 1, br#"{"format":"se-native store","version":1}"#;
        nobody_to_read_it: 1, br#"{"format":"se-native store","version":1,"recipients":[]}"#;
        no_recipient_of_age: 1, br#"{"format":"se-native store","version":1,"recipients":["age1x"]}"#;
        a_secret_first: 1, br#"{"id":"a","created":1,"modified":1,"value":""}"#;
        not_json: 2, lines("x");
        an_unknown_field: 2, lines(r#"{"id":"a","created":1,"modified":1,"value":"","more":1}"#);
        a_field_twice: 2, lines(r#"{"id":"a","id":"a","created":1,"modified":1,"value":""}"#);
        no_value: 2, lines(r#"{"id":"a","created":1,"modified":1}"#);
        an_invalid_id: 2, lines(r#"{"id":"a//b","created":1,"modified":1,"value":""}"#);
        no_base64: 2, lines(r#"{"id":"a","created":1,"modified":1,"value":"a"}"#);
        loose_padding: 2, lines(r#"{"id":"a","created":1,"modified":1,"value":"===="}"#);
        loose_bits: 2, lines(r#"{"id":"a","created":1,"modified":1,"value":"aHVudGVyMh=="}"#);
        an_escaped_value: 2, lines(r#"{"id":"a","created":1,"modified":1,"value":"\u0061aaa"}"#);
        a_time_before_1970: 2, lines(r#"{"id":"a","created":-1,"modified":1,"value":""}"#);
        an_id_twice: 3, format!("{head}\n{0}\n{0}", r#"{"id":"a","created":1,"modified":1,"value":""}"#, head = head()).into_bytes();
        not_utf8: 2, [head().as_bytes(), b"\n\xff"].concat();
    }
}
