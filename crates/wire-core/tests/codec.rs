//! Envelopes in JSON and protobuf: what is written is read back, and what is not a message is refused without harm.

use keychain_core::{Code, MAX_METADATA_BYTES, MAX_VALUE_BYTES};
use wire_core::{
    Envelope, Facts, Form, Message, Output, decode_answer_lines, decode_json, decode_member, decode_protobuf,
    decode_reply,
};

/// A small generator of numbers, from a fixed seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes(&mut self, end: usize) -> Vec<u8> {
        (0..self.below(end)).map(|_| self.next() as u8).collect()
    }

    fn text(&mut self) -> String {
        const LETTERS: [&str; 10] = ["a", "/", "\u{fc}", "\"", "\\", "\n", "\0", "\u{1f600}", "-", "\u{7f}"];
        (0..self.below(12)).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn time(&mut self) -> f64 {
        match self.below(4) {
            0 => f64::NAN,
            1 => (self.next() % 253_402_300_799_999) as f64,
            2 => -((self.next() % 62_135_596_800_000) as f64),
            _ => 0.0,
        }
    }
}

/// A secret to be written.
struct Sample {
    texts: [String; 3],
    metadata: Vec<String>,
    times: [f64; 3],
    value: Vec<u8>,
}

impl Sample {
    fn random(random: &mut Random) -> Self {
        let mut metadata = Vec::new();
        for name in 0..random.below(4) {
            metadata.extend([format!("{name}{}", random.text()), random.text()]);
        }
        Self {
            texts: [random.text(), random.text(), random.text()],
            metadata,
            times: [random.time(), random.time(), random.time()],
            value: random.bytes(200),
        }
    }

    fn facts(&self) -> Facts<'_> {
        let [id, provider, version] = &self.texts;
        Facts { id, provider, version, metadata: &self.metadata, times: self.times }
    }

    fn assert_read(&self, read: &Envelope) {
        let [id, provider, version] = &self.texts;
        assert_eq!(&read.id, id);
        assert_eq!(read.provider.as_deref().unwrap_or(""), provider);
        assert_eq!(read.version.as_deref().unwrap_or(""), version);
        let metadata: Vec<_> = read.metadata.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
        assert_eq!(metadata, self.metadata);
        let times = [read.created_at, read.resolved_at, read.expires_at];
        assert_eq!(times, self.times.map(|time| (!time.is_nan()).then_some(time)));
        assert!(read.value.equals(&self.value));
    }
}

