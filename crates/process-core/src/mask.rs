//! Masking: secrets in a stream of bytes are replaced by their labels, in whatever form they are written.
//!
//! [`MaskSet`] holds what is looked for: each value raw and in the forms that programs write it in. [`Masker`] is one
//! stream's filter. Everything that holds bytes of values is wiped when it is dropped.
//!
//! What is promised, over the whole stream and however it is split: of a value or form that was printed whole, no eight
//! consecutive bytes come out, and what is no part of one comes out as it is. A program that prints a part of a value is
//! not covered.

mod automaton;
mod coloured;
mod commonness;
mod escapes;
mod filter;
mod forms;
mod github;
mod held;
mod masker;
#[cfg(test)]
mod properties;
mod set;
mod wiped;

pub use github::github_masks;
pub use masker::{Masker, RELEASE_AFTER};
pub use set::{MAX_MASKED_BYTES, MaskSet, Unmasked, UnmaskedReason, unmasked_warning};
