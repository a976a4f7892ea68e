//! The keychain of this operating system: Secret Service, Keychain or Credential Manager.

use std::time::Duration;

use crate::{Result, Store};

/// How to open the OS keychain.
#[derive(Clone, Debug)]
pub struct KeychainOptions {
    /// Whether a person may be asked to unlock it. Prompts block until answered.
    pub interactive: bool,
    /// The service group of the items; `com.docker.docker-pass` unless told otherwise.
    pub group: String,
    /// The service name of the items; `docker-pass-cli` unless told otherwise.
    pub name: String,
    /// How long a write waits for another program that writes to the same Secret Service: 30 seconds unless told
    /// otherwise. Then it fails with `StoreUnavailable` (detail `pid`). Other keychains need no such turns.
    pub writer_wait: Duration,
}

impl Default for KeychainOptions {
    fn default() -> Self {
        Self {
            interactive: true,
            group: "com.docker.docker-pass".into(),
            name: "docker-pass-cli".into(),
            writer_wait: Duration::from_secs(30),
        }
    }
}

/// Opens the keychain of this operating system. Connects; neither prompts nor unlocks.
pub fn open(options: KeychainOptions) -> Result<Box<dyn Store>> {
    system::open(options)
}

/// Says whether an OS keychain would answer, without starting, unlocking or asking anything: `Ok` names it, an error
/// says why not.
pub fn probe() -> Result<String> {
    system::probe()
}

/// [`open`] on the D-Bus bus at this address instead of the session's.
#[cfg(target_os = "linux")]
pub fn open_on_bus(address: &str, options: KeychainOptions) -> Result<Box<dyn Store>> {
    crate::secret_service::open_on_bus(Some(address), options)
}

/// [`probe`] on the D-Bus bus at this address instead of the session's.
#[cfg(target_os = "linux")]
pub fn probe_bus(address: &str) -> Result<String> {
    crate::secret_service::probe_bus(Some(address))
}

#[cfg(target_os = "macos")]
use crate::macos as system;
#[cfg(target_os = "linux")]
use crate::secret_service as system;
#[cfg(windows)]
use crate::windows as system;

/// Systems without a keychain that we know.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod system {
    use super::KeychainOptions;
    use crate::{Code, Error, Result, Store};

    pub(super) fn open(_options: KeychainOptions) -> Result<Box<dyn Store>> {
        Err(none())
    }

    pub(super) fn probe() -> Result<String> {
        Err(none())
    }

    fn none() -> Error {
        Error::new(Code::StoreUnavailable, "no OS keychain answers here")
    }
}
