use std::fmt;

/// The longest id or pattern, in bytes.
pub const MAX_BYTES: usize = 4096;

/// A valid id: components of `[A-Za-z0-9._:-]`, separated by `/`, none empty, at most 4,096 bytes in all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Box<str>);

/// The text is not an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId {
    /// Offset, in bytes, of the first thing that is wrong.
    pub at: usize,
}

impl Id {
    /// Takes a text that follows the grammar of an id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut start_of_component = true;
        for (at, byte) in text.bytes().enumerate() {
            let ok = match byte {
                b'/' => !std::mem::replace(&mut start_of_component, true),
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b':' | b'-' => {
                    start_of_component = false;
                    true
                }
                _ => false,
            };
            if !ok || at >= MAX_BYTES {
                return Err(InvalidId { at });
            }
        }
        if start_of_component { Err(InvalidId { at: text.len() }) } else { Ok(Self(text.into())) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
