//! The store in memory keeps the contract, and fails when it is told to.

#[macro_use]
mod contract;

use contract::{Fixture, every_operation_fails_with, id, new_item, pattern};
use keychain_core::memory::{MemoryStore, Operation};
use keychain_core::{Code, Selection, Store};

fn fixture() -> Fixture {
    let store = MemoryStore::default();
    Fixture::new(Box::new(store.clone()), Box::new(store), Box::new(()))
}

contract!(fixture);

#[test]
fn the_next_calls_fail_as_often_as_told_and_change_nothing() {
    let store = MemoryStore::default();
    store.fail_next(Operation::Set, 2, Code::StoreFailure);
    for _ in 0..2 {
        assert_eq!(store.set_many(vec![new_item("a", b"v")], false).unwrap_err().code(), Code::StoreFailure);
    }
    assert_eq!(store.list(&pattern("**")).unwrap(), []);
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    store.fail_next(Operation::Get, 5, Code::AccessDenied);
    store.fail_next(Operation::Get, 0, Code::AccessDenied);
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"v");
}

#[test]
fn every_operation_can_be_made_to_fail() {
    let store = MemoryStore::default();
    for operation in [Operation::Get, Operation::List, Operation::Set, Operation::Delete, Operation::Rename] {
        store.fail_next(operation, 1, Code::StoreUnavailable);
    }
    store.fail_next(Operation::GetMany, 2, Code::StoreUnavailable);
    every_operation_fails_with(&store, Code::StoreUnavailable);
    assert_eq!(store.list(&pattern("**")).unwrap(), []);
}

#[test]
fn a_locked_store_refuses_everything_until_it_is_unlocked() {
    let store = MemoryStore::default();
    store.lock(Code::InteractionRequired);
    every_operation_fails_with(&store, Code::InteractionRequired);
    assert_eq!(store.describe().unwrap().locked, Some(true));
    store.unlock();
    assert_eq!(store.describe().unwrap().locked, Some(false));
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
}

#[test]
fn a_held_operation_waits_until_it_is_released_while_others_go_on() {
    let store = MemoryStore::default();
    store.set_many(vec![new_item("a", b"old")], false).unwrap();
    store.hold(Operation::GetMany);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| store.get_many(&Selection::Ids(vec![id("a")])).unwrap().remove(0).value))
            .collect();
        store.wait_until_held(Operation::GetMany, 2);
        store.set_many(vec![new_item("a", b"new")], true).unwrap();
        store.release(Operation::GetMany);
        for reader in readers {
            assert_eq!(reader.join().unwrap().as_bytes(), b"new");
        }
    });
}
