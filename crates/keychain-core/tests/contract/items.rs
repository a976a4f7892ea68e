//! Ids, patterns and items, made briefly.
#![allow(dead_code, reason = "no test file needs all of them")]

use std::collections::BTreeMap;

use keychain_core::{NewItem, SecretBytes};
use pattern_matcher::{Id, Pattern};

pub(crate) fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

pub(crate) fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

pub(crate) fn new_item(name: &str, value: &[u8]) -> NewItem {
    NewItem { id: id(name), value: SecretBytes::copy_from(value), metadata: BTreeMap::new() }
}
