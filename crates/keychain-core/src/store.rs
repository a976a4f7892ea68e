//! What every store does, case by case.

use std::collections::BTreeMap;
use std::time::SystemTime;

use pattern_matcher::{Id, Pattern};

use crate::{Result, SecretBytes};

/// What is known about a secret without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The id it is stored under.
    pub id: Id,
    /// The caller's own facts about it. Not secret.
    pub metadata: BTreeMap<String, String>,
    /// When it was first stored, where the store knows.
    pub created_at: Option<SystemTime>,
    /// When it was last written, where the store knows.
    pub modified_at: Option<SystemTime>,
}

/// A secret as a store returns it.
#[derive(Debug)]
pub struct Item {
    /// What is known beside the value.
    pub info: Info,
    /// The value. The caller owns it; dropping it wipes it.
    pub value: SecretBytes,
}

/// A secret to be stored.
#[derive(Debug)]
pub struct NewItem {
    /// The id to store it under.
    pub id: Id,
    /// The value, at most the store's [`Description::max_value_bytes`].
    pub value: SecretBytes,
    /// The caller's own facts about it, at most [`crate::MAX_METADATA_BYTES`] in all, without NUL. Replaces what was
    /// there.
    pub metadata: BTreeMap<String, String>,
}

/// Which secrets are wanted.
#[derive(Clone, Debug)]
pub enum Selection {
    /// These ids. Repeated ids count once.
    Ids(Vec<Id>),
    /// Every id that the pattern matches.
    Pattern(Pattern),
}

/// Which store this is and what protects it. For people and for `se store`; reading it unlocks and starts nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `keychain`, `file`, `memory` or `entries`.
    pub kind: &'static str,
    /// The program or format behind it, such as `gnome-keyring` or `age`.
    pub backend: String,
    /// Where the secrets are: a path, or the name of a collection.
    pub location: String,
    /// What protects them at rest, in words for a person.
    pub encryption: String,
    /// Whether they are there after a reboot.
    pub survives_reboot: bool,
    /// Whether a person must unlock it first. `None` where that cannot be known without asking.
    pub locked: Option<bool>,
    /// The longest value that it can keep, in bytes.
    pub max_value_bytes: usize,
}

/// A place that keeps secrets.
///
/// Cases that hold for every operation:
/// - the store is locked: it is unlocked, asking a person where the store was opened so; otherwise
///   `InteractionRequired` when only a person could unlock it, `Locked` when nobody can here,
///   `PromptDismissed` when the person declined;
/// - the store has gone (service ended, file's folder removed): `StoreUnavailable`; the next call tries afresh;
/// - an item that is not one of ours, or whose id is not valid, is passed over; one of ours that cannot be
///   decoded is `Corrupt` when it is asked for by id and when its value is wanted, and is listed nonetheless;
/// - the system refuses: `AccessDenied`.
///
/// Implementations are used from many threads at once, and by other processes at the same time.
pub trait Store: Send + Sync {
    /// Says which store this is. Never prompts, unlocks or starts anything.
    fn describe(&self) -> Result<Description>;

    /// Reads one secret. None under the id → `NotFound`; several → `Ambiguous` with detail `count`; else the value.
    fn get(&self, id: &Id) -> Result<Item>;

    /// Reads many secrets in as few round trips as the store allows, sorted by id (by bytes). The times may be missing
    /// where finding them takes time. Ids that are not there are left out; a pattern that matches none gives none.
    /// Several items under one of the ids → `Ambiguous`. One that cannot be read fails the whole call: there is no
    /// partial answer.
    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>>;

    /// Lists what matches, sorted by id (by bytes), each id once. Fetches no value.
    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>>;

    /// [`Store::list`] for who does not need the times: they may be missing where finding them takes time.
    fn list_untimed(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        self.list(pattern)
    }

    /// Writes secrets. All are checked first: an id twice among them, or a NUL in metadata → `InvalidOption` (detail
    /// `id`); too long → `ValueTooLarge` (details `id`, `limit`); one that is there already, without `overwrite` →
    /// `Exists` (detail `id`); nothing is written then. Replacing keeps the creation time where the store knows it, and
    /// removes duplicates of the id. Where the store cannot write all at once and one write fails, detail `written`
    /// counts those that were.
    fn set_many(&self, items: Vec<NewItem>, overwrite: bool) -> Result<()>;

    /// Removes a secret, with its duplicates. None under the id → `NotFound`.
    fn delete(&self, id: &Id) -> Result<()>;

    /// Gives a secret another id, keeping value, metadata and creation time. None under `from` → `NotFound`; `to`
    /// taken, without `overwrite` → `Exists`; `from` equal to `to` → nothing. At no instant are both gone.
    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()>;
}
