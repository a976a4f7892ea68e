//! Secrets in the Windows Credential Manager, with items as `docker pass` writes and reads them. What is here counts on
//! [`Credentials`] alone, so that its tests run everywhere; `windows` has the real ones.
//!
//! A secret is a generic credential named `<group>:<name>:<id>` with the value in UTF-16LE and the metadata as
//! attributes. A value that one credential cannot hold lies in further ones, the *parts* `<group>:<name>:<id>:chunk:<i>`,
//! and the first holds their number in the attribute `chunk:count` and no value.
//!
//! Replacing a value in parts by another one in parts takes several calls. So that a crash between them leaves the old
//! value or the new one, the new parts are first written beside the old ones, as `<…>:chunk:a:<i>` (or `b`), and
//! `chunk:count` becomes `a/<count>`: from then on the new value counts. Then it moves to the usual names. Docker's
//! programs, which do not know the form in between, then fail on the count instead of reading a mixture.

#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use pattern_matcher::{Id, Pattern};

use crate::limits::{OVERWRITE, check_new};
use crate::{Code, Description, Error, Info, Item, NewItem, Result, SecretBytes, Selection, Store};

/// What one credential holds, in bytes of UTF-16LE.
const MAX_BLOB_BYTES: usize = 2560;
/// The longest value, in bytes of UTF-8: about 200 credentials. Windows sets no limit to their number, but reads and
/// decrypts all of them whenever it lists.
const MAX_VALUE_BYTES: usize = 256 << 10;
/// The longest metadata of a secret, names and values together.
const MAX_METADATA_BYTES: usize = 8 << 10;
/// The most pairs of metadata: a credential has 64 attributes, of which we use four.
const MAX_PAIRS: usize = 60;
/// The longest attribute, and the longest value of one.
const MAX_ATTRIBUTE_BYTES: usize = 256;
/// The longest user name, in characters.
const MAX_USER_CHARS: usize = 513;

const GROUP: &str = "service:group";
const NAME: &str = "service:name";
const ID: &str = "id";
const COUNT: &str = "chunk:count";
const INDEX: &str = "chunk:index";
/// What our attributes call the caller's own: an `x_` before each name keeps both apart.
const METADATA_PREFIX: &str = "x_";

/// A credential as it was read.
#[derive(Debug)]
pub(crate) struct Credential {
    /// Its name, spelt as when it was written: Windows finds it in any case of letters.
    pub(crate) target: String,
    /// Its attributes. One whose value is not UTF-8 is passed over.
    pub(crate) attributes: BTreeMap<String, String>,
    /// What it holds.
    pub(crate) blob: SecretBytes,
    /// When it was last written.
    pub(crate) written_at: Option<SystemTime>,
}

/// A credential to be written.
pub(crate) struct NewCredential<'a> {
    pub(crate) target: &'a str,
    pub(crate) user: &'a str,
    pub(crate) attributes: &'a BTreeMap<String, String>,
    pub(crate) blob: &'a [u8],
}

/// Generic credentials: the calls of `wincred.h`, each of them atomic.
pub(crate) trait Credentials: Send + Sync {
    /// Shows that it is the caller's turn.
    type Turn<'a>
    where
        Self: 'a;

    /// Reads the credential of this name, in any case of letters, if there is one.
    fn read(&self, target: &str) -> Result<Option<Credential>>;

    /// Reads all credentials whose names begin with this prefix, in any case of letters.
    fn enumerate(&self, prefix: &str) -> Result<Vec<Credential>>;

    /// Writes a credential over one of the same name. It stays on this machine until it is deleted.
    fn write(&self, new: &NewCredential<'_>) -> Result<()>;

    /// Deletes the credential of this name. Answers whether there was one.
    fn delete(&self, target: &str) -> Result<bool>;

    /// Waits until no other writer, nor reader of several credentials, of any process is at work.
    fn turn(&self) -> Result<Self::Turn<'_>>;
}

/// The store.
pub(crate) struct CredentialManager<C> {
    credentials: C,
    group: String,
    name: String,
}

/// Where the value of a credential lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the credential itself.
    Inside,
    /// In this many parts under the usual names.
    Parts(usize),
    /// In this many parts under the names of this set: a replacement was interrupted.
    Staged(Set, usize),
}

/// The two sets of names beside the usual ones. What is written next takes the one that is not in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    A,
    B,
}

