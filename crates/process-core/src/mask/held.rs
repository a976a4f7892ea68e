//! The part of a stream that has not been given out.

use super::wiped::Wiped;

/// What was held back before the bytes that came last.
pub(super) struct Held {
    bytes: Wiped,
    /// The place of the first of them in the stream.
    start: u64,
}

/// What was held back, and the bytes that came last behind it.
pub(super) struct Source<'a> {
    pub(super) held: &'a Held,
    pub(super) input: &'a [u8],
}

impl Held {
    pub(super) fn new() -> Self {
        Self { bytes: Wiped::with_capacity(0), start: 0 }
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Forgets what stands before this place, and keeps what stands behind it, of the bytes that came last as well.
    pub(super) fn keep(&mut self, from: u64, input: &[u8]) {
        let end = self.end();
        if from >= end {
            self.bytes.clear();
            self.start = from;
            self.bytes.extend(&input[(from - end) as usize..]);
            return;
        }
        self.bytes.extend(input);
        // Moved only when that pays: a long beginning may be given out byte by byte.
        let before = (from - self.start) as usize;
        if before * 2 > self.bytes.len() {
            self.bytes.remove_first(before);
            self.start = from;
        }
    }
}

impl Source<'_> {
    /// Gives a part of the stream out. What begins before what is still there is nothing.
    pub(super) fn copy(&self, start: u64, end: u64, out: &mut Vec<u8>) {
        let base = self.held.end();
        if start < end.min(base) {
            let held = self.held.bytes.as_slice();
            out.extend_from_slice(
                &held[(start - self.held.start) as usize..(end.min(base) - self.held.start) as usize],
            );
        }
        if end > base && start < end {
            out.extend_from_slice(&self.input[(start.max(base) - base) as usize..(end - base) as usize]);
        }
    }
}
