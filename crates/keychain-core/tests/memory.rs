//! The store in memory keeps the contract.

#[macro_use]
mod contract;

use contract::Fixture;
use keychain_core::memory::MemoryStore;

fn fixture() -> Fixture {
    let store = MemoryStore::default();
    Fixture::new(Box::new(store.clone()), Box::new(store), Box::new(()))
}

contract!(fixture);
