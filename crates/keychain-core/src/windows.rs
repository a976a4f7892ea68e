//! The Credential Manager of this Windows account.

mod credential;
mod turn;

use self::turn::Turn;
use crate::credential_manager::{Credential, CredentialManager, Credentials, NewCredential};
use crate::keychain::KeychainOptions;
use crate::{Result, Store};

/// Opens the Credential Manager of this Windows account.
pub(crate) fn open(options: KeychainOptions) -> Result<Box<dyn Store>> {
    Ok(Box::new(CredentialManager::new(System, options.group, options.name)))
}

/// Asks the Credential Manager for a name that nobody uses: it answers, or says why it cannot.
pub(crate) fn probe() -> Result<String> {
    credential::read("se-native:probe")?;
    Ok("Windows Credential Manager".into())
}

/// The names of all generic credentials of the account.
pub(crate) fn target_names() -> Result<Vec<String>> {
    Ok(credential::enumerate("")?.into_iter().map(|found| found.target).collect())
}

/// The credentials of the account that this program runs as.
struct System;

impl Credentials for System {
    type Turn<'a> = Turn;

    fn read(&self, target: &str) -> Result<Option<Credential>> {
        credential::read(target)
    }

    fn enumerate(&self, prefix: &str) -> Result<Vec<Credential>> {
        credential::enumerate(prefix)
    }

    fn write(&self, new: &NewCredential<'_>) -> Result<()> {
        credential::write(new)
    }

    fn delete(&self, target: &str) -> Result<bool> {
        credential::delete(target)
    }

    fn turn(&self) -> Result<Turn> {
        Turn::wait()
    }
}
