//! A value that comes in pieces.

use keychain_core::SecretBytes;

/// Bytes in wiping memory that grow. What they grow out of is wiped.
#[derive(Debug)]
pub struct Growing {
    bytes: SecretBytes,
    len: usize,
}

impl Growing {
    /// Nothing yet, with room for so many bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: SecretBytes::with(capacity, |_| ()), len: 0 }
    }

    /// Adds bytes at the end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let len = self.len + bytes.len();
        let room = self.bytes.as_bytes().len();
        if len > room {
            let old = &self.bytes.as_bytes()[..self.len];
            self.bytes = SecretBytes::with(len.max(2 * room), |target| target[..old.len()].copy_from_slice(old));
        }
        self.bytes.as_bytes_mut()[self.len..len].copy_from_slice(bytes);
        self.len = len;
    }

    /// What is there.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes.as_bytes()[..self.len]
    }
}