fn written(write: impl Fn(&mut Output<'_>)) -> Vec<u8> {
    let mut measure = Output::new(&mut []);
    write(&mut measure);
    let mut bytes = vec![0; measure.finish()];
    let mut output = Output::new(&mut bytes);
    write(&mut output);
    assert_eq!(output.finish(), bytes.len());
    bytes
}

fn message(form: Form, samples: &[Sample]) -> Vec<u8> {
    written(|output| {
        let mut message = Message::begin(output, form);
        for sample in samples {
            message.put(&sample.facts(), Some(&sample.value));
        }
        message.end(b"");
    })
}

fn protobuf(samples: &[Sample]) -> Vec<u8> {
    message(Form::Protobuf, samples)
}

fn json(samples: &[Sample]) -> Vec<u8> {
    message(Form::Json, samples)
}

fn samples(random: &mut Random, end: usize) -> Vec<Sample> {
    (0..random.below(end)).map(|_| Sample::random(random)).collect()
}

#[test]
fn what_is_written_is_read_back() {
    let mut random = Random(0x5eed);
    for _ in 0..500 {
        let samples = samples(&mut random, 6);
        for read in [decode_protobuf(&protobuf(&samples), 10).unwrap(), decode_json(&json(&samples), 10).unwrap()] {
            assert_eq!(read.len(), samples.len());
            samples.iter().zip(&read).for_each(|(sample, read)| sample.assert_read(read));
        }
    }
}

#[test]
fn messages_that_are_cut_or_altered_are_read_or_refused_but_never_more() {
    let mut random = Random(0xdead_beef);
    for _ in 0..200 {
        let samples = samples(&mut random, 4);
        for bytes in [protobuf(&samples), json(&samples)] {
            for end in 0..bytes.len() {
                check_any(&bytes[..end]);
            }
            for _ in 0..50 {
                let mut altered = bytes.clone();
                if altered.is_empty() {
                    continue;
                }
                for _ in 0..=random.below(3) {
                    let at = random.below(altered.len());
                    altered[at] = random.next() as u8;
                }
                check_any(&altered);
            }
        }
        check_any(&random.bytes(300));
    }
}

fn check_any(bytes: &[u8]) {
    for decode in [decode_json, decode_protobuf, decode_answer_lines] {
        if let Err(error) = decode(bytes, 4) {
            assert!(matches!(error.code(), Code::Corrupt | Code::LimitExceeded | Code::ValueTooLarge), "{error}");
        }
    }
    drop(decode_member(bytes, "passphrase"));
}

#[test]
fn a_cut_json_message_is_refused_at_every_length() {
    let bytes = json(&samples(&mut Random(7), 9));
    for end in 0..bytes.len() {
        assert_eq!(decode_json(&bytes[..end], 9).unwrap_err().code(), Code::Corrupt);
    }
}

#[test]
fn a_hundred_thousand_envelopes_are_read_and_one_more_is_refused() {
    let mut random = Random(3);
    let all: Vec<_> = (0..100_000).map(|_| Sample { value: vec![1], ..Sample::random(&mut random) }).collect();
    let bytes = protobuf(&all);
    assert_eq!(decode_protobuf(&bytes, 100_000).unwrap().len(), 100_000);
    assert_eq!(decode_protobuf(&bytes, 99_999).unwrap_err().code(), Code::LimitExceeded);
    let bytes = json(&all);
    assert_eq!(decode_json(&bytes, 100_000).unwrap().len(), 100_000);
    assert_eq!(decode_json(&bytes, 99_999).unwrap_err().code(), Code::LimitExceeded);
}

#[test]
fn the_longest_value_is_read_and_a_longer_one_is_refused() {
    for (len, fits) in [(MAX_VALUE_BYTES, true), (MAX_VALUE_BYTES + 1, false), (MAX_VALUE_BYTES + 3, false)] {
        let sample = Sample { value: vec![7; len], ..Sample::random(&mut Random(1)) };
        let sample = Sample { times: [f64::NAN; 3], ..sample };
        let all = [sample];
        for read in [decode_protobuf(&protobuf(&all), 1), decode_json(&json(&all), 1)] {
            match read {
                Ok(read) => {
                    assert!(fits);
                    all[0].assert_read(&read[0]);
                }
                Err(error) => {
                    assert!(!fits);
                    assert_eq!(error.code(), Code::ValueTooLarge);
                    assert!(error.details().contains(&("limit", MAX_VALUE_BYTES.to_string())));
                }
            }
        }
    }
}

#[test]
fn metadata_beyond_their_limit_are_refused() {
    let metadata = vec!["k".to_owned(), "v".repeat(MAX_METADATA_BYTES)];
    let all = [Sample { metadata, times: [f64::NAN; 3], ..Sample::random(&mut Random(1)) }];
    assert_eq!(decode_protobuf(&protobuf(&all), 1).unwrap_err().code(), Code::ValueTooLarge);
    assert_eq!(decode_json(&json(&all), 1).unwrap_err().code(), Code::ValueTooLarge);
}

#[test]
fn a_target_that_is_too_short_is_wiped_and_the_length_told() {
    let sample = Sample::random(&mut Random(9));
    for form in [Form::Json, Form::Protobuf] {
        let whole = message(form, std::slice::from_ref(&sample));
        for len in 0..whole.len() {
            let mut target = vec![0xee; len];
            let mut output = Output::new(&mut target);
            let mut message = Message::begin(&mut output, form);
            message.put(&sample.facts(), Some(&sample.value));
            message.end(b"");
            assert_eq!(output.finish(), whole.len());
            assert!(target.iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn json_is_written_as_protobuf_has_it_with_further_members_and_without_values() {
    let sample = Sample {
        texts: ["a/b".into(), "q\"\\\n\u{7f}\u{0}\u{1f600}".into(), String::new()],
        metadata: vec!["k".into(), "v".into(), "l".into(), String::new()],
        times: [f64::NAN, 1_772_323_199_123.0, 0.0],
        value: b"hunter2".to_vec(),
    };
    let text = written(|output| {
        let mut message = Message::begin(output, Form::Json);
        message.put(&sample.facts(), None);
        message.put(&sample.facts(), Some(&sample.value));
        message.end(br#","results":[]"#);
    });
    let facts = [
        "\"provider\":\"q\\\"\\\\\\u000a\u{7f}\\u0000\u{1f600}\",\"version\":\"\"",
        r#""createdAt":"0001-01-01T00:00:00Z","resolvedAt":"2026-02-28T23:59:59.123Z""#,
        r#""expiresAt":"1970-01-01T00:00:00.000Z","metadata":{"k":"v","l":""}}"#,
    ]
    .join(",");
    let id = r#"{"id":"a/b","#;
    let expected = format!(r#"{{"envelopes":[{id}{facts},{id}"value":"aHVudGVyMg==",{facts}],"results":[]}}"#);
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

fn envelope(json: &str) -> Envelope {
    let mut envelopes = decode_json(format!("{{\"envelopes\":[{json}]}}").as_bytes(), 1).unwrap();
    envelopes.remove(0)
}

#[test]
fn json_is_read_as_protobuf_has_it() {
    let read = envelope(
        r#"{"id":"a","value":"_-8","created_at":"2026-01-01T00:00:00+01:00","resolvedAt":null,"expiresAt":"0001-01-01T00:00:00Z","metadata":{"__proto__":"x"},"more":{"deep":[1]}}"#,
    );
    assert!(read.value.equals(b"\xff\xef"));
    assert_eq!(read.created_at, Some(1_767_222_000_000.0));
    assert_eq!((read.resolved_at, read.expires_at), (None, None));
    assert_eq!(read.metadata["__proto__"], "x");
    let read = envelope(r#"{"id":null,"value":null,"provider":null,"version":null,"metadata":null}"#);
    assert_eq!((read.id.as_str(), read.value.as_bytes()), ("", &b""[..]));
    assert!(envelope(r#"{"value":"\u0059\u0051=="}"#).value.equals(b"a"), "escaped");
    assert!(decode_json(br#"{"envelopes":null}"#, 0).unwrap().is_empty());
    assert!(decode_json(b" {} ", 0).unwrap().is_empty());
}

macro_rules! refused {
    ($($name:ident: $decode:expr, $text:expr;)*) => {
        $(#[test] fn $name() {
            let text = $text;
            let text: &[u8] = &text[..];
            assert_eq!($decode(text).unwrap_err().code(), Code::Corrupt);
        })*
    };
}

fn any_json(text: &[u8]) -> keychain_core::Result<Vec<Envelope>> {
    decode_json(text, 10)
}

fn lines(text: &[u8]) -> keychain_core::Result<Vec<Envelope>> {
    decode_answer_lines(text, 10)
}

fn passphrase(text: &[u8]) -> keychain_core::Result<keychain_core::SecretBytes> {
    decode_member(text, "passphrase")
}

fn any_protobuf(text: &[u8]) -> keychain_core::Result<Vec<Envelope>> {
    decode_protobuf(text, 10)
}

refused! {
    no_json: any_json, b"x";
    no_object: any_json, b"[]";
    something_after_it: any_json, b"{} x";
    envelopes_twice: any_json, br#"{"envelopes":[],"envelopes":[]}"#;
    envelopes_that_are_no_list: any_json, br#"{"envelopes":{}}"#;
    null_among_envelopes: any_json, br#"{"envelopes":[null]}"#;
    a_member_twice: any_json, br#"{"envelopes":[{"value":"YQ==","value":"Yg=="}]}"#;
    a_member_under_both_names: any_json, br#"{"envelopes":[{"createdAt":null,"created_at":null}]}"#;
    a_value_that_is_a_number: any_json, br#"{"envelopes":[{"value":1}]}"#;
    a_value_that_is_no_base64: any_json, br#"{"envelopes":[{"value":"a"}]}"#;
    a_time_that_is_a_number: any_json, br#"{"envelopes":[{"createdAt":1}]}"#;
    metadata_of_numbers: any_json, br#"{"envelopes":[{"metadata":{"a":1}}]}"#;
    metadata_twice: any_json, br#"{"envelopes":[{"metadata":{"a":"","a":""}}]}"#;
    json_that_is_not_utf8: any_json, b"{\"x\":\"\xff\"}";
    json_that_is_too_deep: any_json, format!("{{\"x\":{}", "[".repeat(100_000)).into_bytes();
    a_lone_surrogate: any_json, br#"{"envelopes":[{"id":"\ud800"}]}"#;
    field_zero: any_protobuf, b"\x02\x00";
    a_length_beyond_the_end: any_protobuf, b"\x0a\x05\x0a";
    the_longest_length: any_protobuf, b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    a_varint_that_is_too_long: any_protobuf, b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
    an_envelope_that_is_a_number: any_protobuf, b"\x08\x01";
    an_id_that_is_not_utf8: any_protobuf, b"\x0a\x03\x0a\x01\xff";
    an_id_that_is_a_number: any_protobuf, b"\x0a\x02\x08\x01";
    a_time_out_of_range: any_protobuf, b"\x0a\x0d\x2a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10\x01";
    a_group_that_does_not_end: any_protobuf, b"\x13";
    an_end_without_a_group: any_protobuf, b"\x14";
    a_group_that_ends_as_another: any_protobuf, b"\x13\x1c";
    groups_that_are_too_deep: any_protobuf, [0x13; 1000];
    an_unknown_wire_type: any_protobuf, b"\x16";
    a_line_without_id: lines, br#"{"value":"x"}"#;
    a_line_without_value: lines, br#"{"id":"x"}"#;
    a_line_with_two_values: lines, br#"{"id":"x","value":"a","valueBase64":"YQ=="}"#;
    a_line_with_an_unknown_member: lines, br#"{"id":"x","value":"a","password":"b"}"#;
    a_line_with_two_objects: lines, br#"{"id":"x","value":"a"}{"id":"y","value":"a"}"#;
    a_line_that_is_not_utf8: lines, b"{\"id\":\"x\",\"value\":\"\xff\"}";
    another_member: passphrase, br#"{"passphrase":"YQ==","x":1}"#;
    the_member_twice: passphrase, br#"{"passphrase":"YQ==","passphrase":"YQ=="}"#;
    no_member: passphrase, b"{}";
    a_member_that_is_null: passphrase, br#"{"passphrase":null}"#;
}

#[test]
fn unknown_fields_of_protobuf_are_passed_over() {
    // In turn: a varint, 64 and 32 bits, bytes, a group with a group in it; field 15 and beyond.
    let unknown = b"\x78\x01\x79AAAAAAAA\x7dAAAA\x7a\x01A\x7b\x83\x01\x84\x01\x7c\xfa\xff\xff\xff\x0f\x00";
    let mut body = unknown.to_vec();
    body.extend([0x0a, (unknown.len() + 3) as u8, 0x0a, 1, b'x']);
    body.extend(unknown);
    let read = decode_protobuf(&body, 1).unwrap();
    assert_eq!(read[0].id, "x");
}

#[test]
fn of_a_field_that_is_there_twice_the_last_counts_and_times_merge() {
    let body = b"\x0a\x10\x0a\x01a\x0a\x01b\x2a\x02\x08\x05\x2a\x04\x10\xc0\x84\x3d";
    let read = decode_protobuf(body, 1).unwrap();
    assert_eq!(read[0].id, "b");
    assert_eq!(read[0].created_at, Some(5001.0));
}

#[test]
fn answer_lines_are_read() {
    let text = b"\n{\"id\":\"a/b\",\"value\":\"h\\u00fc\\n\",\"metadata\":{\"k\":\"v\"}}\r\n  \n{\"id\":\"c\",\"valueBase64\":\"/w==\",\"version\":\"2\",\"createdAt\":\"1970-01-01T00:00:01Z\",\"expiresAt\":null}";
    let read = decode_answer_lines(text, 2).unwrap();
    assert!(read[0].value.equals("h\u{fc}\n".as_bytes()));
    assert_eq!(read[0].metadata["k"], "v");
    assert!(read[1].value.equals(b"\xff"));
    assert_eq!((read[1].version.as_deref(), read[1].created_at, read[1].expires_at), (Some("2"), Some(1000.0), None));
    assert_eq!(decode_answer_lines(text, 1).unwrap_err().code(), Code::LimitExceeded);
    let error = decode_answer_lines(b"{\"id\":\"a\",\"value\":\"\"}\n\nhunter2", 9).unwrap_err();
    assert_eq!(error.details(), [("line", "3".to_owned())]);
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn the_rest_of_an_answer_is_handed_on_as_it_came() {
    let body = br#"{"results":[{"a" : "\u0000"}], "envelopes":[{"id":"a"}],"n\"":1.50}"#;
    let reply = decode_reply(body, 1).unwrap();
    assert_eq!(reply.envelopes.len(), 1);
    assert_eq!(reply.rest, r#"{"results":[{"a" : "\u0000"}],"n\"":1.50}"#);
    assert_eq!(decode_reply(b"{}", 1).unwrap().rest, "{}");
}

#[test]
fn a_passphrase_is_read() {
    assert!(passphrase(br#" {"passphrase":"aHVudGVyMg=="} "#).unwrap().equals(b"hunter2"));
    let error = passphrase(b"{\"passphrase\":\"hunter2!\"}").unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[test]
fn a_template_has_as_many_places_as_there_are_values() {
    for (template, values) in [("\0", 0), ("", 1), ("\0\0", 1)] {
        let mut target = [0; 64];
        let mut output = Output::new(&mut target);
        let spliced = wire_core::splice(&mut output, template.as_bytes(), values, |_, put| {
            put(b"a");
            Ok(())
        });
        assert_eq!(spliced.unwrap_err().code(), Code::Internal, "{template:?} {values}");
    }
}
