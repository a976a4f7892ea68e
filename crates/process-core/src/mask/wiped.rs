//! A buffer that grows and leaves nothing behind.

use keychain_core::SecretBytes;

/// Bytes in memory that is wiped when it is dropped, and when it moves.
pub(super) struct Wiped {
    bytes: SecretBytes,
    used: usize,
}

impl Wiped {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: SecretBytes::with(capacity, |_| ()), used: 0 }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes.as_bytes()[..self.used]
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    pub(super) fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    pub(super) fn extend(&mut self, more: &[u8]) {
        self.room_for(more.len());
        self.bytes.as_bytes_mut()[self.used..][..more.len()].copy_from_slice(more);
        self.used += more.len();
    }

    /// Makes room, so that what follows need not move.
    pub(super) fn room_for(&mut self, more: usize) {
        let needed = self.used + more;
        let room = self.bytes.as_bytes().len();
        if needed > room {
            let grown = SecretBytes::with(needed.max(room * 2).max(64), |target| {
                target[..self.used].copy_from_slice(self.as_slice());
            });
            self.bytes = grown;
        }
    }

    /// Changes one byte.
    pub(super) fn set(&mut self, at: usize, byte: u8) {
        self.bytes.as_bytes_mut()[..self.used][at] = byte;
    }

    /// Forgets what lies behind the first bytes.
    pub(super) fn cut(&mut self, length: usize) {
        self.used = self.used.min(length);
    }

    /// Forgets the bytes. They are overwritten by the next ones, and wiped at the end.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Forgets the first bytes.
    pub(super) fn remove_first(&mut self, count: usize) {
        self.bytes.as_bytes_mut().copy_within(count..self.used, 0);
        self.used -= count;
    }
}
