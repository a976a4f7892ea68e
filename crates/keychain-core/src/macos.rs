//! The macOS Keychain, with items as `docker pass` writes and reads them.
//!
//! A secret is a generic password in the user's default keychain: service `<name>`, account `<id>`, label
//! `<group>:<name>:<id>`, the metadata as the generic attribute. Docker's own programs may keep theirs in the *data
//! protection* keychain under an access group, which macOS opens only to programs signed with that group in their
//! provisioning profile: those are out of reach here.

mod item;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pattern_matcher::{Id, Pattern};
use security_framework::os::macos::keychain::{KeychainUserInteractionLock, SecKeychain};

use self::item::{Attributes, Content, Items};
use crate::keychain::KeychainOptions;
use crate::limits::{MAX_METADATA_BYTES, OVERWRITE, check_new};
use crate::{Code, Description, Error, Info, Item, NewItem, Result, SecretBytes, Selection, Store, gob};

/// The longest value. macOS sets no limit, but rewrites the whole keychain file for each item.
const MAX_VALUE_BYTES: usize = 1 << 20;

const GROUP: &str = "service:group";
const NAME: &str = "service:name";
const ID: &str = "id";
/// What our attributes call the caller's own: an `x_` before each name keeps both apart.
const METADATA_PREFIX: &str = "x_";

/// Opens the user's default keychain.
pub(crate) fn open(options: KeychainOptions) -> Result<Box<dyn Store>> {
    let KeychainOptions { interactive, group, name, .. } = options;
    let items = Items::new(default_keychain()?, name.clone());
    Ok(Box::new(Keychain { items, group, name, interactive }))
}

/// Says whether there is a default keychain. Asks and unlocks nothing.
pub(crate) fn probe() -> Result<String> {
    default_keychain()?;
    Ok("macOS Keychain".into())
}

fn default_keychain() -> Result<SecKeychain> {
    SecKeychain::default().map_err(|error| failure(error.code(), "cannot open the default keychain"))
}

struct Keychain {
    items: Items,
    group: String,
    name: String,
    interactive: bool,
}

/// Whether the system may ask a person is a setting of the whole process. Those who forbid it go alone.
static INTERACTION: RwLock<()> = RwLock::new(());

