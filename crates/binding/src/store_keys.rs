//! The key of the encrypted file: its passphrase, its exchange, and who else can read the file. `known` is the passphrase
//! of the identity file; without it, an encrypted one is `InteractionRequired`.

use std::path::PathBuf;
use std::sync::Arc;

use keychain_core::file::{self, FileOptions, Passphrase};
use keychain_core::{Result, SecretBytes};
use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;

use crate::secret::SecretHandle;
use crate::task;

fn options(store: String, identity: String, known: Option<&SecretHandle>) -> Result<FileOptions> {
    let passphrase = match known {
        None => None,
        Some(handle) => {
            let value = handle.copy()?;
            Some(Arc::new(move || Ok(SecretBytes::copy_from(value.as_bytes()))) as Passphrase)
        }
    };
    Ok(FileOptions { store: PathBuf::from(store), identity: PathBuf::from(identity), passphrase })
}

/// Whether `known` opens the identity file.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn check_store_passphrase<'env>(
    env: &'env Env,
    store: String,
    identity: String,
    known: Option<&SecretHandle>,
) -> napi::Result<Object<'env>> {
    let options = options(store, identity, known);
    task::run(env, move || file::check_passphrase(&options?))
}

/// Gives the identity file another passphrase, or none.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn change_store_passphrase<'env>(
    env: &'env Env,
    store: String,
    identity: String,
    known: Option<&SecretHandle>,
    next: Option<&SecretHandle>,
) -> napi::Result<Object<'env>> {
    let options = options(store, identity, known);
    let next = next.map(SecretHandle::copy).transpose();
    task::run(env, move || file::change_passphrase(&options?, next?.as_ref()))
}

/// Writes the store to a new key, which takes the place of the old one among the recipients.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn rotate_store_key<'env>(
    env: &'env Env,
    store: String,
    identity: String,
    known: Option<&SecretHandle>,
) -> napi::Result<Object<'env>> {
    let options = options(store, identity, known);
    task::run(env, move || file::rotate_key(&options?))
}

/// All whose keys open the store, the owner's among them.
#[napi(ts_return_type = "Promise<Outcome<string[]>>")]
pub fn store_recipients<'env>(
    env: &'env Env,
    store: String,
    identity: String,
    known: Option<&SecretHandle>,
) -> napi::Result<Object<'env>> {
    let options = options(store, identity, known);
    task::run(env, move || file::recipients(&options?))
}

/// Lets another key read the store, or no longer.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn set_store_recipient<'env>(
    env: &'env Env,
    store: String,
    identity: String,
    known: Option<&SecretHandle>,
    recipient: String,
    reads: bool,
) -> napi::Result<Object<'env>> {
    let options = options(store, identity, known);
    task::run(env, move || {
        let change = if reads { file::add_recipient } else { file::remove_recipient };
        change(&options?, &recipient)
    })
}
