//! Entries of any program: what it keeps in the OS keychain under a service and an account, through the store crates
//! of `keyring`.
//!
//! The account is the id. Accounts that are not ids (`user@example.com`) cannot be asked for here and are passed over
//! in lists. Entries carry no metadata and no times. The stores of `keyring` are named one by one, never taken by
//! default: on Linux it is always the Secret Service, not the kernel's key ring, which forgets at a reboot.

#[cfg(target_os = "linux")]
#[path = "entries/linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "entries/macos.rs"]
mod system;
#[cfg(windows)]
#[path = "entries/windows.rs"]
mod system;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use keyring::Error as KeyringError;
use keyring_core::{CredentialStore, Entry};
use pattern_matcher::{Id, Pattern};
use zeroize::Zeroizing;

use crate::limits::{MAX_METADATA_BYTES, OVERWRITE, check_new};
use crate::{Code, Description, Error, Info, Item, NewItem, Result, SecretBytes, Selection, Store};

/// How to open the entries of a service.
#[derive(Clone, Debug)]
pub struct EntriesOptions {
    /// The service under which the program keeps its entries. Not empty.
    pub service: String,
    /// Whether a person may be asked to unlock the keychain. Prompts block until answered.
    pub interactive: bool,
}

/// Opens the entries of a service in the keychain of this operating system. An empty service → `InvalidOption`;
/// no keychain → `StoreUnavailable`. Connects; neither prompts nor unlocks.
pub fn open(options: EntriesOptions) -> Result<Box<dyn Store>> {
    if options.service.is_empty() {
        return Err(Error::new(Code::InvalidOption, "the service of the entries is empty"));
    }
    let connection = Mutex::new(Some(connect()?));
    Ok(Box::new(Entries { options, connection }))
}

fn connect() -> Result<Arc<CredentialStore>> {
    system::connect().map_err(|error| failure(error, "cannot open the keychain"))
}

struct Entries {
    options: EntriesOptions,
    /// Made anew after the service behind it went away.
    connection: Mutex<Option<Arc<CredentialStore>>>,
}

