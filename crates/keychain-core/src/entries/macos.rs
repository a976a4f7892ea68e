//! Entries in the user's login keychain: generic passwords by service and account.

use std::collections::HashMap;
use std::sync::Arc;

use apple_native_keyring_store::keychain::Store;
use keyring::Result as KeyringResult;
use keyring_core::{CredentialStore, Entry};

use super::EntriesOptions;
pub(super) use super::read_bytes as read;
use crate::macos::{Interaction, failure as status_failure};
use crate::{Code, Error, Result};

pub(super) const BACKEND: &str = "macOS Keychain";
pub(super) const ENCRYPTION: &str =
    "by the keychain's password, usually the one of the login; macOS asks before another program reads an item";
pub(super) const MAX_VALUE_BYTES: usize = 1 << 20;

pub(super) fn connect() -> KeyringResult<Arc<CredentialStore>> {
    Ok(Store::new()?)
}

pub(super) fn without_asking<T>(options: &EntriesOptions, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _interaction = Interaction::start(options.interactive)?;
    work()
}

pub(super) fn find(store: &Arc<CredentialStore>, service: &str, account: &str) -> KeyringResult<Vec<Entry>> {
    store.search(&HashMap::from([("service", service), ("user", account)]))
}

pub(super) fn accounts(store: &Arc<CredentialStore>, service: &str) -> KeyringResult<Vec<String>> {
    let found = store.search(&HashMap::from([("service", service)]))?;
    Ok(found.iter().filter_map(|entry| Some(entry.get_specifiers()?.1)).collect())
}

pub(super) fn can_keep(_value: &[u8]) -> bool {
    true
}

pub(super) fn write(entry: &Entry, value: &[u8]) -> KeyringResult<()> {
    entry.set_secret(value)
}

pub(super) fn failure(source: Box<dyn std::error::Error + Send + Sync>, what: &str) -> Error {
    match source.downcast::<security_framework::base::Error>() {
        Ok(error) => status_failure(error.code(), what),
        Err(_) => Error::new(Code::StoreFailure, what),
    }
}
