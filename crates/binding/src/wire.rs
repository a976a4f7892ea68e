//! Values on the wire, for JavaScript: from handles into bytes that are sent, and from bytes that came into handles.

use std::cell::RefCell;
use std::ptr;

use keychain_core::{Code, Error, Result, SecretBytes};
use napi::bindgen_prelude::{ClassInstance, Float64ArraySlice, JsValue, Uint8ArraySlice};
use napi::{JsString, check_status, sys};
use napi_derive::napi;
use wire_core::{Envelope, Facts, Form, Message, Output};
use zeroize::Zeroize;

use crate::metadata::Metadata;
use crate::outcome::Outcome;
use crate::secret::{SecretHandle, SecretView};

/// The most secrets of an answer.
#[cfg(unix)]
pub(crate) const MAX_ENVELOPES: usize = 100_000;
/// The longest message: 256 MiB.
const MAX_MESSAGE_BYTES: u32 = 256 << 20;

/// A secret as it comes over the wire. Times are milliseconds since 1970.
#[napi(object, object_from_js = false)]
pub struct WireEnvelope {
    /// The id.
    pub id: String,
    /// The plugin that answered.
    pub provider: Option<String>,
    /// The version of the value.
    pub version: Option<String>,
    /// Facts beside the value.
    #[napi(ts_type = "Record<string, string>")]
    pub metadata: Metadata,
    /// When it was first stored.
    pub created_at: Option<f64>,
    /// When it was read.
    pub resolved_at: Option<f64>,
    /// When it stops being valid.
    pub expires_at: Option<f64>,
    /// The value.
    pub secret: SecretHandle,
}

impl From<Envelope> for WireEnvelope {
    fn from(envelope: Envelope) -> Self {
        Self {
            id: envelope.id,
            provider: envelope.provider,
            version: envelope.version,
            metadata: envelope.metadata.into(),
            created_at: envelope.created_at,
            resolved_at: envelope.resolved_at,
            expires_at: envelope.expires_at,
            secret: SecretHandle::new(envelope.value),
        }
    }
}

/// Lets `read` see a text as UTF-8. A lone surrogate becomes U+FFFD.
pub fn with_text<T>(text: &JsString<'_>, read: impl FnOnce(&[u8]) -> T) -> napi::Result<T> {
    thread_local! {
        static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 4096]);
    }
    SCRATCH.with_borrow_mut(|scratch| {
        let raw = text.value();
        let mut length = 0;
        // SAFETY: the string is alive for the length of this call; without a buffer only the length is written.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(raw.env, raw.value, ptr::null_mut(), 0, &raw mut length)
        })?;
        // Node-API ends the text with a zero byte, which needs room.
        if scratch.len() <= length {
            scratch.resize(length + 1, 0);
        }
        // SAFETY: the buffer has the length that is given, and outlives the call.
        check_status!(unsafe {
            sys::napi_get_value_string_utf8(
                raw.env,
                raw.value,
                scratch.as_mut_ptr().cast(),
                length + 1,
                &raw mut length,
            )
        })?;
        let answer = read(&scratch[..length]);
        scratch.truncate(64 << 10);
        scratch.shrink_to(64 << 10);
        Ok(answer)
    })
}

/// Writes into the target, or wipes what was written.
fn write(target: &mut Uint8ArraySlice<'_>, work: impl FnOnce(&mut Output<'_>) -> Result<()>) -> Outcome<u32> {
    Outcome::of(|| {
        // SAFETY: JavaScript waits for this call, and no worker has the array: it was made for this message.
        let mut output = Output::new(unsafe { target.as_mut() });
        match work(&mut output) {
            // Saturated, it is longer than any message may be.
            Ok(()) => Ok(u32::try_from(output.finish()).unwrap_or(u32::MAX)),
            Err(error) => {
                output.abandon();
                Err(error)
            }
        }
    })
}