/// Held during a call of the Keychain. The fields are dropped in this order.
pub(crate) enum Interaction {
    Allowed { _shared: RwLockReadGuard<'static, ()> },
    Forbidden { _off: KeychainUserInteractionLock, _alone: RwLockWriteGuard<'static, ()> },
}

impl Interaction {
    /// Waits until no call that must be alone is under way, or, to forbid interaction, until none is.
    pub(crate) fn start(allowed: bool) -> Result<Self> {
        if allowed {
            return Ok(Self::Allowed { _shared: INTERACTION.read().unwrap_or_else(PoisonError::into_inner) });
        }
        let alone = INTERACTION.write().unwrap_or_else(PoisonError::into_inner);
        let off = SecKeychain::disable_user_interaction()
            .map_err(|error| failure(error.code(), "cannot keep the system from asking a person"))?;
        Ok(Self::Forbidden { _off: off, _alone: alone })
    }
}

impl Keychain {
    fn label(&self, id: &Id) -> String {
        format!("{}:{}:{id}", self.group, self.name)
    }

    /// The id and the metadata of an item, when it is one of ours: our group is in its metadata, or, without any, in
    /// its label, which a person may have changed.
    fn ours(&self, found: &Attributes) -> Option<(Id, Result<BTreeMap<String, String>>)> {
        let id = Id::parse(&found.account).ok()?;
        let labelled = found.label == self.label(&id);
        match found.generic.as_deref().filter(|generic| !generic.is_empty()).map(gob::decode) {
            Some(Some(all)) => (all.get(GROUP) == Some(&self.group) || labelled).then(|| (id, Ok(without_ours(all)))),
            Some(None) => labelled.then(|| (id.clone(), Err(corrupt(&id)))),
            None => labelled.then(|| (id, Ok(BTreeMap::new()))),
        }
    }

    fn all(&self, pattern: &Pattern) -> Result<BTreeMap<Id, Attributes>> {
        let found = self.items.all()?.into_iter().filter_map(|found| Some((self.ours(&found)?.0, found)));
        Ok(found.filter(|(id, _)| pattern.matches(id.as_str())).collect())
    }

    fn find(&self, id: &Id) -> Result<Option<Item>> {
        let Some(found) = self.items.attributes(id.as_str())? else { return Ok(None) };
        let Some((_, metadata)) = self.ours(&found) else { return Ok(None) };
        let info = info(id.clone(), metadata?, &found);
        Ok(self.items.value(id.as_str())?.map(|value| Item { info, value }))
    }

    /// Whether the id is taken by a secret of ours. One that is taken by somebody else's item is refused.
    fn is_taken(&self, id: &Id) -> Result<bool> {
        match self.items.attributes(id.as_str())? {
            None => Ok(false),
            Some(found) if self.ours(&found).is_some() => Ok(true),
            Some(found) => Err(Error::new(
                Code::Unsupported,
                format!("{id} cannot be kept: its place in the keychain is taken by the item {:?}", found.label),
            )
            .with_detail("id", id)
            .with_hint("An item is found by service and account alone. Choose another id, or remove that item")),
        }
    }

    fn write(&self, id: &Id, value: &SecretBytes, metadata: BTreeMap<String, String>, overwrite: bool) -> Result<()> {
        let (label, generic) = (self.label(id), self.generic(id, metadata));
        let content = Content { account: id.as_str(), label: &label, generic: &generic, value: Some(value) };
        if overwrite && self.is_taken(id)? {
            return self.items.update(id.as_str(), &content);
        }
        match self.items.add(&content) {
            // Added by somebody else since we looked.
            Err(error) if error.code() == Code::Exists && overwrite && self.is_taken(id)? => {
                self.items.update(id.as_str(), &content)
            }
            Err(error) if error.code() == Code::Exists => Err(exists(id)),
            outcome => outcome,
        }
    }

    fn generic(&self, id: &Id, metadata: BTreeMap<String, String>) -> Vec<u8> {
        let mut all: BTreeMap<String, String> =
            metadata.into_iter().map(|(name, value)| (format!("{METADATA_PREFIX}{name}"), value)).collect();
        all.insert(GROUP.into(), self.group.clone());
        all.insert(NAME.into(), self.name.clone());
        all.insert(ID.into(), id.to_string());
        gob::encode(&all)
    }
}

impl Store for Keychain {
    fn describe(&self) -> Result<Description> {
        Ok(Description {
            kind: "keychain",
            backend: "macOS Keychain".into(),
            location: self.items.path().unwrap_or_else(|| "the default keychain".into()),
            encryption: "by the keychain's password, usually the one of the login; macOS asks before another program reads an item".into(),
            survives_reboot: true,
            locked: self.items.is_locked(),
            max_value_bytes: MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        let _interaction = Interaction::start(self.interactive)?;
        self.find(id)?.ok_or_else(|| not_found(id))
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        let _interaction = Interaction::start(self.interactive)?;
        // The system hands out many items at once only without their values.
        let ids: BTreeSet<Id> = match selection {
            Selection::Ids(ids) => ids.iter().cloned().collect(),
            Selection::Pattern(pattern) => self.all(pattern)?.into_keys().collect(),
        };
        ids.iter().filter_map(|id| self.find(id).transpose()).collect()
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        let _interaction = Interaction::start(self.interactive)?;
        let all = self.all(pattern)?.into_iter().map(|(id, found)| {
            let metadata = self.ours(&found).and_then(|(_, metadata)| metadata.ok()).unwrap_or_default();
            info(id, metadata, &found)
        });
        Ok(all.collect())
    }

    fn set_many(&self, items: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&items, MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        let _interaction = Interaction::start(self.interactive)?;
        for NewItem { id, .. } in &items {
            if self.is_taken(id)? && !overwrite {
                return Err(exists(id));
            }
        }
        for (written, NewItem { id, value, metadata }) in items.into_iter().enumerate() {
            self.write(&id, &value, metadata, overwrite).map_err(|error| error.with_detail("written", written))?;
        }
        Ok(())
    }

    fn delete(&self, id: &Id) -> Result<()> {
        let _interaction = Interaction::start(self.interactive)?;
        let found = self.items.attributes(id.as_str())?.filter(|found| self.ours(found).is_some());
        if found.is_some() && self.items.delete(id.as_str())? { Ok(()) } else { Err(not_found(id)) }
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        let _interaction = Interaction::start(self.interactive)?;
        let found = self.items.attributes(from.as_str())?;
        let (_, metadata) = found.and_then(|found| self.ours(&found)).ok_or_else(|| not_found(from))?;
        if from == to {
            return Ok(());
        }
        if self.is_taken(to)? {
            if !overwrite {
                return Err(exists(to));
            }
            self.items.delete(to.as_str())?;
        }
        let (label, generic) = (self.label(to), self.generic(to, metadata?));
        self.items
            .update(from.as_str(), &Content { account: to.as_str(), label: &label, generic: &generic, value: None })
    }
}

/// Turns a status of the Security framework into one of our errors. One line for each that these calls are known for.
pub(crate) fn failure(status: i32, what: &str) -> Error {
    let code = match status {
        -25300 => Code::NotFound,            // errSecItemNotFound
        -25299 => Code::Exists,              // errSecDuplicateItem
        -128 => Code::PromptDismissed,       // errSecUserCanceled
        -25293 => Code::AccessDenied,        // errSecAuthFailed: a wrong password, or the person refused
        -25308 => Code::InteractionRequired, // errSecInteractionNotAllowed
        -25315 => Code::InteractionRequired, // errSecInteractionRequired
        -25243 => Code::AccessDenied,        // errSecNoAccessForItem
        -25244 => Code::AccessDenied,        // errSecInvalidOwnerEdit
        -25292 => Code::AccessDenied,        // errSecReadOnly
        -34018 => Code::AccessDenied,        // errSecMissingEntitlement
        -61 => Code::AccessDenied,           // errSecWrPerm
        -25317 => Code::AccessDenied,        // errSecDataNotModifiable
        -25307 => Code::NoCollection,        // errSecNoDefaultKeychain
        -25291 => Code::StoreUnavailable,    // errSecNotAvailable
        -25294 => Code::StoreUnavailable,    // errSecNoSuchKeychain
        -67585 => Code::StoreUnavailable,    // errSecServiceNotAvailable
        -25295 => Code::Corrupt,             // errSecInvalidKeychain
        -26275 => Code::Corrupt,             // errSecDecode
        -25302 => Code::ValueTooLarge,       // errSecDataTooLarge
        -4 => Code::Unsupported,             // errSecUnimplemented
        -50 => Code::Internal,               // errSecParam: we built the call wrongly
        _ => Code::StoreFailure,
    };
    let error = Error::new(code, what)
        .with_detail("osStatus", status)
        .with_source(security_framework::base::Error::from_code(status));
    match code {
        Code::InteractionRequired => error.with_hint("Unlock the keychain first: security unlock-keychain"),
        Code::NoCollection => {
            error.with_hint("Create one in Keychain Access, or use the file store: se store use file")
        }
        _ => error,
    }
}

fn without_ours(all: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = all.into_iter();
    named.filter_map(|(name, value)| Some((name.strip_prefix(METADATA_PREFIX)?.to_owned(), value))).collect()
}

fn info(id: Id, metadata: BTreeMap<String, String>, found: &Attributes) -> Info {
    Info { id, metadata, created_at: found.created_at, modified_at: found.modified_at }
}

fn not_found(id: &Id) -> Error {
    Error::new(Code::NotFound, format!("{id} is not in the keychain")).with_detail("id", id)
}

fn exists(id: &Id) -> Error {
    Error::new(Code::Exists, format!("{id} is in the keychain already")).with_detail("id", id).with_hint(OVERWRITE)
}

fn corrupt(id: &Id) -> Error {
    Error::new(Code::Corrupt, format!("{id} cannot be read: its metadata is in a form that we do not know"))
        .with_detail("id", id)
}