impl Set {
    fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl Place {
    /// Reads the attribute `chunk:count`.
    fn parse(count: Option<&String>) -> Option<Self> {
        let Some(count) = count else { return Some(Self::Inside) };
        match count.split_once('/') {
            None => count.parse().ok().map(Self::Parts),
            Some(("a", count)) => count.parse().ok().map(|count| Self::Staged(Set::A, count)),
            Some(("b", count)) => count.parse().ok().map(|count| Self::Staged(Set::B, count)),
            Some(_) => None,
        }
    }

    fn attribute(self) -> Option<String> {
        match self {
            Self::Inside => None,
            Self::Parts(count) => Some(count.to_string()),
            Self::Staged(set, count) => Some(format!("{}/{count}", set.as_str())),
        }
    }
}

/// A secret, checked and ready to be written.
struct Prepared {
    id: Id,
    blob: SecretBytes,
    metadata: BTreeMap<String, String>,
}

impl<C: Credentials> CredentialManager<C> {
    /// The secrets of this service.
    pub(crate) fn new(credentials: C, group: String, name: String) -> Self {
        Self { credentials, group, name }
    }

    fn label(&self, id: &str) -> String {
        format!("{}:{}:{id}", self.group, self.name)
    }

    fn part_label(&self, id: &Id, set: Option<Set>, index: usize) -> String {
        let set = set.map_or(String::new(), |set| format!("{}:", set.as_str()));
        format!("{}:chunk:{set}{index}", self.label(id.as_str()))
    }

    /// The id of a credential of ours that is not a part. Windows finds names in any case of letters, and lists by
    /// prefix only: the name that is stored decides.
    fn id_of(&self, found: &Credential) -> Option<Id> {
        let id = Id::parse(found.target.strip_prefix(&self.label(""))?).ok()?;
        let ours = |name: &str, value: &str| {
            found.attributes.get(name).is_none_or(|attribute| attribute.eq_ignore_ascii_case(value))
        };
        let is_ours = ours(GROUP, &self.group) && ours(NAME, &self.name) && !found.attributes.contains_key(INDEX);
        is_ours.then_some(id)
    }

    /// The first credential of a secret.
    fn find(&self, id: &Id) -> Result<Option<Credential>> {
        Ok(self.credentials.read(&self.label(id.as_str()))?.filter(|found| self.id_of(found).as_ref() == Some(id)))
    }

    fn all(&self, pattern: &Pattern) -> Result<BTreeMap<Id, Credential>> {
        let found = self.credentials.enumerate(&self.label(""))?;
        let ours = found.into_iter().filter_map(|found| Some((self.id_of(&found)?, found)));
        Ok(ours.filter(|(id, _)| pattern.matches(id.as_str())).collect())
    }

    /// Reads the value that goes with a first credential. Takes a turn where it is in parts.
    fn value(&self, id: &Id, first: &Credential) -> Result<Item> {
        if Place::parse(first.attributes.get(COUNT)) == Some(Place::Inside) {
            return item(id, first, &first.blob);
        }
        let _turn = self.credentials.turn()?;
        self.value_in_turn(id)
    }

    /// Reads a secret, by who has the turn.
    fn value_in_turn(&self, id: &Id) -> Result<Item> {
        // Docker's programs take no turns: when one of them writes just now, the first credential changes last.
        for _ in 0..3 {
            let first = self.find(id)?.ok_or_else(|| not_found(id))?;
            let place = Place::parse(first.attributes.get(COUNT)).ok_or_else(|| corrupt(id))?;
            if place == Place::Inside {
                return item(id, &first, &first.blob);
            }
            let blob = self.read_parts(id, place)?;
            let unchanged = self
                .find(id)?
                .is_some_and(|now| (now.written_at, &now.attributes) == (first.written_at, &first.attributes));
            match blob {
                Some(blob) if unchanged => return item(id, &first, &blob),
                _ => {}
            }
        }
        Err(corrupt(id))
    }

