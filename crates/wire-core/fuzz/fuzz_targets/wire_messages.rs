//! Messages with secrets: refused, or read; what was read is written so that the same is read again.
#![no_main]

use wire_core::{
    Envelope, Facts, Form, Message, Output, decode_answer_lines, decode_json, decode_member, decode_protobuf, decode_reply,
};

const LIMIT: usize = 50;

fn encode(envelope: &Envelope, message: &mut Message<'_, '_>) {
    let metadata: Vec<_> = envelope.metadata.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
    let facts = Facts {
        id: &envelope.id,
        provider: envelope.provider.as_deref().unwrap_or(""),
        version: envelope.version.as_deref().unwrap_or(""),
        metadata: &metadata,
        times: [envelope.created_at, envelope.resolved_at, envelope.expires_at].map(|time| time.unwrap_or(f64::NAN)),
    };
    message.put(&facts, Some(envelope.value.as_bytes()));
}

fn written(envelopes: &[Envelope], form: Form) -> Vec<u8> {
    let write = |output: &mut Output<'_>| {
        let mut message = Message::begin(output, form);
        envelopes.iter().for_each(|envelope| encode(envelope, &mut message));
        message.end(b"");
    };
    let mut measure = Output::new(&mut []);
    write(&mut measure);
    let mut body = vec![0; measure.finish()];
    write(&mut Output::new(&mut body));
    body
}

fn check(envelopes: &[Envelope]) {
    assert!(envelopes.len() <= LIMIT);
    for again in [
        decode_protobuf(&written(envelopes, Form::Protobuf), LIMIT).unwrap(),
        decode_json(&written(envelopes, Form::Json), LIMIT).unwrap(),
    ] {
        assert_eq!(again.len(), envelopes.len());
        for (one, other) in envelopes.iter().zip(&again) {
            assert_eq!((&one.id, &one.provider, &one.version), (&other.id, &other.provider, &other.version));
            assert_eq!(one.metadata, other.metadata);
            let times = |one: &Envelope| [one.created_at, one.resolved_at, one.expires_at];
            assert_eq!(times(one), times(other));
            assert!(one.value.equals(other.value.as_bytes()));
        }
    }
}

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for decode in [decode_json, decode_protobuf, decode_answer_lines] {
        if let Ok(envelopes) = decode(body, LIMIT) {
            check(&envelopes);
        }
    }
    assert_eq!(decode_reply(body, LIMIT).is_ok(), decode_json(body, LIMIT).is_ok());
    let _ = decode_member(body, "passphrase");
});
