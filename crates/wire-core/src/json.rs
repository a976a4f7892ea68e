//! Answers in protobuf's JSON. Values go from the body into wiping memory at once; the parser's own words are dropped,
//! since they may quote a value.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use keychain_core::{Code, Error, MAX_METADATA_BYTES, MAX_VALUE_BYTES, Result, SecretBytes};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::base64::{decode_base64, decoded_len};
use crate::envelope::{Envelope, Fault, known};
use crate::time::parse_rfc3339;

/// An answer of a daemon.
#[derive(Debug)]
pub struct Reply {
    /// The secrets of its member `envelopes`.
    pub envelopes: Vec<Envelope>,
    /// The JSON object without that member.
    pub rest: String,
}

/// Reads a `GetSecretsResponse` of at most `limit` envelopes. The caller wipes the body.
///
/// Not such JSON → `Corrupt`; more envelopes → `LimitExceeded`; a value or metadata over the limits → `ValueTooLarge`.
/// Unknown members are passed over; a known one twice → `Corrupt`.
pub fn decode_json(body: &[u8], limit: usize) -> Result<Vec<Envelope>> {
    decode(body, limit, false).map(|reply| reply.envelopes)
}

/// The same for an answer with more members, which are kept.
pub fn decode_reply(body: &[u8], limit: usize) -> Result<Reply> {
    decode(body, limit, true)
}

fn decode(body: &[u8], limit: usize, keep_rest: bool) -> Result<Reply> {
    let fault = Cell::new(Fault::Malformed);
    let text = std::str::from_utf8(body).map_err(|_| Fault::Malformed.error("the answer", limit))?;
    let mut parser = serde_json::Deserializer::from_str(text);
    ReplySeed { limit, keep_rest, fault: &fault }
        .deserialize(&mut parser)
        .and_then(|reply| parser.end().map(|()| reply))
        .map_err(|_| fault.get().error("the answer", limit))
}

/// Reads the base64 member of this name from a JSON object that holds nothing else. The caller wipes the body. Anything
/// else → `Corrupt`; too long → `ValueTooLarge`.
pub fn decode_member(body: &[u8], name: &str) -> Result<SecretBytes> {
    let fault = || Fault::Malformed.error("the message", 0).with_detail("member", name);
    let text = std::str::from_utf8(body).map_err(|_| fault())?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = MemberSeed(name).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    match value.map_err(|_| fault())? {
        Value::Bytes(value) => Ok(value),
        Value::TooLong(length) => Err(too_long(length)),
    }
}

fn too_long(length: usize) -> Error {
    Fault::Value(0, length).error("the message", 0)
}

/// A value as base64.
pub(crate) enum Value {
    Bytes(SecretBytes),
    /// So many bytes, which were not read.
    TooLong(usize),
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
                let length = decoded_len(text.len());
                if length > MAX_VALUE_BYTES + 2 {
                    return Ok(Value::TooLong(length));
                }
                match decode_base64(text.as_bytes()) {
                    Some(value) if value.as_bytes().len() > MAX_VALUE_BYTES => {
                        Ok(Value::TooLong(value.as_bytes().len()))
                    }
                    Some(value) => Ok(Value::Bytes(value)),
                    None => Err(E::custom("no base64")),
                }
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A time: `Some(None)` is one that is not known.
#[derive(Default)]
pub(crate) struct Time(pub(crate) Option<f64>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Time, E> {
                parse_rfc3339(text).map(Time).map_err(|()| E::custom("no time"))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Time, E> {
                Ok(Time(None))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// Metadata: an object of texts, no name twice.
#[derive(Default)]
pub(crate) struct Metadata {
    pub(crate) entries: BTreeMap<String, String>,
    /// Whether there were more than the limit allows, of which the rest was not kept.
    pub(crate) too_long: bool,
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("metadata")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut metadata = Metadata::default();
                let mut bytes = 0;
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    bytes += name.len() + value.len();
                    metadata.too_long |= bytes > MAX_METADATA_BYTES;
                    if !metadata.too_long && metadata.entries.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name twice"));
                    }
                }
                Ok(metadata)
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Metadata, E> {
                Ok(Metadata::default())
            }
        }
        deserializer.deserialize_any(Members)
    }
}

