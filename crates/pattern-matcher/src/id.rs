use crate::grammar;
use std::fmt;

/// A valid id: components of `[A-Za-z0-9._:-]`, separated by `/`, none empty, at most [`MAX_BYTES`](crate::MAX_BYTES)
/// in all. Case-sensitive; `.` and `..` are components like any other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Box<str>);

/// The text is not an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidId {
    /// Offset, in bytes, of the first byte that is wrong; the text's length where it ends too early.
    pub at: usize,
}

impl Id {
    /// Takes a text that follows the grammar of an id.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        match grammar::first_wrong_in_id(text.as_bytes()) {
            Some(at) => Err(InvalidId { at }),
            None => Ok(Self(text.into())),
        }
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

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an id: wrong at offset {}", self.at)
    }
}

impl std::error::Error for InvalidId {}
