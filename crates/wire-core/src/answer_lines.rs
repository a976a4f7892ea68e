//! The answers of an executable plugin: one JSON object a line.

use std::fmt;

use keychain_core::{Code, Error, MAX_METADATA_BYTES, MAX_VALUE_BYTES, Result, SecretBytes};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::envelope::{Envelope, known};
use crate::json::{Metadata, Time, Value, line_fault};

/// A value as text.
struct Text(SecretBytes);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Utf8;
        impl Visitor<'_> for Utf8 {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text(SecretBytes::copy_from(text.as_bytes())))
            }
        }
        deserializer.deserialize_str(Utf8)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Members {
    id: String,
    value: Option<Text>,
    value_base64: Option<Value>,
    version: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    created_at: Time,
    #[serde(default)]
    expires_at: Time,
}

/// Reads lines of JSON objects, at most `limit` of them: `id`, `value` (text) or `valueBase64`, and where given
/// `version`, `metadata`, `createdAt`, `expiresAt` (RFC 3339). Empty lines are passed over. The caller wipes the lines.
///
/// Anything else → `Corrupt`; more of them → `LimitExceeded`; a value or metadata over the limits → `ValueTooLarge`;
/// each with detail `line`, from 1.
pub fn decode_answer_lines(lines: &[u8], limit: usize) -> Result<Vec<Envelope>> {
    let mut envelopes = Vec::new();
    for (at, line) in lines.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if envelopes.len() >= limit {
            return Err(Error::new(Code::LimitExceeded, format!("the answer has more than {limit} secrets"))
                .with_detail("line", at + 1)
                .with_detail("limit", limit));
        }
        envelopes.push(decode_line(line, at + 1)?);
    }
    Ok(envelopes)
}

fn decode_line(line: &[u8], at: usize) -> Result<Envelope> {
    let text = std::str::from_utf8(line).map_err(|_| line_fault(at, "is not UTF-8"))?;
    let members: Members = serde_json::from_str(text).map_err(|_| line_fault(at, "is not as it has to be"))?;
    let too_long = |what: &str, limit: usize| {
        Error::new(Code::ValueTooLarge, format!("line {at} of the answer has {what} of more than {limit} bytes"))
            .with_detail("line", at)
            .with_detail("limit", limit)
    };
    let value = match (members.value, members.value_base64) {
        (Some(Text(value)), None) | (None, Some(Value::Bytes(value))) if value.as_bytes().len() <= MAX_VALUE_BYTES => {
            value
        }
        (Some(_), None) | (None, Some(_)) => return Err(too_long("a value", MAX_VALUE_BYTES)),
        (None, None) => return Err(line_fault(at, "has no value")),
        (Some(_), Some(_)) => return Err(line_fault(at, "has two values")),
    };
    if members.metadata.too_long {
        return Err(too_long("metadata", MAX_METADATA_BYTES));
    }
    Ok(Envelope {
        id: members.id,
        provider: None,
        version: members.version.and_then(known),
        metadata: members.metadata.entries,
        created_at: members.created_at.0,
        resolved_at: None,
        expires_at: members.expires_at.0,
        value,
    })
}