/// Zeroed memory of this length, as values have it.
#[napi(ts_return_type = "Outcome<SecretView>")]
pub fn wire_buffer(length: u32) -> Outcome<SecretView> {
    Outcome::of(|| {
        if length > MAX_MESSAGE_BYTES {
            return Err(Error::new(
                Code::LimitExceeded,
                format!("a message of {length} bytes is longer than {MAX_MESSAGE_BYTES}"),
            )
            .with_hint("ask for fewer secrets at a time")
            .with_detail("length", length)
            .with_detail("limit", MAX_MESSAGE_BYTES));
        }
        Ok(SecretView::new(SecretBytes::with(length as usize, |_| ())))
    })
}

/// The form that JavaScript names.
pub(crate) fn form(json: bool) -> Form {
    if json { Form::Json } else { Form::Protobuf }
}

/// Writes a `resolver.v1.GetSecretsResponse`.
#[napi(ts_return_type = "Outcome<number>")]
pub fn encode_envelopes(
    json: bool,
    facts: Vec<String>,
    times: Float64ArraySlice<'_>,
    values: Vec<ClassInstance<'_, SecretHandle>>,
    members: JsString<'_>,
    mut target: Uint8ArraySlice<'_>,
) -> napi::Result<Outcome<u32>> {
    with_text(&members, |members| {
        write(&mut target, |output| {
            let malformed = || Error::new(Code::Internal, "the facts are not those of as many secrets");
            let mut message = Message::begin(output, form(json));
            let mut facts = &facts[..];
            for (at, times) in times.chunks_exact(3).enumerate() {
                let ([id, provider, version, pairs], rest) = facts.split_first_chunk().ok_or_else(malformed)?;
                let pairs: usize = pairs.parse().map_err(|_| malformed())?;
                let (metadata, rest) = rest.split_at_checked(pairs.saturating_mul(2)).ok_or_else(malformed)?;
                let &[created, resolved, expires] = times else { return Err(malformed()) };
                let facts_of = Facts { id, provider, version, metadata, times: [created, resolved, expires] };
                match values.get(at) {
                    Some(value) => value.with(|value| message.put(&facts_of, Some(value)))?,
                    None if values.is_empty() => message.put(&facts_of, None),
                    None => return Err(malformed()),
                }
                facts = rest;
            }
            if !facts.is_empty() || values.len() > times.len() / 3 {
                return Err(malformed());
            }
            message.end(members);
            Ok(())
        })
    })
}

/// Reads what JavaScript has in an array, and wipes that.
fn read<T>(mut body: Uint8ArraySlice<'_>, work: impl FnOnce(&[u8]) -> Result<T>) -> Outcome<T> {
    Outcome::of(|| {
        // SAFETY: JavaScript waits for this call, and has given the array away.
        let body = unsafe { body.as_mut() };
        let answer = work(body);
        body.zeroize();
        keychain_core::clear_registers();
        answer
    })
}

fn wire_envelopes(envelopes: Vec<Envelope>) -> Vec<WireEnvelope> {
    envelopes.into_iter().map(WireEnvelope::from).collect()
}

/// Reads a `resolver.v1.GetSecretsResponse` and wipes it.
#[napi(ts_return_type = "Outcome<WireEnvelope[]>")]
pub fn decode_envelopes(
    #[napi(ts_arg_type = "'json' | 'proto'")] form: String,
    body: Uint8ArraySlice<'_>,
    limit: u32,
) -> Outcome<Vec<WireEnvelope>> {
    read(body, |body| {
        let decode = if form == "json" { wire_core::decode_json } else { wire_core::decode_protobuf };
        decode(body, limit as usize).map(wire_envelopes)
    })
}

/// Reads the lines of an executable plugin and wipes them.
#[napi(ts_return_type = "Outcome<WireEnvelope[]>")]
pub fn decode_answer_lines(lines: Uint8ArraySlice<'_>, limit: u32) -> Outcome<Vec<WireEnvelope>> {
    read(lines, |lines| wire_core::decode_answer_lines(lines, limit as usize).map(wire_envelopes))
}

/// Reads the base64 member of this name from a JSON object that holds nothing else, and wipes that.
#[napi(ts_return_type = "Outcome<SecretHandle>")]
pub fn decode_member(body: Uint8ArraySlice<'_>, name: String) -> Outcome<SecretHandle> {
    read(body, |body| wire_core::decode_member(body, &name).map(SecretHandle::new))
}
