//! Skips text with escape sequences in it, as the filter skips text without.

use super::escapes::{ESC, whole_sequence};
use super::filter::Filter;
use super::wiped::Wiped;

/// A part without sequences of at least this length is worth a look by itself.
pub(super) const PLAIN_BYTES: usize = 256;
/// How much is looked at together: little after a place where a form may begin, more and more where there is none.
const LEAST_BYTES: usize = 256;
const MOST_BYTES: usize = 8 << 10;

/// Looks at both views of a text: as it is, and without sequences.
pub(super) struct Coloured {
    /// The text without sequences.
    text: Wiped,
    /// Where each part between two sequences begins: there, and in the text as it is.
    parts: Vec<(usize, usize)>,
    look_bytes: usize,
}

impl Coloured {
    pub(super) fn new() -> Self {
        Self { text: Wiped::with_capacity(0), parts: Vec::new(), look_bytes: LEAST_BYTES }
    }

    /// The first place from `from` on where a form may begin in either view, never within a sequence; where the text is too
    /// short to tell, the first such place. Looks at a part of the text only. No sequence is open at `from`.
    pub(super) fn find(&mut self, filter: &Filter, input: &[u8], from: usize) -> usize {
        let end = self.strip(&input[..input.len().min(from + self.look_bytes)], from);
        let text = self.place_of(filter.find(self.text.as_slice(), 0));
        let next = self.before_sequence(text.min(filter.find(&input[..end], from)));
        let is_clean = next + 2 * filter.window() > end;
        self.look_bytes = if is_clean { MOST_BYTES.min(self.look_bytes * 2) } else { LEAST_BYTES };
        next
    }

    /// Takes the sequences out. Tells where the text ends: before a sequence of which not all is there.
    fn strip(&mut self, input: &[u8], from: usize) -> usize {
        self.text.clear();
        self.parts.clear();
        let mut at = from;
        loop {
            self.parts.push((self.text.len(), at));
            let sequence = memchr::memchr(ESC, &input[at..]).map_or(input.len(), |ahead| at + ahead);
            self.text.extend(&input[at..sequence]);
            match whole_sequence(&input[sequence..]) {
                Some(length) => at = sequence + length,
                None => return sequence,
            }
        }
    }

    fn place_of(&self, at: usize) -> usize {
        let (start, place) = self.parts[self.parts.partition_point(|(start, _)| *start <= at) - 1];
        place + at - start
    }

    fn before_sequence(&self, place: usize) -> usize {
        let after = self.parts.partition_point(|(_, start)| *start <= place);
        let (start, first) = self.parts[after - 1];
        let length = self.parts.get(after).map_or(self.text.len(), |(next, _)| *next) - start;
        place.min(first + length)
    }
}
