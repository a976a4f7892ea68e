//! What is masked.

use std::collections::HashSet;

use keychain_core::{Code, Error};

use super::automaton::Automaton;
use super::commonness::{SHORT_BYTES, is_common};
use super::filter::Filter;
use super::forms::each_form;

/// The longest value that is masked: 1 MiB. From 64 KiB on, a value is looked for as it is, in JSON and in base64 alone.
pub const MAX_MASKED_BYTES: usize = 1 << 20;

/// Up to so many values are also looked for wherever a line of base64 or of the screen ends in them: those forms are many, and
/// the filter passes the less text over the more there are.
const MAX_PLACED_VALUES: usize = 32;

/// Values with the labels that replace them. Immutable, and shared by the filters of several streams.
pub struct MaskSet {
    pub(super) automaton: Automaton,
    /// None where nothing is masked.
    pub(super) filter: Option<Filter>,
    labels: Vec<String>,
}

/// A value that is not masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmasked {
    /// Whose value it is.
    pub id: String,
    /// Why.
    pub reason: UnmaskedReason,
}

/// Why a value is not masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnmaskedReason {
    /// It has fewer than 5 bytes.
    TooShort,
    /// It has 5 to 7 bytes and is a word or a number, or has no letter, digit or mixture of signs at all.
    TooCommon,
    /// It has more than [`MAX_MASKED_BYTES`].
    TooLong,
}

impl MaskSet {
    /// Prepares values to be looked for, each with the id that its label `[se://id]` names. Two ids with one value: the
    /// first one's label. Also tells which values are not masked; a line end at the end of a value does not count.
    pub fn new(values: &[(String, &[u8])]) -> (Self, Vec<Unmasked>) {
        let placed = values.len() <= MAX_PLACED_VALUES;
        let mut builder = Automaton::builder();
        let mut unmasked = Vec::new();
        for (index, (id, value)) in values.iter().enumerate() {
            match unmasked_reason(value) {
                Some(reason) => unmasked.push(Unmasked { id: id.clone(), reason }),
                None => each_form(value, placed, &mut |form| builder.add(form, index as u32)),
            }
        }
        let automaton = builder.finish();
        let filter = (!automaton.is_empty()).then(|| Filter::new(&automaton));
        let labels = values.iter().map(|(id, _)| format!("[se://{id}]")).collect();
        keychain_core::clear_registers();
        (Self { automaton, filter, labels }, unmasked)
    }

    /// Only these forms, each with the number of its value.
    #[cfg(test)]
    pub(super) fn of_forms(forms: &[(Vec<u8>, u32)]) -> Self {
        let mut builder = Automaton::builder();
        forms.iter().for_each(|(form, value)| builder.add(form, *value));
        let automaton = builder.finish();
        let labels = (0..10).map(|value| format!("[se://{value}]")).collect();
        Self { filter: Some(Filter::new(&automaton)), automaton, labels }
    }

    /// Whether nothing is masked.
    pub fn is_empty(&self) -> bool {
        self.filter.is_none()
    }

    pub(super) fn label(&self, value: u32) -> &[u8] {
        self.labels.get(value as usize).map_or(b"", |label| label.as_bytes())
    }
}

/// What people are told of values that are not masked: a warning that names them. None: all are.
pub fn unmasked_warning(unmasked: &[Unmasked]) -> Option<Error> {
    let reasons = [
        (UnmaskedReason::TooShort, "too short"),
        (UnmaskedReason::TooCommon, "too common"),
        (UnmaskedReason::TooLong, "too long"),
    ];
    let of = |(reason, text)| {
        let mut told = HashSet::new();
        let ids = unmasked.iter().filter(|one| one.reason == reason).map(|one| one.id.as_str());
        let ids: Vec<&str> = ids.filter(|id| told.insert(*id)).collect();
        (!ids.is_empty()).then(|| format!("{} ({text})", ids.join(", ")))
    };
    let parts: Vec<String> = reasons.into_iter().filter_map(of).collect();
    let hint = "a value is masked from 8 bytes on, or from 5 when it is no word and no number, up to 1 MiB";
    (!parts.is_empty())
        .then(|| Error::new(Code::Unsupported, format!("not masked: {}", parts.join("; "))).with_hint(hint))
}

/// Why a value is not masked, if it is not.
pub(super) fn unmasked_reason(value: &[u8]) -> Option<UnmaskedReason> {
    let value = value.strip_suffix(b"\n").map_or(value, |rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    match value.len() {
        ..SHORT_BYTES => Some(UnmaskedReason::TooShort),
        MAX_MASKED_BYTES.. if value.len() > MAX_MASKED_BYTES => Some(UnmaskedReason::TooLong),
        _ => is_common(value).then_some(UnmaskedReason::TooCommon),
    }
}