    /// Puts the parts together. `None` when one of them is missing.
    fn read_parts(&self, id: &Id, place: Place) -> Result<Option<SecretBytes>> {
        let (set, count) = match place {
            Place::Inside => (None, 0),
            Place::Parts(count) => (None, count),
            Place::Staged(set, count) => (Some(set), count),
        };
        let mut parts = Vec::new();
        for index in 0..count {
            match self.credentials.read(&self.part_label(id, set, index))? {
                Some(part) if is_part(&part) => parts.push(part.blob),
                _ => return Ok(None),
            }
        }
        let len = parts.iter().map(|part| part.as_bytes().len()).sum();
        Ok(Some(SecretBytes::with(len, |blob| {
            let mut at = 0;
            for part in parts.iter().map(SecretBytes::as_bytes) {
                blob[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
        })))
    }

    /// Checks what can be known before anything is written, and brings the value into its form.
    fn prepare(&self, new: NewItem, overwrite: bool) -> Result<Prepared> {
        let NewItem { id, value, metadata } = new;
        check_attributes(&id, &metadata)?;
        let blob = text::encode(value.as_bytes()).ok_or_else(|| {
            Error::new(Code::Unsupported, format!("the value for {id} is not UTF-8 text"))
                .with_detail("id", &id)
                .with_hint("The Credential Manager keeps text only. Encode the value, as base64, or use the file store: se store use file")
        })?;
        let found = self.credentials.read(&self.label(id.as_str()))?;
        if let Some(found) = found {
            // The name is spelt in other letters, is a part of another secret, or belongs to somebody else.
            if self.id_of(&found).as_ref() != Some(&id) {
                return Err(name_is_taken(&id, &found.target));
            }
            if !overwrite {
                return Err(exists(&id));
            }
        }
        for (index, _) in parts_of(&blob).enumerate() {
            let label = self.part_label(&id, None, index);
            if self.credentials.read(&label)?.is_some_and(|found| !is_part(&found)) {
                return Err(name_is_taken(&id, &label));
            }
        }
        Ok(Prepared { id, blob, metadata })
    }

    /// Writes a secret. Whoever reads, or finds what a crash left, sees the old value or the new one.
    fn write(&self, new: &Prepared) -> Result<()> {
        let old = self.find(&new.id)?.and_then(|old| Place::parse(old.attributes.get(COUNT)));
        let count = parts_of(&new.blob).count();
        match old {
            _ if count == 0 => self.write_first(new, Place::Inside)?,
            Some(Place::Parts(_) | Place::Staged(..)) => {
                let set = if matches!(old, Some(Place::Staged(Set::A, _))) { Set::B } else { Set::A };
                self.write_parts(new, Some(set))?;
                self.write_first(new, Place::Staged(set, count))?;
                self.write_parts(new, None)?;
                self.write_first(new, Place::Parts(count))?;
            }
            Some(Place::Inside) | None => {
                self.write_parts(new, None)?;
                self.write_first(new, Place::Parts(count))?;
            }
        }
        self.delete_parts(&new.id, count)
    }

    fn write_parts(&self, new: &Prepared, set: Option<Set>) -> Result<()> {
        for (index, part) in parts_of(&new.blob).enumerate() {
            self.credentials.write(&NewCredential {
                target: &self.part_label(&new.id, set, index),
                user: user(&new.id),
                attributes: &BTreeMap::from([(INDEX.to_owned(), index.to_string())]),
                blob: part,
            })?;
        }
        Ok(())
    }

    fn write_first(&self, new: &Prepared, place: Place) -> Result<()> {
        let mut attributes: BTreeMap<String, String> =
            new.metadata.iter().map(|(name, value)| (format!("{METADATA_PREFIX}{name}"), value.clone())).collect();
        attributes.insert(GROUP.into(), self.group.clone());
        attributes.insert(NAME.into(), self.name.clone());
        // The name of the credential says the id; an attribute has no room for a long one.
        if new.id.as_str().len() <= MAX_ATTRIBUTE_BYTES {
            attributes.insert(ID.into(), new.id.to_string());
        }
        attributes.extend(place.attribute().map(|count| (COUNT.into(), count)));
        self.credentials.write(&NewCredential {
            target: &self.label(new.id.as_str()),
            user: user(&new.id),
            attributes: &attributes,
            blob: if place == Place::Inside { new.blob.as_bytes() } else { &[] },
        })
    }

    fn delete_in_turn(&self, id: &Id) -> Result<()> {
        self.find(id)?.ok_or_else(|| not_found(id))?;
        // First the one that makes it a secret: parts without it are nothing, and the next writing removes them.
        self.credentials.delete(&self.label(id.as_str()))?;
        self.delete_parts(id, 0)
    }

    /// Deletes the parts that are not among the first `keep`, and all staged ones.
    fn delete_parts(&self, id: &Id, keep: usize) -> Result<()> {
        let prefix = format!("{}:chunk:", self.label(id.as_str()));
        for part in self.credentials.enumerate(&prefix)?.iter().filter(|found| is_part(found)) {
            let Some(rest) = part.target.strip_prefix(&prefix) else { continue };
            let surplus = match rest.split_once(':') {
                None => rest.parse().is_ok_and(|index: usize| index >= keep),
                // Not a part of `<id>:chunk:<…>`, another secret.
                Some((set, index)) => matches!(set, "a" | "b") && index.parse::<usize>().is_ok(),
            };
            if surplus {
                self.credentials.delete(&part.target)?;
            }
        }
        Ok(())
    }
}

impl<C: Credentials> Store for CredentialManager<C> {
    fn describe(&self) -> Result<Description> {
        Ok(Description {
            kind: "keychain",
            backend: "Windows Credential Manager".into(),
            location: format!("generic credentials {}*", self.label("")),
            encryption: "DPAPI, by a key of this Windows account; any program of the account can read it".into(),
            survives_reboot: true,
            locked: Some(false),
            max_value_bytes: MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        let first = self.find(id)?.ok_or_else(|| not_found(id))?;
        self.value(id, &first)
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        let found = match selection {
            Selection::Pattern(pattern) => self.all(pattern)?,
            Selection::Ids(ids) => {
                let mut found = BTreeMap::new();
                for id in ids.iter().collect::<BTreeSet<_>>() {
                    found.extend(self.find(id)?.map(|first| (id.clone(), first)));
                }
                found
            }
        };
        let mut items = Vec::with_capacity(found.len());
        for (id, first) in found {
            match self.value(&id, &first) {
                // Deleted since it was found.
                Err(error) if error.code() == Code::NotFound => {}
                item => items.push(item?),
            }
        }
        Ok(items)
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        Ok(self.all(pattern)?.iter().map(|(id, found)| info(id, found)).collect())
    }

    fn set_many(&self, items: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&items, MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        let _turn = self.credentials.turn()?;
        let prepared = items.into_iter().map(|new| self.prepare(new, overwrite)).collect::<Result<Vec<_>>>()?;
        for (written, new) in prepared.iter().enumerate() {
            self.write(new).map_err(|error| error.with_detail("written", written))?;
        }
        Ok(())
    }

    fn delete(&self, id: &Id) -> Result<()> {
        let _turn = self.credentials.turn()?;
        self.delete_in_turn(id)
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        let _turn = self.credentials.turn()?;
        let Item { info, value } = self.value_in_turn(from)?;
        if from == to {
            return Ok(());
        }
        let new = NewItem { id: to.clone(), value, metadata: info.metadata };
        self.write(&self.prepare(new, overwrite)?)?;
        self.delete_in_turn(from)
    }
}

/// The pieces of a value that one credential cannot hold; none when it can.
fn parts_of(blob: &SecretBytes) -> impl Iterator<Item = &[u8]> {
    let parts = if blob.as_bytes().len() > MAX_BLOB_BYTES { blob.as_bytes() } else { &[] };
    parts.chunks(MAX_BLOB_BYTES)
}

fn is_part(found: &Credential) -> bool {
    found.attributes.contains_key(INDEX)
}

/// The user name that Docker's programs look at when they list. One that is too long is left out: they then find the
/// secret by its id only.
fn user(id: &Id) -> &str {
    if id.as_str().len() <= MAX_USER_CHARS { id.as_str() } else { "" }
}

fn check_attributes(id: &Id, metadata: &BTreeMap<String, String>) -> Result<()> {
    let too_long = |what: &str, limit: usize| {
        Error::new(Code::ValueTooLarge, format!("the metadata for {id} has {what} than the Credential Manager keeps"))
            .with_detail("id", id)
            .with_detail("limit", limit)
    };
    if metadata.len() > MAX_PAIRS {
        return Err(too_long("more pairs", MAX_PAIRS));
    }
    let max_name = MAX_ATTRIBUTE_BYTES - METADATA_PREFIX.len();
    if metadata.keys().any(|name| name.encode_utf16().count() > max_name) {
        return Err(too_long("a longer name", max_name));
    }
    if metadata.values().any(|value| value.len() > MAX_ATTRIBUTE_BYTES) {
        return Err(too_long("a longer value", MAX_ATTRIBUTE_BYTES));
    }
    Ok(())
}

fn item(id: &Id, first: &Credential, blob: &SecretBytes) -> Result<Item> {
    Ok(Item { info: info(id, first), value: text::decode(blob.as_bytes()).ok_or_else(|| corrupt(id))? })
}

fn info(id: &Id, found: &Credential) -> Info {
    let metadata = found
        .attributes
        .iter()
        .filter_map(|(name, value)| name.strip_prefix(METADATA_PREFIX).map(|name| (name.to_owned(), value.clone())));
    let modified_at: Option<SystemTime> = found.written_at;
    Info { id: id.clone(), metadata: metadata.collect(), created_at: None, modified_at }
}

fn not_found(id: &Id) -> Error {
    Error::new(Code::NotFound, format!("{id} is not in the Credential Manager")).with_detail("id", id)
}

fn exists(id: &Id) -> Error {
    Error::new(Code::Exists, format!("{id} is in the Credential Manager already"))
        .with_detail("id", id)
        .with_hint(OVERWRITE)
}

fn corrupt(id: &Id) -> Error {
    Error::new(Code::Corrupt, format!("{id} cannot be read: parts of it are missing, or it is not UTF-16"))
        .with_detail("id", id)
}

fn name_is_taken(id: &Id, by: &str) -> Error {
    Error::new(Code::Unsupported, format!("{id} cannot be kept: its place in the Credential Manager is taken by {by}"))
        .with_detail("id", id)
        .with_detail("takenBy", by)
        .with_hint(
            "Windows does not tell upper and lower case apart, and keeps long values in pieces. Choose another id",
        )
}