/// Protobuf's JSON reads a field by either of its names, and null as absent.
#[derive(Deserialize)]
struct Members {
    id: Option<String>,
    value: Option<Value>,
    provider: Option<String>,
    version: Option<String>,
    #[serde(default, rename = "createdAt", alias = "created_at")]
    created_at: Time,
    #[serde(default, rename = "resolvedAt", alias = "resolved_at")]
    resolved_at: Time,
    #[serde(default, rename = "expiresAt", alias = "expires_at")]
    expires_at: Time,
    #[serde(default)]
    metadata: Metadata,
}

impl Members {
    fn envelope(self, at: usize) -> Result<Envelope, Fault> {
        if self.metadata.too_long {
            return Err(Fault::Metadata(at));
        }
        Ok(Envelope {
            id: self.id.unwrap_or_default(),
            provider: self.provider.and_then(known),
            version: self.version.and_then(known),
            metadata: self.metadata.entries,
            created_at: self.created_at.0,
            resolved_at: self.resolved_at.0,
            expires_at: self.expires_at.0,
            value: match self.value {
                None => SecretBytes::copy_from(b""),
                Some(Value::Bytes(value)) => value,
                Some(Value::TooLong(length)) => return Err(Fault::Value(at, length)),
            },
        })
    }
}

struct Envelopes<'a> {
    limit: usize,
    fault: &'a Cell<Fault>,
}

impl<'de> DeserializeSeed<'de> for Envelopes<'_> {
    type Value = Vec<Envelope>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelopes<'_> {
    type Value = Vec<Envelope>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("envelopes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut envelopes = Vec::new();
        while let Some(members) = seq.next_element::<Members>()? {
            let envelope =
                if envelopes.len() < self.limit { members.envelope(envelopes.len()) } else { Err(Fault::TooMany) };
            envelopes.push(envelope.map_err(|fault| {
                self.fault.set(fault);
                A::Error::custom("beyond a limit")
            })?);
        }
        Ok(envelopes)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}

struct ReplySeed<'a> {
    limit: usize,
    keep_rest: bool,
    fault: &'a Cell<Fault>,
}

impl<'de> DeserializeSeed<'de> for ReplySeed<'_> {
    type Value = Reply;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReplySeed<'_> {
    type Value = Reply;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Reply, A::Error> {
        let mut envelopes = None;
        let mut rest = String::from("{");
        while let Some(name) = map.next_key::<String>()? {
            if name == "envelopes" {
                let seed = Envelopes { limit: self.limit, fault: self.fault };
                if envelopes.replace(map.next_value_seed(seed)?).is_some() {
                    return Err(A::Error::custom("envelopes twice"));
                }
            } else if self.keep_rest {
                let value = map.next_value::<&RawValue>()?;
                if rest.len() > 1 {
                    rest.push(',');
                }
                rest.push_str(&serde_json::to_string(&name).map_err(A::Error::custom)?);
                rest.push(':');
                rest.push_str(value.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        rest.push('}');
        Ok(Reply { envelopes: envelopes.unwrap_or_default(), rest })
    }
}

struct MemberSeed<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for MemberSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MemberSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one member")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut value = None;
        while let Some(name) = map.next_key::<String>()? {
            if name != self.0 || value.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("another member"));
            }
        }
        value.ok_or_else(|| A::Error::custom("no member"))
    }
}

/// Not JSON of this kind at this line, from 1.
pub(crate) fn line_fault(line: usize, what: &str) -> Error {
    Error::new(Code::Corrupt, format!("line {line} of the answer {what}"))
        .with_hint("each line is one JSON object: id, and value or valueBase64")
        .with_detail("line", line)
}
