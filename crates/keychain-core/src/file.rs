//! The encrypted file: secrets in one age file, written to the recipient of an identity file beside it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Code, Error, Result, SecretBytes, Store};

/// Answers with the passphrase of an identity file. Called only when one is needed; may ask a person.
pub type Passphrase = Arc<dyn Fn() -> Result<SecretBytes> + Send + Sync>;

/// Where the encrypted file is, and what opens it.
pub struct FileOptions {
    /// The store, such as `store.age`.
    pub store: PathBuf,
    /// The identity file (0600), in age's own format; itself encrypted where its owner wanted a passphrase.
    pub identity: PathBuf,
    /// Where the passphrase comes from, when the identity file is encrypted. None: `InteractionRequired` then.
    pub passphrase: Option<Passphrase>,
}

/// Makes a new identity file and an empty store. Either there already → `Exists`, and nothing is changed.
/// With a passphrase, the identity file is encrypted to it (scrypt, work factor 18).
pub fn create(_options: &FileOptions, _passphrase: Option<&SecretBytes>) -> Result<()> {
    Err(Error::new(Code::Unsupported, "the encrypted file cannot be made yet"))
}

/// Opens the encrypted file. Reads nothing but file modes until the first operation.
pub fn open(_options: FileOptions) -> Result<Box<dyn Store>> {
    Err(Error::new(Code::StoreUnavailable, "the encrypted file cannot be opened yet"))
}
