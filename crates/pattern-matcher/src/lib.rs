//! Ids and patterns of secrets: their grammar, and exact answers to which ids a pattern matches, whether it includes
//! another, and whether two overlap. No dependencies, no I/O.

mod id;
mod pattern;

pub use id::{Id, InvalidId, MAX_BYTES};
pub use pattern::{InvalidPattern, Pattern};
