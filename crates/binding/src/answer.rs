//! The usual answer of a daemon, one secret without metadata, from its handle into the socket in one call: a stream of Node
//! costs more than all the rest of a request.
#![expect(clippy::too_many_arguments, reason = "an object for them would cost as much as the encoding")]

use std::cell::RefCell;
use std::io;
use std::ops::Range;

use keychain_core::{Code, Error, Result, SecretBytes};
use napi::bindgen_prelude::JsValue;
use napi::{JsString, check_status, sys};
use napi_derive::napi;
use wire_core::{Facts, Message, Output};
use zeroize::Zeroize;

use crate::outcome::Outcome;
use crate::secret::{SecretHandle, SecretView};
use crate::wire::form;

/// Room for the texts of an answer.
const TEXT_BYTES: usize = 8 << 10;
/// Room for its head.
const HEAD_BYTES: usize = 1 << 10;
/// Room for its body.
const BODY_BYTES: usize = 24 << 10;

thread_local! {
    static TEXTS: RefCell<Vec<u8>> = RefCell::new(vec![0; TEXT_BYTES]);
    /// Memory as values have it. The body is zeroed between two answers.
    static ANSWER: RefCell<Option<SecretBytes>> = const { RefCell::new(None) };
}

/// Sends an answer with one secret. `head` is all of its head but the value of the last header, which is `name`, and the
/// length. Times are milliseconds since 1970, NaN where not known. Null: all of it is sent. Otherwise what
/// is left, which the socket did not take. Texts or a value that do not fit → `Internal`.
#[napi(ts_return_type = "Outcome<SecretView> | null")]
pub fn send_secret(
    fd: i32,
    json: bool,
    head: JsString<'_>,
    name: JsString<'_>,
    id: JsString<'_>,
    provider: JsString<'_>,
    version: JsString<'_>,
    created_at: f64,
    resolved_at: f64,
    expires_at: f64,
    value: &SecretHandle,
) -> napi::Result<Option<Outcome<SecretView>>> {
    TEXTS.with_borrow_mut(|room| {
        let mut used = 0;
        let mut ranges = [const { 0..0 }; 5];
        for (range, text) in ranges.iter_mut().zip([head, name, id, provider, version]) {
            *range = read_text(room, used, &text)?;
            used = range.end;
        }
        let [head, name, id, provider, version] =
            ranges.map(|range| std::str::from_utf8(&room[range]).unwrap_or_default());
        let facts = Facts { id, provider, version, metadata: &[], times: [created_at, resolved_at, expires_at] };
        Ok(Outcome::of(|| {
            ANSWER.with_borrow_mut(|answer| {
                let memory = answer.get_or_insert_with(|| SecretBytes::with(HEAD_BYTES + BODY_BYTES, |_| ()));
                send(fd, memory.as_bytes_mut(), [head, name], json, &facts, value)
            })
        })
        .transpose())
    })
}

/// Puts a text into the room as UTF-8. A lone surrogate becomes U+FFFD.
fn read_text(room: &mut [u8], start: usize, text: &JsString<'_>) -> napi::Result<Range<usize>> {
    let raw = text.value();
    let place = &mut room[start..];
    let mut length = 0;
    // SAFETY: the string is alive for the length of this call, and the buffer has the length that is given.
    check_status!(unsafe {
        sys::napi_get_value_string_utf8(raw.env, raw.value, place.as_mut_ptr().cast(), place.len(), &raw mut length)
    })?;
    // Node-API ends the text with a zero byte, and cuts off what does not fit.
    if length + 4 > place.len() {
        return Err(napi::Error::from_reason("the texts of the answer are too long"));
    }
    Ok(start..start + length)
}

/// Writes the answer into the memory and sends it. What is left has memory of its own.
fn send(
    fd: i32,
    memory: &mut [u8],
    [head, name]: [&str; 2],
    json: bool,
    facts: &Facts<'_>,
    value: &SecretHandle,
) -> Result<Option<SecretView>> {
    let (before, body) = memory.split_at_mut(HEAD_BYTES);
    let mut output = Output::new(body);
    let mut message = Message::begin(&mut output, form(json));
    value.with(|value| message.put(facts, Some(value)))?;
    message.end(b"");
    let length = output.finish();
    let head = format!("{head}{name}\r\nContent-Length: {length}\r\n\r\n");
    let start = HEAD_BYTES.checked_sub(head.len()).filter(|_| length <= BODY_BYTES);
    let Some(start) = start else {
        body.zeroize();
        return Err(Error::new(Code::Internal, "the answer is too long to be sent at once"));
    };
    before[start..].copy_from_slice(head.as_bytes());
    let whole = &mut memory[start..HEAD_BYTES + length];
    let sent = send_now(fd, whole);
    let left = (sent < whole.len()).then(|| SecretView::new(SecretBytes::copy_from(&whole[sent..])));
    whole.zeroize();
    keychain_core::clear_registers();
    Ok(left)
}

/// Gives the socket as much as it takes now. Of one that has failed that is nothing: whoever sends the rest is told.
fn send_now(fd: i32, bytes: &[u8]) -> usize {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // Node ignores SIGPIPE.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let flags = libc::MSG_DONTWAIT;
    loop {
        // SAFETY: the bytes are alive for the length of this call.
        let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        if let Ok(sent) = usize::try_from(sent) {
            return sent;
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return 0;
        }
    }
}
