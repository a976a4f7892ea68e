//! A secret on the wire.

use std::collections::BTreeMap;

use keychain_core::{Code, Error, MAX_METADATA_BYTES, MAX_VALUE_BYTES, Result, SecretBytes};

/// A secret as it came over the wire. Times are milliseconds since 1970; what the wire says is not known is None.
#[derive(Debug)]
pub struct Envelope {
    /// The id, as the sender wrote it.
    pub id: String,
    /// The plugin that answered.
    pub provider: Option<String>,
    /// The version of the value.
    pub version: Option<String>,
    /// Facts beside the value.
    pub metadata: BTreeMap<String, String>,
    /// When it was first stored.
    pub created_at: Option<f64>,
    /// When it was read.
    pub resolved_at: Option<f64>,
    /// When it stops being valid.
    pub expires_at: Option<f64>,
    /// The value.
    pub value: SecretBytes,
}

/// What is written beside a value. Times as in [`Envelope`], NaN where not known.
pub struct Facts<'a> {
    /// The id.
    pub id: &'a str,
    /// The plugin that answered.
    pub provider: &'a str,
    /// The version of the value; empty when it has none.
    pub version: &'a str,
    /// Keys and values in turn.
    pub metadata: &'a [String],
    /// When it was first stored, was read, and stops being valid.
    pub times: [f64; 3],
}

/// A text that is not empty: the wire writes what is not known as an empty text.
pub(crate) fn known(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// Why a message is not understood. Never tells what is there instead, which may be a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not a message of its kind.
    Malformed,
    /// More envelopes than the caller takes.
    TooMany,
    /// The value of the envelope at this place, from 0, is too long: this many bytes.
    Value(usize, usize),
    /// The metadata of the envelope at this place, from 0, are too long.
    Metadata(usize),
}

impl Fault {
    /// The error, where `what` was read, such as "the answer", with at most `limit` envelopes.
    pub(crate) fn error(self, what: &str, limit: usize) -> Error {
        match self {
            Self::Malformed => Error::new(Code::Corrupt, format!("{what} cannot be understood")),
            Self::TooMany => Error::new(Code::LimitExceeded, format!("{what} holds more than {limit} secrets"))
                .with_hint("ask with a narrower pattern")
                .with_detail("limit", limit),
            Self::Value(at, length) => Error::new(
                Code::ValueTooLarge,
                format!("{what} holds a value of {length} bytes, and {MAX_VALUE_BYTES} is the limit"),
            )
            .with_detail("secret", at)
            .with_detail("length", length)
            .with_detail("limit", MAX_VALUE_BYTES),
            Self::Metadata(at) => Error::new(
                Code::ValueTooLarge,
                format!("{what} holds metadata of more than {MAX_METADATA_BYTES} bytes beside one secret"),
            )
            .with_detail("secret", at)
            .with_detail("limit", MAX_METADATA_BYTES),
        }
    }
}

/// Adds an envelope to those before it, as long as there are not too many.
pub(crate) fn push(envelopes: &mut Vec<Envelope>, envelope: Envelope, limit: usize) -> Result<(), Fault> {
    if envelopes.len() >= limit {
        return Err(Fault::TooMany);
    }
    envelopes.push(envelope);
    Ok(())
}
