//! The Secret Service store leaks nothing: alone in its process, since it counts what the process holds.
#![cfg(target_os = "linux")]

#[path = "support/keyring.rs"]
#[allow(dead_code, reason = "only a part is used here")]
mod keyring;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use keychain_core::{NewItem, SecretBytes, Store};
use keyring::Keyring;
use pattern_matcher::{Id, Pattern};

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// What this process and the service hold: our descriptors and threads, the service's descriptors, the connections on
/// the bus.
fn held(keyring: &Keyring) -> [usize; 4] {
    let arguments =
        ["--session", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.ListNames"];
    let names = String::from_utf8(keyring.run("dbus-send", &arguments, b"")).unwrap();
    let service = format!("/proc/{}/fd", keyring.variable("SE_KEYRING_PID"));
    [count("/proc/self/fd"), count("/proc/self/task"), count(&service), names.matches(":1.").count()]
}

/// The service's sessions, by their objects on the bus.
fn sessions(keyring: &Keyring) -> usize {
    let path = "/org/freedesktop/secrets/session";
    keyring.call(path, "org.freedesktop.DBus.Introspectable.Introspect", &[]).matches("<node name=").count()
}

fn use_store(store: &dyn Store, times: usize) {
    let id = |n: usize| Id::parse(&format!("leak/{}", n % 5)).unwrap();
    for n in 0..times {
        match n % 4 {
            0 => {
                let value = SecretBytes::copy_from(b"value");
                store.set_many(vec![NewItem { id: id(n / 4), value, metadata: BTreeMap::new() }], true).unwrap();
            }
            1 => drop(store.get(&id(n / 4)).unwrap()),
            2 => drop(store.list(&Pattern::parse("**").unwrap()).unwrap()),
            _ => drop(store.get(&Id::parse("absent").unwrap()).unwrap_err()),
        }
    }
}

#[test]
fn a_thousand_operations_and_fifty_openings_leave_nothing_behind() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    use_store(&*store, 40);
    let (held_before, sessions_before) = (held(&keyring), sessions(&keyring));
    assert_eq!(sessions_before, 2, "ours, and the one that the crate opens");
    use_store(&*store, 1000);
    assert_eq!(held(&keyring), held_before, "descriptors, threads, the service's descriptors, connections");
    assert_eq!(sessions(&keyring), sessions_before);

    for _ in 0..50 {
        use_store(&*keyring.open(), 4);
    }
    // A connection's thread ends after the connection was given up, not before that returns.
    let deadline = Instant::now() + Duration::from_secs(20);
    while held(&keyring) != held_before && Instant::now() < deadline {}
    assert_eq!(held(&keyring), held_before, "descriptors, threads, the service's descriptors, connections");
    assert_eq!(sessions(&keyring), sessions_before);
}
