//! One value as a member of a JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keychain_core::{Code, Error, Result, SecretBytes};
use zeroize::Zeroizing;

/// Writes `"value":"…"` for UTF-8 text, `"valueBase64":"…"` for any other bytes.
pub fn json_member(value: &[u8]) -> Result<SecretBytes> {
    // Large enough for whatever is escaped, so that it is never moved and left behind.
    let mut member = Zeroizing::new(Vec::with_capacity(6 * value.len() + 32));
    if let Ok(text) = std::str::from_utf8(value) {
        member.extend_from_slice(b"\"value\":");
        serde_json::to_writer(&mut *member, text)
            .map_err(|_| Error::new(Code::Internal, "the value cannot be written as JSON"))?;
    } else {
        member.extend_from_slice(b"\"valueBase64\":\"");
        let encoded = Zeroizing::new(STANDARD.encode(value));
        member.extend_from_slice(encoded.as_bytes());
        member.push(b'"');
    }
    Ok(SecretBytes::copy_from(&member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_string_and_other_bytes_are_base64() {
        let member = |value: &[u8]| String::from_utf8_lossy(json_member(value).unwrap().as_bytes()).into_owned();
        assert_eq!(member(b"a\"\\\n\x01\xc3\xbc"), "\"value\":\"a\\\"\\\\\\n\\u0001\u{fc}\"");
        assert_eq!(member(b""), "\"value\":\"\"");
        assert_eq!(member(b"\xff\x00\n"), "\"valueBase64\":\"/wAK\"");
    }
}
