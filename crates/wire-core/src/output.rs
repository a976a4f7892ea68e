//! Bytes on their way to a target of a given length.

use zeroize::Zeroize;

/// Writes to a target as long as everything fits, and counts on when it does not.
pub struct Output<'a> {
    target: &'a mut [u8],
    len: usize,
}

impl<'a> Output<'a> {
    /// Begins at the start of the target.
    pub fn new(target: &'a mut [u8]) -> Self {
        Self { target, len: 0 }
    }

    /// Adds bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.put_with(bytes.len(), |place| place.copy_from_slice(bytes));
    }

    /// Adds so many bytes, which `fill` writes where they fit.
    pub(crate) fn put_with(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) {
        let end = self.len.saturating_add(len);
        if let Some(place) = self.target.get_mut(self.len..end) {
            fill(place);
        }
        self.len = end;
    }

    /// The length of everything that was added. One greater than the target's means that not all of it was written, and
    /// the target was wiped.
    pub fn finish(self) -> usize {
        if self.len > self.target.len() {
            self.target.zeroize();
        }
        self.len
    }

    /// Wipes what was written.
    pub fn abandon(self) {
        let written = self.len.min(self.target.len());
        self.target[..written].zeroize();
    }
}
