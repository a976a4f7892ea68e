//! The grammar that ids and patterns share: which bytes may stand where.

use crate::MAX_BYTES;

/// Whether the byte may be part of a component: `A-Z a-z 0-9 . _ : -`.
pub(crate) const fn is_component_byte(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-')
}

/// Offset of the first byte that keeps the text from being an id; the text's length where it ends too early.
pub(crate) fn first_wrong_in_id(text: &[u8]) -> Option<usize> {
    let mut component_is_empty = true;
    for (at, &byte) in text.iter().enumerate().take(MAX_BYTES) {
        if is_component_byte(byte) {
            component_is_empty = false;
        } else if byte != b'/' || std::mem::replace(&mut component_is_empty, true) {
            return Some(at);
        }
    }
    end(text, component_is_empty)
}

/// As [`first_wrong_in_id`], where `*` and `**` may be components too.
pub(crate) fn first_wrong_in_pattern(text: &[u8]) -> Option<usize> {
    // How many bytes and how many stars the component has so far.
    let (mut bytes, mut stars) = (0, 0);
    for (at, &byte) in text.iter().enumerate().take(MAX_BYTES) {
        match byte {
            b'/' if bytes > 0 => (bytes, stars) = (0, 0),
            b'*' if bytes == stars && stars < 2 => (bytes, stars) = (bytes + 1, stars + 1),
            _ if is_component_byte(byte) && stars == 0 => bytes += 1,
            _ => return Some(at),
        }
    }
    end(text, bytes == 0)
}

fn end(text: &[u8], component_is_empty: bool) -> Option<usize> {
    if text.len() > MAX_BYTES {
        Some(MAX_BYTES)
    } else if component_is_empty {
        Some(text.len())
    } else {
        None
    }
}
