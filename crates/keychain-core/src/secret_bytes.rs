//! Bytes that wipe themselves.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest value, in bytes: 16 MiB.
pub const MAX_VALUE_BYTES: usize = 16 << 20;

/// A value in memory of its own, zeroed when it is dropped. Prints as `[redacted]`.
pub struct SecretBytes(Zeroizing<Box<[u8]>>);

impl SecretBytes {
    /// Makes zeroed memory of this length and lets `fill` write the value into it.
    pub fn with(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = Zeroizing::new(vec![0; len].into_boxed_slice());
        fill(&mut bytes);
        Self(bytes)
    }

    /// Copies the value. The caller wipes the original.
    pub fn copy_from(bytes: &[u8]) -> Self {
        Self::with(bytes.len(), |target| target.copy_from_slice(bytes))
    }

    /// The value.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value, to be changed in place.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Whether both hold the same bytes; takes the same time wherever they differ. Lengths are not hidden.
    pub fn equals(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
