//! Values as the Credential Manager keeps them: UTF-16, little endian, without a byte order mark.

use crate::SecretBytes;

/// The value in UTF-16LE. `None` when it is not UTF-8: those bytes have no form here that reads back the same.
pub(super) fn encode(value: &[u8]) -> Option<SecretBytes> {
    let text = std::str::from_utf8(value).ok()?;
    let units = text.encode_utf16().count();
    Some(SecretBytes::with(units * 2, |blob| {
        for (unit, place) in text.encode_utf16().zip(blob.chunks_exact_mut(2)) {
            place.copy_from_slice(&unit.to_le_bytes());
        }
    }))
}

/// The value in UTF-8. `None` when the blob is not UTF-16LE: half a unit at its end, or a surrogate on its own.
pub(super) fn decode(blob: &[u8]) -> Option<SecretBytes> {
    if !blob.len().is_multiple_of(2) {
        return None;
    }
    let units = || blob.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let mut len = 0;
    for unit in char::decode_utf16(units()) {
        len += unit.ok()?.len_utf8();
    }
    Some(SecretBytes::with(len, |text| {
        let mut at = 0;
        for unit in char::decode_utf16(units()).flatten() {
            at += unit.encode_utf8(&mut text[at..]).len();
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: &[u8]) -> Vec<u8> {
        decode(encode(value).unwrap().as_bytes()).unwrap().as_bytes().to_vec()
    }

    #[test]
    fn text_comes_back_byte_for_byte() {
        for value in ["", "a", "a\0b\r\n", "pässwörd 🔑", "\u{feff}mark", "\u{fffd}\u{ffff}"] {
            assert_eq!(round_trip(value.as_bytes()), value.as_bytes());
        }
    }

    #[test]
    fn text_is_little_endian_without_a_mark() {
        assert_eq!(encode("aé".as_bytes()).unwrap().as_bytes(), [0x61, 0, 0xe9, 0]);
    }

    #[test]
    fn bytes_that_are_not_text_have_no_form() {
        for value in [&b"\xff"[..], b"\xed\xa0\x80", b"a\xc3"] {
            assert!(encode(value).is_none());
        }
    }

    #[test]
    fn blobs_that_are_not_utf_16_are_not_read() {
        for blob in [&b"a"[..], b"a\0b", b"\x00\xd8", b"\x00\xdc\x00\xd8"] {
            assert!(decode(blob).is_none());
        }
    }
}
