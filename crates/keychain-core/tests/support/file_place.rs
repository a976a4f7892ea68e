//! A folder with an encrypted file in it.

use std::path::PathBuf;
use std::sync::Arc;

use keychain_core::file::{self, FileOptions};
use keychain_core::{SecretBytes, Store};

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
}

impl Place {
    /// A folder without a store.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with an empty store and its key.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        file::create(&place.options(), None).unwrap();
        place
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store.age")
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.folder.path().join("identity.age")
    }

    pub(crate) fn options(&self) -> FileOptions {
        FileOptions { store: self.store(), identity: self.identity(), passphrase: None }
    }

    #[allow(dead_code, reason = "not every test has a passphrase")]
    pub(crate) fn options_with(&self, passphrase: &'static str) -> FileOptions {
        let passphrase: file::Passphrase = Arc::new(move || Ok(SecretBytes::copy_from(passphrase.as_bytes())));
        FileOptions { passphrase: Some(passphrase), ..self.options() }
    }

    pub(crate) fn open(&self) -> Box<dyn Store> {
        file::open(self.options()).unwrap()
    }
}
