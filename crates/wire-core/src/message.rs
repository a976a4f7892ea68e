//! `resolver.v1.GetSecretsResponse`, written envelope by envelope, in both of its forms.

use crate::base64::put_base64;
use crate::envelope::Facts;
use crate::output::Output;
use crate::protobuf::encode_envelope;
use crate::time::put_rfc3339;

/// What a message is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Protobuf's JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

/// A message that is being written.
pub struct Message<'o, 't> {
    output: &'o mut Output<'t>,
    form: Form,
    count: usize,
}

impl<'o, 't> Message<'o, 't> {
    /// Begins a message.
    pub fn begin(output: &'o mut Output<'t>, form: Form) -> Self {
        if form == Form::Json {
            output.put(br#"{"envelopes":["#);
        }
        Self { output, form, count: 0 }
    }

    /// Adds an envelope. Without a value its field is left out.
    pub fn put(&mut self, facts: &Facts<'_>, value: Option<&[u8]>) {
        match self.form {
            Form::Json => {
                if self.count > 0 {
                    self.output.put(b",");
                }
                put_json(self.output, facts, value);
            }
            Form::Protobuf => encode_envelope(self.output, facts, value.unwrap_or_default()),
        }
        self.count += 1;
    }

    /// Ends the message. `members` are further ones of the JSON object, each with a comma before it.
    pub fn end(self, members: &[u8]) {
        if self.form == Form::Json {
            self.output.put(b"]");
            self.output.put(members);
            self.output.put(b"}");
        }
    }
}

fn put_json(output: &mut Output<'_>, facts: &Facts<'_>, value: Option<&[u8]>) {
    output.put(br#"{"id":"#);
    put_text(output, facts.id);
    if let Some(value) = value {
        output.put(br#","value":""#);
        put_base64(output, value);
        output.put(b"\"");
    }
    output.put(br#","provider":"#);
    put_text(output, facts.provider);
    output.put(br#","version":"#);
    put_text(output, facts.version);
    let names: [&[u8]; 3] = [br#","createdAt":""#, br#","resolvedAt":""#, br#","expiresAt":""#];
    for (name, time) in names.into_iter().zip(facts.times) {
        output.put(name);
        put_rfc3339(output, time);
        output.put(b"\"");
    }
    for (at, entry) in facts.metadata.chunks_exact(2).enumerate() {
        output.put(if at == 0 { br#","metadata":{"# } else { b"," });
        put_text(output, &entry[0]);
        output.put(b":");
        put_text(output, &entry[1]);
    }
    if facts.metadata.len() >= 2 {
        output.put(b"}");
    }
    output.put(b"}");
}

/// Adds a JSON string. What must be escaped is: quotes, backslashes and control characters (RFC 8259, section 7).
fn put_text(output: &mut Output<'_>, text: &str) {
    output.put(b"\"");
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !matches!(byte, b'"' | b'\\' | 0..0x20) {
            continue;
        }
        output.put(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => output.put(br#"\""#),
            b'\\' => output.put(br"\\"),
            _ => output.put(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    output.put(&bytes[plain..]);
    output.put(b"\"");
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit)]
}