impl Entries {
    /// Does something on the connection, after making sure that nobody is asked who must not be.
    fn with<T>(&self, work: impl FnOnce(&Arc<CredentialStore>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let store = match &*connection {
            Some(store) => store.clone(),
            None => connection.insert(connect()?).clone(),
        };
        drop(connection);
        let outcome = system::without_asking(&self.options, || work(&store));
        if outcome.as_ref().is_err_and(|error| error.code() == Code::StoreUnavailable) {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        outcome
    }

    /// The one entry of an account.
    fn find(&self, store: &Arc<CredentialStore>, id: &Id) -> Result<Option<Entry>> {
        let mut found = system::find(store, &self.options.service, id.as_str())
            .map_err(|error| failure(error, &format!("cannot look for {id}")))?;
        match found.len() {
            0 | 1 => Ok(found.pop()),
            count => Err(Error::new(Code::Ambiguous, format!("{count} entries have the account {id}"))
                .with_hint("deleting it removes all of them; then set it again")
                .with_detail("id", id)
                .with_detail("count", count)),
        }
    }

    fn read(&self, store: &Arc<CredentialStore>, id: &Id) -> Result<Option<Item>> {
        let Some(entry) = self.find(store, id)? else { return Ok(None) };
        match system::read(&entry) {
            Ok(value) => Ok(Some(Item { info: info(id.clone()), value })),
            // Deleted since it was found.
            Err(KeyringError::NoEntry) => Ok(None),
            Err(error) => Err(failure(error, &format!("cannot read {id}"))),
        }
    }

    fn write(&self, store: &Arc<CredentialStore>, id: &Id, value: &SecretBytes) -> Result<()> {
        let entry = match self.find(store, id)? {
            Some(entry) => Ok(entry),
            None => store.build(&self.options.service, id.as_str(), None),
        };
        entry
            .and_then(|entry| system::write(&entry, value.as_bytes()))
            .map_err(|error| failure(error, &format!("cannot write {id}")))
    }

    fn delete(&self, store: &Arc<CredentialStore>, id: &Id) -> Result<()> {
        let found = system::find(store, &self.options.service, id.as_str());
        let found = found.map_err(|error| failure(error, &format!("cannot look for {id}")))?;
        if found.is_empty() {
            return Err(not_found(id));
        }
        for entry in found {
            match entry.delete_credential() {
                Err(error) if !matches!(error, KeyringError::NoEntry) => {
                    return Err(failure(error, &format!("cannot delete {id}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn ids(&self, store: &Arc<CredentialStore>, pattern: &Pattern) -> Result<BTreeSet<Id>> {
        let accounts = system::accounts(store, &self.options.service)
            .map_err(|error| failure(error, "cannot list the entries"))?;
        Ok(accounts
            .iter()
            .filter_map(|account| Id::parse(account).ok())
            .filter(|id| pattern.matches(id.as_str()))
            .collect())
    }
}

impl Store for Entries {
    fn describe(&self) -> Result<Description> {
        Ok(Description {
            kind: "entries",
            backend: system::BACKEND.into(),
            location: format!("entries of the service {}", self.options.service),
            encryption: system::ENCRYPTION.into(),
            survives_reboot: true,
            locked: None,
            max_value_bytes: system::MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        self.with(|store| self.read(store, id)?.ok_or_else(|| not_found(id)))
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        self.with(|store| {
            let ids = match selection {
                Selection::Ids(ids) => ids.iter().cloned().collect(),
                Selection::Pattern(pattern) => self.ids(store, pattern)?,
            };
            ids.iter().filter_map(|id| self.read(store, id).transpose()).collect()
        })
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        self.with(|store| Ok(self.ids(store, pattern)?.into_iter().map(info).collect()))
    }

    fn set_many(&self, items: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&items, system::MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        for NewItem { id, value, metadata } in &items {
            if !metadata.is_empty() {
                return Err(unsupported(id, "entries of other programs carry no metadata"));
            }
            if !system::can_keep(value.as_bytes()) {
                return Err(unsupported(id, "entries here are text, and the value is not UTF-8"));
            }
        }
        self.with(|store| {
            for NewItem { id, .. } in &items {
                if self.find(store, id)?.is_some() && !overwrite {
                    return Err(exists(id));
                }
            }
            for (written, NewItem { id, value, .. }) in items.iter().enumerate() {
                self.write(store, id, value).map_err(|error| error.with_detail("written", written))?;
            }
            Ok(())
        })
    }

    fn delete(&self, id: &Id) -> Result<()> {
        self.with(|store| self.delete(store, id))
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        self.with(|store| {
            let item = self.read(store, from)?.ok_or_else(|| not_found(from))?;
            if from == to {
                return Ok(());
            }
            if self.find(store, to)?.is_some() && !overwrite {
                return Err(exists(to));
            }
            self.write(store, to, &item.value)?;
            self.delete(store, from)
        })
    }
}

/// Reads a value as bytes.
#[cfg(not(windows))]
fn read_bytes(entry: &Entry) -> keyring::Result<SecretBytes> {
    Ok(SecretBytes::copy_from(&Zeroizing::new(entry.get_secret()?)))
}

/// Turns a failure of `keyring` into one of ours. Those that hold a value keep nothing of it.
fn failure(error: KeyringError, what: &str) -> Error {
    match error {
        KeyringError::NoEntry => Error::new(Code::NotFound, what),
        KeyringError::TooLong(field, limit) => {
            Error::new(Code::ValueTooLarge, format!("{what}: the {field} is too long")).with_detail("limit", limit)
        }
        KeyringError::Invalid(field, reason) => {
            Error::new(Code::InvalidOption, format!("{what}: the {field} is not valid: {reason}"))
        }
        KeyringError::NotSupportedByStore(_) => Error::new(Code::Unsupported, what),
        KeyringError::BadEncoding(bytes) => {
            drop(Zeroizing::new(bytes));
            Error::new(Code::Corrupt, format!("{what}: the value is not text"))
        }
        KeyringError::BadDataFormat(bytes, _) => {
            drop(Zeroizing::new(bytes));
            Error::new(Code::Corrupt, format!("{what}: the value is malformed"))
        }
        KeyringError::BadStoreFormat(_) => Error::new(Code::Corrupt, what),
        KeyringError::Ambiguous(entries) => Error::new(Code::Ambiguous, what).with_detail("count", entries.len()),
        KeyringError::NoStorageAccess(source) | KeyringError::PlatformFailure(source) => system::failure(source, what),
        _ => Error::new(Code::StoreFailure, what),
    }
}

fn info(id: Id) -> Info {
    Info { id, metadata: BTreeMap::new(), created_at: None, modified_at: None }
}

fn not_found(id: &Id) -> Error {
    Error::new(Code::NotFound, format!("no entry has the account {id}")).with_detail("id", id)
}

fn exists(id: &Id) -> Error {
    Error::new(Code::Exists, format!("an entry has the account {id} already"))
        .with_detail("id", id)
        .with_hint(OVERWRITE)
}

fn unsupported(id: &Id, why: &str) -> Error {
    Error::new(Code::Unsupported, format!("{id} cannot be kept: {why}")).with_detail("id", id)
}
