//! Entries in the Secret Service. `keyring` and Python's keyring call the account `username`, keytar calls it
//! `account`: both are found, and a new entry is `keyring`'s.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use keyring::{Error as KeyringError, Result as KeyringResult};
use keyring_core::{CredentialStore, Entry};
use secret_service::blocking::SecretService;
use secret_service::{EncryptionType, Error as ServiceError};
use zbus_secret_service_keyring_store::Store;
use zbus_secret_service_keyring_store::cred::Wrapper;

use super::EntriesOptions;
pub(super) use super::read_bytes as read;
use crate::{Code, Error, MAX_VALUE_BYTES as MAX, Result};

pub(super) const BACKEND: &str = "Secret Service";
pub(super) const ENCRYPTION: &str = "by the password of the keyring, usually the one of the login";
pub(super) const MAX_VALUE_BYTES: usize = MAX;

const ACCOUNT_NAMES: [&str; 2] = ["username", "account"];

pub(super) fn connect() -> KeyringResult<Arc<CredentialStore>> {
    Ok(Store::new()?)
}

/// `keyring` unlocks whatever it finds. Where nobody may be asked, a locked keyring is seen before it comes to that.
pub(super) fn without_asking<T>(options: &EntriesOptions, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if !options.interactive {
        let locked = locked(&options.service)
            .map_err(|error| service_failure(error, "cannot see whether the keyring is locked"))?;
        if locked {
            return Err(Error::new(Code::InteractionRequired, "the keyring is locked, and nobody may be asked")
                .with_hint("Unlock the keyring first, by logging in or with the desktop's password manager"));
        }
    }
    work()
}

fn locked(service: &str) -> std::result::Result<bool, ServiceError> {
    // No value crosses this session.
    let bus = SecretService::connect(EncryptionType::Plain)?;
    if !bus.search_items(HashMap::from([("service", service)]))?.locked.is_empty() {
        return Ok(true);
    }
    match bus.get_default_collection() {
        Ok(collection) => collection.is_locked(),
        Err(ServiceError::NoResult) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) fn find(store: &Arc<CredentialStore>, service: &str, account: &str) -> KeyringResult<Vec<Entry>> {
    let mut paths = BTreeSet::new();
    let mut found = Vec::new();
    for name in ACCOUNT_NAMES {
        let entries = store.search(&HashMap::from([("service", service), (name, account)]))?;
        found.extend(entries.into_iter().filter(|entry| path(entry).is_none_or(|path| paths.insert(path))));
    }
    Ok(found)
}

pub(super) fn accounts(store: &Arc<CredentialStore>, service: &str) -> KeyringResult<Vec<String>> {
    let mut accounts = Vec::new();
    for entry in store.search(&HashMap::from([("service", service)]))? {
        match entry.get_attributes() {
            Ok(mut attributes) => accounts.extend(ACCOUNT_NAMES.iter().find_map(|name| attributes.remove(*name))),
            // Deleted since it was found.
            Err(KeyringError::NoEntry) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(accounts)
}

fn path(entry: &Entry) -> Option<String> {
    entry.as_any().downcast_ref::<Wrapper>().map(Wrapper::get_path)
}

pub(super) fn can_keep(_value: &[u8]) -> bool {
    true
}

pub(super) fn write(entry: &Entry, value: &[u8]) -> KeyringResult<()> {
    entry.set_secret(value)
}

pub(super) fn failure(source: Box<dyn std::error::Error + Send + Sync>, what: &str) -> Error {
    match source.downcast::<ServiceError>() {
        Ok(error) => service_failure(*error, what),
        Err(_) => Error::new(Code::StoreFailure, what),
    }
}

fn service_failure(error: ServiceError, what: &str) -> Error {
    let code = match &error {
        ServiceError::Locked => Code::Locked,
        ServiceError::Prompt => Code::PromptDismissed,
        ServiceError::PromptDisconnected | ServiceError::Unavailable => Code::StoreUnavailable,
        ServiceError::NoResult => Code::NoCollection,
        ServiceError::Crypto(_) => Code::Corrupt,
        ServiceError::Zbus(error) => bus_code(error),
        ServiceError::ZbusFdo(zbus::fdo::Error::AccessDenied(_)) => Code::AccessDenied,
        ServiceError::ZbusFdo(_) => Code::StoreUnavailable,
        _ => Code::StoreFailure,
    };
    Error::new(code, what).with_source(error)
}

fn bus_code(error: &zbus::Error) -> Code {
    match error {
        zbus::Error::MethodError(name, ..) => match name.as_str() {
            "org.freedesktop.Secret.Error.IsLocked" => Code::Locked,
            "org.freedesktop.Secret.Error.NoSuchObject" => Code::NotFound,
            "org.freedesktop.DBus.Error.AccessDenied" => Code::AccessDenied,
            // The service ended, or was started anew and does not know our session.
            "org.freedesktop.Secret.Error.NoSession"
            | "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.NoReply"
            | "org.freedesktop.DBus.Error.UnknownObject"
            | "org.freedesktop.DBus.Error.UnknownMethod" => Code::StoreUnavailable,
            _ => Code::StoreFailure,
        },
        zbus::Error::InputOutput(_) | zbus::Error::Address(_) | zbus::Error::Handshake(_) => Code::StoreUnavailable,
        zbus::Error::FDO(_) => Code::StoreUnavailable,
        _ => Code::StoreFailure,
    }
}
