//! `resolver.v1.GetSecretsResponse` in protobuf. Written by hand: it is one message, and generated code would keep
//! values in memory that is not wiped.

use std::collections::BTreeMap;

use keychain_core::{MAX_METADATA_BYTES, MAX_VALUE_BYTES, Result, SecretBytes};

use crate::envelope::{Envelope, Facts, Fault, known, push};
use crate::output::Output;
use crate::time::{UNKNOWN_SECONDS, milliseconds, seconds_and_nanos};

// Fields of the messages.
const ENVELOPES: u32 = 1;
const ID: u32 = 1;
const VALUE: u32 = 2;
const PROVIDER: u32 = 3;
const VERSION: u32 = 4;
const CREATED_AT: u32 = 5;
const RESOLVED_AT: u32 = 6;
const EXPIRES_AT: u32 = 7;
const METADATA: u32 = 8;
const KEY: u32 = 1;
const ENTRY_VALUE: u32 = 2;
const SECONDS: u32 = 1;
const NANOS: u32 = 2;

// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const GROUP: u64 = 3;
const GROUP_END: u64 = 4;
const FIXED32: u64 = 5;

/// Groups, which nobody writes any more, are followed so deep.
const MAX_DEPTH: usize = 64;

/// Adds one envelope to a `GetSecretsResponse`, which is these one after the other. Every scalar field is written: they
/// have presence, and Docker's client tells absent from empty.
pub(crate) fn encode_envelope(output: &mut Output<'_>, facts: &Facts<'_>, value: &[u8]) {
    let times = facts.times.map(seconds_and_nanos);
    let entries = || facts.metadata.chunks_exact(2).map(|entry| (entry[0].as_bytes(), entry[1].as_bytes()));
    let entry_len = |(key, value): (&[u8], &[u8])| bytes_len(key.len()) + bytes_len(value.len());
    let texts = [
        (ID, facts.id.as_bytes()),
        (VALUE, value),
        (PROVIDER, facts.provider.as_bytes()),
        (VERSION, facts.version.as_bytes()),
    ];
    let len = texts.iter().map(|(_, bytes)| bytes_len(bytes.len())).sum::<usize>()
        + times.iter().map(|time| bytes_len(time_len(*time))).sum::<usize>()
        + entries().map(|entry| bytes_len(entry_len(entry))).sum::<usize>();
    put_head(output, ENVELOPES, len);
    for (field, bytes) in texts {
        put_bytes(output, field, bytes);
    }
    for (field, (seconds, nanos)) in [CREATED_AT, RESOLVED_AT, EXPIRES_AT].into_iter().zip(times) {
        put_head(output, field, time_len((seconds, nanos)));
        put_integer(output, SECONDS, seconds);
        put_integer(output, NANOS, nanos);
    }
    for (key, value) in entries() {
        put_head(output, METADATA, entry_len((key, value)));
        put_bytes(output, KEY, key);
        put_bytes(output, ENTRY_VALUE, value);
    }
}

/// All tags here are one byte.
fn tag(field: u32, kind: u64) -> u8 {
    (field << 3) as u8 | kind as u8
}

fn varint_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

fn integer_len(number: i64) -> usize {
    if number == 0 { 0 } else { 1 + varint_len(number as u64) }
}

fn time_len((seconds, nanos): (i64, i64)) -> usize {
    integer_len(seconds) + integer_len(nanos)
}

fn put_varint(output: &mut Output<'_>, mut number: u64) {
    output.put_with(varint_len(number), |place| {
        for byte in place {
            *byte = (number & 0x7f) as u8 | 0x80;
            number >>= 7;
            if number == 0 {
                *byte &= 0x7f;
            }
        }
    });
}

fn put_head(output: &mut Output<'_>, field: u32, len: usize) {
    output.put(&[tag(field, BYTES)]);
    put_varint(output, len as u64);
}

fn put_bytes(output: &mut Output<'_>, field: u32, bytes: &[u8]) {
    put_head(output, field, bytes.len());
    output.put(bytes);
}

/// A number of a `Timestamp`, which has no presence: zero is left out.
fn put_integer(output: &mut Output<'_>, field: u32, number: i64) {
    if number != 0 {
        output.put(&[tag(field, VARINT)]);
        put_varint(output, number as u64);
    }
}

/// Reads a `GetSecretsResponse` of at most `limit` envelopes. The caller wipes the body.
///
/// Not a message → `Corrupt`; more envelopes → `LimitExceeded`; a value or metadata over the limits → `ValueTooLarge`.
/// Unknown fields are passed over; of a field that is there several times, the last counts.
pub fn decode_protobuf(body: &[u8], limit: usize) -> Result<Vec<Envelope>> {
    let mut envelopes = Vec::new();
    let decoded = each_field(body, |field, content| match (field, content) {
        (ENVELOPES, Content::Bytes(bytes)) => {
            if envelopes.len() >= limit {
                return Err(Fault::TooMany);
            }
            let envelope = decode_envelope(bytes, envelopes.len())?;
            push(&mut envelopes, envelope, limit)
        }
        (ENVELOPES, _) => Err(Fault::Malformed),
        _ => Ok(()),
    });
    match decoded {
        Ok(()) => Ok(envelopes),
        Err(fault) => Err(fault.error("the answer", limit)),
    }
}

