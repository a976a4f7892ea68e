//! Metadata in the form in which Docker's programs keep it in a keychain item: a Go `map[string]any` of strings, in
//! Go's `gob` encoding. They refuse to list at all when one item's is in another form.
//!
//! A stream is a row of messages, each after its length: first those that define a type (with a negative number),
//! then one with the number of a type and a value of it. See <https://pkg.go.dev/encoding/gob>.

use std::collections::BTreeMap;

/// The definition of type 64, the first that a Go program may define: a map of strings (6) to interfaces (8).
const DEFINITION: &[u8] = &[0x7f, 4, 1, 2, 0xff, 0x80, 0, 1, 0x0c, 1, 0x10, 0, 0];
const MAP: i64 = 64;
const STRING: i64 = 6;

/// The map as Go's encoder writes it (the order of the pairs is free).
pub(crate) fn encode(map: &BTreeMap<String, String>) -> Vec<u8> {
    let mut body = Vec::new();
    put_int(&mut body, MAP);
    body.push(0);
    put_uint(&mut body, map.len() as u64);
    for (name, value) in map {
        put_bytes(&mut body, name.as_bytes());
        // An interface: the name of its type, the number of it, and the length of a value before it.
        put_bytes(&mut body, b"string");
        put_int(&mut body, STRING);
        let mut text = vec![0];
        put_bytes(&mut text, value.as_bytes());
        put_bytes(&mut body, &text);
    }
    let mut stream = Vec::new();
    put_bytes(&mut stream, DEFINITION);
    put_bytes(&mut stream, &body);
    stream
}

/// Reads such a map. `None` when it is none: cut short, of another type, or followed by something else.
pub(crate) fn decode(mut stream: &[u8]) -> Option<BTreeMap<String, String>> {
    loop {
        let mut message = take_bytes(&mut stream)?;
        if take_int(&mut message)? < 0 {
            continue;
        }
        let map = take_map(&mut message)?;
        return (stream.is_empty() && message.is_empty()).then_some(map);
    }
}

fn take_map(from: &mut &[u8]) -> Option<BTreeMap<String, String>> {
    if take_uint(from)? != 0 {
        return None;
    }
    let mut map = BTreeMap::new();
    for _ in 0..take_uint(from)? {
        let name = text(take_bytes(from)?)?;
        if take_bytes(from)? != b"string" || take_int(from)? != STRING {
            return None;
        }
        let mut value = take_bytes(from)?;
        if take_uint(&mut value)? != 0 {
            return None;
        }
        map.insert(name, text(take_bytes(&mut value)?)?);
    }
    Some(map)
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Below 128 one byte; else the number of bytes, negated, and the number in them, the highest first.
fn put_uint(to: &mut Vec<u8>, number: u64) {
    if number < 128 {
        return to.push(number as u8);
    }
    let bytes = number.to_be_bytes();
    let bytes = &bytes[number.leading_zeros() as usize / 8..];
    to.push((bytes.len() as u8).wrapping_neg());
    to.extend_from_slice(bytes);
}

/// The sign in the lowest bit; a negative number with its other bits turned over.
fn put_int(to: &mut Vec<u8>, number: i64) {
    put_uint(to, ((number << 1) ^ (number >> 63)) as u64);
}

fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put_uint(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

fn take_uint(from: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = from.split_first()?;
    if first < 128 {
        *from = rest;
        return Some(first.into());
    }
    let len = usize::from(first.wrapping_neg());
    if len > 8 {
        return None;
    }
    let (bytes, rest) = rest.split_at_checked(len)?;
    *from = rest;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn take_int(from: &mut &[u8]) -> Option<i64> {
    let number = take_uint(from)?;
    Some((number >> 1) as i64 ^ -((number & 1) as i64))
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_uint(from)?.try_into().ok()?;
    let (bytes, rest) = from.split_at_checked(len)?;
    *from = rest;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// Written by encoding/gob of Go 1.24, from `map[string]any`.
    const FROM_GO: [(&str, &[(&str, &str)]); 4] = [
        ("0d7f040102ff8000010c0110000004ff800000", &[]),
        ("0d7f040102ff8000010c0110000012ff800001016106737472696e670c03000162", &[("a", "b")]),
        ("0d7f040102ff8000010c0110000011ff800001016106737472696e670c020000", &[("a", "")]),
        (
            "0d7f040102ff8000010c011000002dff80000202696406737472696e670c030001780d736572766963653a67726f757006737472696e670c03000167",
            &[("id", "x"), ("service:group", "g")],
        ),
    ];

    #[test]
    fn maps_are_written_and_read_as_go_does() {
        for (hex, pairs) in FROM_GO {
            assert_eq!(encode(&map(pairs)), bytes(hex));
            assert_eq!(decode(&bytes(hex)).unwrap(), map(pairs));
        }
    }

    #[test]
    fn long_values_are_written_as_go_does() {
        let encoded = encode(&map(&[("a", &"z".repeat(300))]));
        assert_eq!(
            encoded[..35],
            bytes("0d7f040102ff8000010c01100000fe0141ff800001016106737472696e670cfe013000fe012c")[..35]
        );
        assert_eq!(encoded.len(), 338);
        let encoded = encode(&map(&[("a", &"z".repeat(70_000))]));
        assert_eq!(encoded.len(), 70_041);
        assert_eq!(decode(&encoded).unwrap()["a"].len(), 70_000);
    }

    #[test]
    fn a_type_with_another_number_is_read() {
        // A program that has encoded other types before.
        let hex = "0d7f040102ff8200010c0110000012ff820001016106737472696e670c03000162";
        assert_eq!(decode(&bytes(hex)).unwrap(), map(&[("a", "b")]));
    }

    #[test]
    fn what_is_cut_short_or_of_another_type_is_not_read() {
        let whole = encode(&map(&[("id", "x"), ("name", &"z".repeat(300))]));
        for len in 0..whole.len() {
            assert_eq!(decode(&whole[..len]), None, "{len} bytes");
        }
        assert_eq!(decode(&[&whole[..], b"x"].concat()), None);
        // map[string]any{"a": 1}
        assert_eq!(decode(&bytes("0d7f040102ff8000010c011000000eff800001016103696e7404020002")), None);
        assert_eq!(decode(b"{\"a\":\"b\"}"), None);
        assert_eq!(decode(&[0xf7; 9]), None);
    }
}
