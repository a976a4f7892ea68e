//! A line as it is typed without echo: what the keys do to it.

use keychain_core::SecretBytes;

/// What a key led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The line goes on.
    More,
    /// The line is complete.
    Done,
    /// The person gave up: end of input on an empty line.
    GaveUp,
    /// The line is longer than a value may be here.
    TooLong,
}

/// The keys that edit a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    /// Takes one character back, beside Backspace and Delete.
    pub(crate) erase: u8,
    /// Takes the whole line back.
    pub(crate) kill: u8,
    /// Ends the input.
    pub(crate) end: u8,
}

/// The line so far, in memory that wipes itself.
pub(crate) struct TypedLine {
    bytes: SecretBytes,
    used: usize,
}

impl TypedLine {
    /// The longest line, in bytes. Longer values come by standard input.
    pub(crate) const MAX_BYTES: usize = 64 << 10;

    pub(crate) fn new() -> Self {
        Self { bytes: SecretBytes::with(Self::MAX_BYTES, |_| ()), used: 0 }
    }

    /// Takes in one byte from the terminal.
    pub(crate) fn take(&mut self, byte: u8, keys: Keys) -> Key {
        match byte {
            b'\n' | b'\r' => return Key::Done,
            _ if byte == keys.end => return if self.used == 0 { Key::GaveUp } else { Key::Done },
            _ if byte == keys.kill => self.truncate(0),
            _ if byte == keys.erase || byte == 0x08 || byte == 0x7f => self.erase(),
            _ if self.used == Self::MAX_BYTES => return Key::TooLong,
            _ => {
                self.bytes.as_bytes_mut()[self.used] = byte;
                self.used += 1;
            }
        }
        Key::More
    }

    /// The line as a value.
    pub(crate) fn value(&self) -> SecretBytes {
        SecretBytes::copy_from(&self.bytes.as_bytes()[..self.used])
    }

    /// Takes the last character back: the bytes that continue it in UTF-8, and its first.
    fn erase(&mut self) {
        let line = &self.bytes.as_bytes()[..self.used];
        self.truncate(line.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(0));
    }

    fn truncate(&mut self, len: usize) {
        self.bytes.as_bytes_mut()[len..self.used].fill(0);
        self.used = len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys = Keys { erase: 0x7f, kill: 0x15, end: 0x04 };

    fn typed(bytes: &[u8]) -> (Vec<u8>, Key) {
        let mut line = TypedLine::new();
        let last = bytes.iter().map(|byte| line.take(*byte, KEYS)).last().unwrap();
        (line.value().as_bytes().to_vec(), last)
    }

    #[test]
    fn keys_edit_the_line() {
        assert_eq!(typed(b"hunter2\n"), (b"hunter2".to_vec(), Key::Done));
        assert_eq!(typed("aä\x7f\x7fb\r".as_bytes()), (b"b".to_vec(), Key::Done));
        assert_eq!(typed("a€\x08b\r".as_bytes()), (b"ab".to_vec(), Key::Done));
        assert_eq!(typed(b"wrong\x15right\n"), (b"right".to_vec(), Key::Done));
        assert_eq!(typed(b"\x7f\x7fa\x04"), (b"a".to_vec(), Key::Done));
        assert_eq!(typed(b"a\x7f\x04"), (b"".to_vec(), Key::GaveUp));
    }

    #[test]
    fn a_line_that_is_too_long_is_not_cut() {
        let mut line = TypedLine::new();
        assert!((0..TypedLine::MAX_BYTES).all(|_| line.take(b'x', KEYS) == Key::More));
        assert_eq!(line.take(b'x', KEYS), Key::TooLong);
        assert_eq!(line.take(b'\n', KEYS), Key::Done);
    }

    #[test]
    fn what_was_taken_back_is_wiped() {
        let mut line = TypedLine::new();
        assert!(b"secret\x15".iter().all(|byte| line.take(*byte, KEYS) == Key::More));
        assert!(line.bytes.as_bytes().iter().all(|byte| *byte == 0));
    }
}