/// A time as a message: fields of several occurrences merge.
#[derive(Default)]
struct Time(Option<(i64, i64)>);

impl Time {
    fn merge(&mut self, content: Content<'_>) -> Result<(), Fault> {
        let time = self.0.get_or_insert((0, 0));
        each_field(content.bytes()?, |field, content| {
            match field {
                SECONDS => time.0 = content.varint()? as i64,
                // An int32 is written as a sign-extended varint.
                NANOS => time.1 = i64::from(content.varint()? as i32),
                _ => {}
            }
            Ok(())
        })
    }

    fn milliseconds(self) -> Result<Option<f64>, Fault> {
        match self.0 {
            None | Some((UNKNOWN_SECONDS, _)) => Ok(None),
            Some((seconds, nanos)) => milliseconds(seconds, nanos).map(Some).ok_or(Fault::Malformed),
        }
    }
}

/// Reads the envelope at this place of the answer.
fn decode_envelope(body: &[u8], at: usize) -> Result<Envelope, Fault> {
    let (mut id, mut provider, mut version) = ("", "", "");
    let mut value = &b""[..];
    let (mut created, mut resolved, mut expires) = (Time::default(), Time::default(), Time::default());
    let mut metadata = BTreeMap::new();
    let mut metadata_bytes = 0;
    each_field(body, |field, content| {
        match field {
            ID => id = content.text()?,
            VALUE => value = content.bytes()?,
            PROVIDER => provider = content.text()?,
            VERSION => version = content.text()?,
            CREATED_AT => created.merge(content)?,
            RESOLVED_AT => resolved.merge(content)?,
            EXPIRES_AT => expires.merge(content)?,
            METADATA => {
                let (mut key, mut text) = ("", "");
                each_field(content.bytes()?, |field, content| {
                    match field {
                        KEY => key = content.text()?,
                        ENTRY_VALUE => text = content.text()?,
                        _ => {}
                    }
                    Ok(())
                })?;
                metadata_bytes += key.len() + text.len();
                if metadata_bytes > MAX_METADATA_BYTES {
                    return Err(Fault::Metadata(at));
                }
                metadata.insert(key.to_owned(), text.to_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(Fault::Value(at, value.len()));
    }
    Ok(Envelope {
        id: id.to_owned(),
        provider: known(provider.to_owned()),
        version: known(version.to_owned()),
        metadata,
        created_at: created.milliseconds()?,
        resolved_at: resolved.milliseconds()?,
        expires_at: expires.milliseconds()?,
        value: SecretBytes::copy_from(value),
    })
}

/// The content of a field.
#[derive(Clone, Copy)]
enum Content<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Something that no field of ours has.
    Other,
}

impl<'a> Content<'a> {
    fn varint(self) -> Result<u64, Fault> {
        if let Self::Varint(number) = self { Ok(number) } else { Err(Fault::Malformed) }
    }

    fn bytes(self) -> Result<&'a [u8], Fault> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(Fault::Malformed) }
    }

    fn text(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::Malformed)
    }
}

/// Hands each field of a message to `read`, in order.
fn each_field<'a>(
    mut body: &'a [u8],
    mut read: impl FnMut(u32, Content<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    while !body.is_empty() {
        let (field, kind) = take_tag(&mut body)?;
        let content = take_content(&mut body, field, kind, MAX_DEPTH)?;
        read(field, content)?;
    }
    Ok(())
}

fn take_tag(body: &mut &[u8]) -> Result<(u32, u64), Fault> {
    let tag = take_varint(body)?;
    match u32::try_from(tag >> 3) {
        Ok(field @ 1..=0x1fff_ffff) => Ok((field, tag & 7)),
        _ => Err(Fault::Malformed),
    }
}

fn take_content<'a>(body: &mut &'a [u8], field: u32, kind: u64, depth: usize) -> Result<Content<'a>, Fault> {
    match kind {
        VARINT => take_varint(body).map(Content::Varint),
        FIXED64 => take(body, 8).map(|_| Content::Other),
        FIXED32 => take(body, 4).map(|_| Content::Other),
        BYTES => {
            let len = usize::try_from(take_varint(body)?).map_err(|_| Fault::Malformed)?;
            take(body, len).map(Content::Bytes)
        }
        GROUP if depth > 0 => loop {
            let (inner, kind) = take_tag(body)?;
            if kind == GROUP_END {
                return if inner == field { Ok(Content::Other) } else { Err(Fault::Malformed) };
            }
            take_content(body, inner, kind, depth - 1)?;
        },
        _ => Err(Fault::Malformed),
    }
}

fn take<'a>(body: &mut &'a [u8], len: usize) -> Result<&'a [u8], Fault> {
    let (taken, rest) = body.split_at_checked(len).ok_or(Fault::Malformed)?;
    *body = rest;
    Ok(taken)
}

fn take_varint(body: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = body.split_first().ok_or(Fault::Malformed)?;
        *body = rest;
        if shift == 63 && *byte > 1 {
            return Err(Fault::Malformed);
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Fault::Malformed)
}
