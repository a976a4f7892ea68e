//! The encrypted file and the real `age`: each reads what the other wrote.
#![cfg(target_os = "linux")]

#[path = "support/file_place.rs"]
mod file_place;
#[path = "contract/items.rs"]
mod items;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use file_place::Place;
use items::{id, new_item, pattern};
use keychain_core::{SecretBytes, Store, file};

/// Makes a store by hand, for the key in this file.
fn store_by_hand(place: &Place, key: &str) {
    let make = format!("umask 077; age-keygen -o {key} 2>/dev/null; age-keygen -y {key}");
    let recipient = shell(place, &make, "");
    let content = [
        &format!(r#"{{"format":"se-native store","version":1,"recipients":["{}"]}}"#, recipient.trim()),
        r#"{"id":"by/hand","created":1767225600000,"modified":1767225600000,"value":"aHVudGVyMg=="}"#,
        "",
    ];
    shell(place, &format!("umask 077; age -r {} -o store.age", recipient.trim()), &content.join("\n"));
}

/// Runs a shell command in the folder, with this input, and answers with its output.
fn shell(place: &Place, command: &str, input: &str) -> String {
    let mut child = Command::new("sh")
        .args(["-ec", command])
        .current_dir(place.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "`{command}` (package age, which the set-up installs): {out}{err}");
    out.into_owned()
}

/// Runs a command on a terminal of its own, since `age` takes passphrases from there only.
fn on_terminal(place: &Place, command: &str, input: &str) -> String {
    shell(place, &format!("script -qec '{command}' /dev/null"), input)
}

fn set(store: &dyn Store) {
    store.set_many(vec![new_item("team/db", b"hunter2\n")], false).unwrap();
}

#[test]
fn age_reads_a_store_with_a_key_file() {
    let place = Place::new();
    set(&*place.open());
    let text = shell(&place, "age -d -i identity.age store.age", "");
    assert!(text.starts_with("{\"format\":\"se-native store\",\"version\":1,"), "{text}");
    assert!(text.contains(r#"{"id":"team/db","created":"#) && text.contains(r#""value":"aHVudGVyMgo="}"#), "{text}");
    let public = fs::read_to_string(place.identity()).unwrap();
    let expected = public.lines().next().unwrap().strip_prefix("# public key: ").unwrap();
    assert_eq!(shell(&place, "age-keygen -y identity.age", "").trim(), expected);
}

#[test]
fn the_recovery_by_hand_in_the_documentation_gives_the_value() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/stores.md")).unwrap();
    let (_, rest) = page.split_once("<!-- recovery -->\n```sh\n").expect("docs/stores.md has the marked commands");
    let (commands, _) = rest.split_once("```").unwrap();
    let place = Place::new();
    set(&*place.open());
    assert_eq!(shell(&place, commands, ""), "hunter2\n");
}

#[test]
fn age_reads_a_store_with_a_passphrase() {
    let place = Place::empty();
    file::create(&place.options(), Some(&SecretBytes::copy_from(b"correct horse"))).unwrap();
    set(&*file::open(place.options_with("correct horse")).unwrap());
    on_terminal(&place, "age -d -i identity.age -o text store.age", "correct horse\n");
    let text = fs::read_to_string(place.folder.path().join("text")).unwrap();
    assert!(text.contains(r#""value":"aHVudGVyMgo=""#), "{text}");
}

#[test]
fn a_store_made_with_age_is_read_and_written() {
    let place = Place::empty();
    store_by_hand(&place, "identity.age");
    let store = place.open();
    assert_eq!(store.get(&id("by/hand")).unwrap().value.as_bytes(), b"hunter2");
    set(&*store);
    assert!(shell(&place, "age -d -i identity.age store.age", "").contains(r#"{"id":"team/db""#));
}

#[test]
fn an_identity_encrypted_with_age_is_opened() {
    let place = Place::empty();
    store_by_hand(&place, "plain");
    on_terminal(&place, "age -p -o identity.age plain", "correct horse\ncorrect horse\n");
    fs::set_permissions(place.identity(), fs::Permissions::from_mode(0o600)).unwrap();
    let store = file::open(place.options_with("correct horse")).unwrap();
    assert_eq!(store.get(&id("by/hand")).unwrap().value.as_bytes(), b"hunter2");
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 1);
}

#[test]
fn age_reads_with_the_key_of_any_recipient_whoever_wrote() {
    let place = Place::new();
    let public = shell(&place, "umask 077; age-keygen -o friend 2>/dev/null; age-keygen -y friend", "");
    file::add_recipient(&place.options(), public.trim()).unwrap();
    let as_friend = file::FileOptions { identity: place.folder.path().join("friend"), ..place.options() };
    for (writer, id) in [(place.options(), "by/owner"), (as_friend, "by/friend")] {
        file::open(writer).unwrap().set_many(vec![new_item(id, b"v")], false).unwrap();
        for key in ["identity.age", "friend"] {
            let text = shell(&place, &format!("age -d -i {key} store.age"), "");
            assert!(text.contains(&format!(r#"{{"id":"{id}""#)), "{key}: {text}");
        }
    }
}

#[test]
fn a_writer_whom_a_file_made_by_hand_does_not_name_keeps_reading_it() {
    let place = Place::empty();
    store_by_hand(&place, "friend");
    shell(
        &place,
        "umask 077; age-keygen -o identity.age 2>/dev/null; age -d -i friend store.age > text; rm store.age; \
         age -r $(age-keygen -y identity.age) -o store.age text",
        "",
    );
    set(&*place.open());
    for key in ["identity.age", "friend"] {
        let text = shell(&place, &format!("age -d -i {key} store.age"), "");
        assert!(text.contains(r#"{"id":"team/db""#), "{key}: {text}");
    }
}
