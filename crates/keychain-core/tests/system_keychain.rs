//! The Keychain of macOS and the Credential Manager of Windows keep the contract.
#![cfg(any(target_os = "macos", windows))]

#[macro_use]
mod contract;

use std::sync::atomic::{AtomicU32, Ordering};

use contract::{Fixture, pattern};
use keychain_core::keychain::{self, KeychainOptions};

/// Removes what a test left behind.
struct Leftovers(KeychainOptions);

impl Drop for Leftovers {
    fn drop(&mut self) {
        let store = keychain::open(self.0.clone()).unwrap();
        for info in store.list(&pattern("**")).unwrap() {
            store.delete(&info.id).unwrap();
        }
    }
}

/// A service of its own for each test, and none that a person uses.
fn options() -> KeychainOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    KeychainOptions { interactive: false, group: "dev.se-native.test".into(), name }
}

fn fixture() -> Fixture {
    let options = options();
    let open = || keychain::open(options.clone()).unwrap();
    let fixture = Fixture::new(open(), open(), Box::new(Leftovers(options.clone())));
    if cfg!(windows) { Fixture { text_only: true, max_metadata_bytes: 8 << 10, ..fixture } } else { fixture }
}

contract!(fixture);
