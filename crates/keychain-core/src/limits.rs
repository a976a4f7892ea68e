//! What every store refuses, so that all of them do it in the same words.

use std::collections::{BTreeMap, BTreeSet};

use pattern_matcher::Id;

use crate::{Code, Error, NewItem, Result};

/// The longest metadata, in bytes: names and values together, 64 KiB.
pub const MAX_METADATA_BYTES: usize = 64 << 10;

/// Checks what is about to be written, as [`crate::Store::set_many`] lists it: an id twice, or a NUL in metadata →
/// `InvalidOption`; a value longer than `max_value_bytes`, or metadata longer than `max_metadata_bytes` →
/// `ValueTooLarge`. Each with detail `id`, the last with `limit`.
pub(crate) fn check_new(items: &[NewItem], max_value_bytes: usize, max_metadata_bytes: usize) -> Result<()> {
    let mut seen = BTreeSet::new();
    for NewItem { id, value, metadata } in items {
        if !seen.insert(id) {
            return Err(Error::new(Code::InvalidOption, format!("{id} is there twice")).with_detail("id", id));
        }
        if value.as_bytes().len() > max_value_bytes {
            return Err(Error::new(
                Code::ValueTooLarge,
                format!("the value for {id} is longer than {max_value_bytes} bytes"),
            )
            .with_detail("id", id)
            .with_detail("limit", max_value_bytes));
        }
        if metadata_bytes(metadata) > max_metadata_bytes {
            return Err(Error::new(
                Code::ValueTooLarge,
                format!("the metadata for {id} is longer than {max_metadata_bytes} bytes"),
            )
            .with_detail("id", id)
            .with_detail("limit", max_metadata_bytes));
        }
        // D-Bus strings and Windows attributes end at a NUL: what one store cannot keep, none accepts.
        if metadata.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(
                Error::new(Code::InvalidOption, format!("the metadata for {id} contains a NUL")).with_detail("id", id)
            );
        }
    }
    Ok(())
}

fn metadata_bytes(metadata: &BTreeMap<String, String>) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Nothing is stored under the id.
pub(crate) fn not_found(id: &Id) -> Error {
    Error::new(Code::NotFound, format!("no secret is stored under {id}")).with_detail("id", id)
}

/// What to do about an id that is taken.
pub(crate) const OVERWRITE: &str = "replace it with `overwrite: true`";

/// The id is taken, and overwriting was not asked for.
pub(crate) fn exists(id: &Id) -> Error {
    Error::new(Code::Exists, format!("a secret is stored under {id} already"))
        .with_detail("id", id)
        .with_hint(OVERWRITE)
}
