//! Entries in the Credential Manager. Programs name them in different ways: `keyring` and its like
//! `<account>.<service>`, with the value in UTF-16LE; keytar `<service>/<account>`, with the value in UTF-8. Both are
//! found, each is read and written in its own form, and a new entry is `keyring`'s.

use std::collections::HashMap;
use std::sync::Arc;

use keyring::{Error as KeyringError, Result as KeyringResult};
use keyring_core::{CredentialStore, Entry};
use windows_native_keyring_store::Store;
use zeroize::Zeroizing;

use super::EntriesOptions;
use crate::windows::target_names;
use crate::{Code, Error, Result, SecretBytes};

pub(super) const BACKEND: &str = "Windows Credential Manager";
pub(super) const ENCRYPTION: &str = "DPAPI, by a key of this Windows account; any program of the account can read it";
/// What fits in any text: 2,560 bytes of UTF-16.
pub(super) const MAX_VALUE_BYTES: usize = 1280;

pub(super) fn connect() -> KeyringResult<Arc<CredentialStore>> {
    Ok(Store::new()?)
}

/// Nobody is ever asked here.
pub(super) fn without_asking<T>(_options: &EntriesOptions, work: impl FnOnce() -> Result<T>) -> Result<T> {
    work()
}

pub(super) fn find(store: &Arc<CredentialStore>, service: &str, account: &str) -> KeyringResult<Vec<Entry>> {
    let slash = format!("{service}/{account}");
    let mut found = Vec::new();
    for entry in [
        store.build(service, account, None)?,
        store.build(service, account, Some(&HashMap::from([("target", &*slash)])))?,
    ] {
        match entry.get_attributes() {
            Ok(_) => found.push(entry),
            Err(KeyringError::NoEntry) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

pub(super) fn accounts(_store: &Arc<CredentialStore>, service: &str) -> KeyringResult<Vec<String>> {
    let (dot, slash) = (format!(".{service}"), format!("{service}/"));
    let targets = target_names().map_err(|error| KeyringError::PlatformFailure(Box::new(error)))?;
    let accounts =
        targets.iter().filter_map(|target| target.strip_suffix(&dot).or_else(|| target.strip_prefix(&slash)));
    Ok(accounts.map(str::to_owned).collect())
}

/// An entry that was named by its target is keytar's; `keyring`'s own knows its service and account.
fn is_keytars(entry: &Entry) -> bool {
    entry.get_specifiers().is_none()
}

pub(super) fn can_keep(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok()
}

pub(super) fn read(entry: &Entry) -> KeyringResult<SecretBytes> {
    if is_keytars(entry) {
        return Ok(SecretBytes::copy_from(&Zeroizing::new(entry.get_secret()?)));
    }
    match entry.get_password() {
        Ok(text) => Ok(SecretBytes::copy_from(Zeroizing::new(text).as_bytes())),
        // Written as bytes: these cannot be text.
        Err(KeyringError::BadEncoding(bytes)) => Ok(SecretBytes::copy_from(&Zeroizing::new(bytes))),
        Err(error) => Err(error),
    }
}

pub(super) fn write(entry: &Entry, value: &[u8]) -> KeyringResult<()> {
    match std::str::from_utf8(value) {
        Ok(text) if !is_keytars(entry) => entry.set_password(text),
        _ => entry.set_secret(value),
    }
}

pub(super) fn failure(source: Box<dyn std::error::Error + Send + Sync>, what: &str) -> Error {
    match source.downcast::<Error>() {
        Ok(error) => *error,
        // The crate keeps its number to itself; its words say which it was.
        Err(source) => Error::new(Code::StoreFailure, format!("{what}: {source}")),
    }
}
