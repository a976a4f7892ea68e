//! Ids and patterns of secrets: their grammar, and exact answers to which ids a pattern matches, whether it includes
//! another, and whether two overlap; sets of many patterns and indexes of many ids. No dependencies, no I/O, no `unsafe`.
//!
//! Every answer is exact over the set of all ids that the grammar allows, **whatever their length**: the limit of
//! [`MAX_BYTES`] bounds what is parsed, so that work is bounded, and is no part of what a pattern means. (Two patterns
//! whose only common ids would be longer than an id may be therefore overlap: the cautious answer, and one that does
//! not change when the limit does.)
#![forbid(unsafe_code)]

mod grammar;
mod id;
mod id_index;
mod interner;
mod pattern;
mod pattern_set;
mod relations;

pub use id::{Id, InvalidId};
pub use id_index::{IdIndex, IdIndexBuilder, InvalidRow};
pub use pattern::{InvalidPattern, Pattern};
pub use pattern_set::{Matcher, PatternSet};

/// The longest id or pattern, in bytes.
pub const MAX_BYTES: usize = 4096;
