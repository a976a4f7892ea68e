//! Base64, in wiping memory.

use ::base64::Engine as _;
use ::base64::alphabet;
use ::base64::engine::general_purpose::STANDARD;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use keychain_core::SecretBytes;

use crate::output::Output;

// As encoders in the field write it: bits after the last byte need not be zero.
const LOOSE: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireNone);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LOOSE);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LOOSE);

/// Adds a value in the standard alphabet, with padding.
pub(crate) fn put_base64(output: &mut Output<'_>, value: &[u8]) {
    let len = value.len().div_ceil(3).saturating_mul(4);
    output.put_with(len, |place| {
        // Fails only for a place that is too short, and this one has the length.
        let _ = STANDARD.encode_slice(value, place);
    });
}

/// Reads base64 as protobuf's JSON allows it: standard or URL-safe, with or without padding. None: it is none.
pub(crate) fn decode_base64(text: &[u8]) -> Option<SecretBytes> {
    let digits = match text {
        [digits @ .., b'=', b'='] | [digits @ .., b'='] if text.len().is_multiple_of(4) => digits,
        _ => text,
    };
    let alphabet = if digits.iter().any(|digit| matches!(digit, b'-' | b'_')) { &URL_SAFE } else { &PLAIN };
    let len = digits.len() / 4 * 3 + [0, 0, 1, 2][digits.len() % 4];
    let mut decoded = None;
    let value = SecretBytes::with(len, |target| decoded = alphabet.decode_slice(digits, target).ok());
    (decoded == Some(len)).then_some(value)
}

/// How many bytes a base64 text of this length stands for, at most.
pub(crate) fn decoded_len(text: usize) -> usize {
    text.div_ceil(4).saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        decode_base64(text.as_bytes()).map(|value| value.as_bytes().to_vec())
    }

    #[test]
    fn every_form_that_protobuf_allows_is_read() {
        for (text, value) in [
            ("", &b""[..]),
            ("/+8=", b"\xff\xef"),
            ("/+8", b"\xff\xef"),
            ("_-8=", b"\xff\xef"),
            ("_-8", b"\xff\xef"),
            ("YQ==", b"a"),
            ("YQ", b"a"),
            ("YR", b"a"),
            ("YWJj", b"abc"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["a", "=", "==", "====", "YQ=", "YQ===", "YW=j", "Y Q=", "/_8=", "YWJj=", "\u{fc}bcd", "YQ==YQ=="] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }

    #[test]
    fn values_of_every_length_come_back() {
        for len in (0..100_usize).chain([1023, 1024, 1025, 100_000]) {
            let value: Vec<u8> = (0..len).map(|at| (at * 7 % 256) as u8).collect();
            let mut text = vec![0; len.div_ceil(3) * 4];
            let mut output = Output::new(&mut text);
            put_base64(&mut output, &value);
            assert_eq!(output.finish(), text.len());
            assert!(decode_base64(&text).unwrap().equals(&value), "{len} bytes");
            assert!(decoded_len(text.len()) >= len);
        }
    }
}
