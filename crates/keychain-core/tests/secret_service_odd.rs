//! The Secret Service store against a fake that does what a real service does rarely.
#![cfg(target_os = "linux")]

#[path = "support/fake_service.rs"]
mod fake_service;
#[path = "support/keyring.rs"]
#[allow(dead_code, reason = "only its bus is used here")]
mod keyring;

use fake_service::{Behaviour, FakeService, Flaw, Unlocking};
use keychain_core::keychain::KeychainOptions;
use keychain_core::{Code, Item, Result, Selection, Store};
use keyring::Keyring;
use pattern_matcher::{Id, Pattern};

const VALUE: &[u8] = b"sixteen bytes and more";

/// A bus with the fake on it, and a store; none where this machine has no bus.
fn start(behaviour: Behaviour, interactive: bool) -> Option<(Box<dyn Store>, FakeService, Keyring)> {
    let bus = Keyring::start("no-service")?;
    let fake = FakeService::start(bus.address(), behaviour);
    let store = bus.try_open(KeychainOptions { interactive, ..KeychainOptions::default() }).unwrap();
    Some((store, fake, bus))
}

fn get(store: &dyn Store) -> Result<Item> {
    store.get(&Id::parse("a").unwrap())
}

fn get_many(store: &dyn Store) -> Result<Vec<Item>> {
    store.get_many(&Selection::Pattern(Pattern::parse("**").unwrap()))
}

fn locked(unlocking: Unlocking) -> Behaviour {
    Behaviour { locked: true, unlocking, ..Behaviour::default() }
}

#[test]
fn a_prompt_that_is_answered_unlocks() {
    let Some((store, fake, _bus)) = start(locked(Unlocking::Agreed), true) else { return };
    assert_eq!(get(&*store).unwrap().value.as_bytes(), VALUE);
    assert_eq!(fake.state.lock().unwrap().prompts, 1);
}

#[test]
fn a_prompt_that_is_declined_is_told_apart() {
    let Some((store, fake, _bus)) = start(locked(Unlocking::Declined), true) else { return };
    let error = get(&*store).unwrap_err();
    assert_eq!(error.code(), Code::PromptDismissed);
    assert_eq!(fake.state.lock().unwrap().prompts, 1, "declined once is declined");
}

#[test]
fn a_writer_lets_others_write_while_a_person_is_asked() {
    let Some((store, fake, _bus)) = start(locked(Unlocking::Agreed), true) else { return };
    store.delete(&Id::parse("a").unwrap()).unwrap();
    let state = fake.state.lock().unwrap();
    assert_eq!((state.prompts, state.prompted_in_turn), (1, false));
}

#[test]
fn without_leave_to_ask_no_prompt_is_shown() {
    let Some((store, fake, _bus)) = start(locked(Unlocking::Agreed), false) else { return };
    assert_eq!(get(&*store).unwrap_err().code(), Code::InteractionRequired);
    let state = fake.state.lock().unwrap();
    assert_eq!((state.prompts, state.dismissals), (0, 1));
}

#[test]
fn a_service_that_unlocks_without_asking_needs_no_leave() {
    let Some((store, fake, _bus)) = start(locked(Unlocking::AtOnce), false) else { return };
    assert_eq!(get(&*store).unwrap().value.as_bytes(), VALUE);
    assert_eq!(fake.state.lock().unwrap().unlocks, 1);
}

#[test]
fn a_service_that_will_not_unlock_is_locked() {
    let Some((store, _fake, _bus)) = start(locked(Unlocking::Refused), true) else { return };
    assert_eq!(get(&*store).unwrap_err().code(), Code::Locked);
}

#[test]
fn many_threads_ask_a_person_once() {
    let Some((store, fake, _bus)) = start(locked(Unlocking::Agreed), true) else { return };
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(get(&*store).unwrap().value.as_bytes(), VALUE));
        }
    });
    assert_eq!(fake.state.lock().unwrap().prompts, 1);
}

#[test]
fn a_collection_that_locks_again_between_two_calls_is_unlocked_again() {
    let Some((store, fake, _bus)) = start(Behaviour { relocks: 3, ..Behaviour::default() }, false) else { return };
    assert_eq!(get(&*store).unwrap().value.as_bytes(), VALUE);
    assert_eq!(fake.state.lock().unwrap().unlocks, 3);
    fake.state.lock().unwrap().relocks = 3;
    assert_eq!(get_many(&*store).unwrap().len(), 1);
    assert_eq!(fake.state.lock().unwrap().unlocks, 6);
}

#[test]
fn a_collection_that_locks_again_for_ever_is_given_up() {
    let Some((store, _fake, _bus)) = start(Behaviour { relocks: 100, ..Behaviour::default() }, false) else { return };
    let error = get(&*store).unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    assert!(error.hint().is_some());
}

#[test]
fn a_malformed_secret_is_corrupt_and_never_a_value() {
    for flaw in [Flaw::OtherSession, Flaw::Unpadded, Flaw::Truncated, Flaw::Empty] {
        let Some((store, _fake, _bus)) = start(Behaviour { flaw, ..Behaviour::default() }, false) else { return };
        let error = get(&*store).unwrap_err();
        assert_eq!(error.code(), Code::Corrupt);
        assert!(error.details().contains(&("id", "a".into())));
        assert_eq!(get_many(&*store).unwrap_err().code(), Code::Corrupt);
        assert_eq!(store.list(&Pattern::parse("**").unwrap()).unwrap().len(), 1, "it is listed nonetheless");
    }
}
