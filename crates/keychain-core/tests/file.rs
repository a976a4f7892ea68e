//! The encrypted file keeps the contract, and tells its own faults apart.

#[macro_use]
mod contract;
#[path = "support/file_place.rs"]
mod file_place;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use contract::{Fixture, every_operation_fails_with, id, new_item, pattern};
use file_place::Place;
use keychain_core::file::{self, FileOptions};
use keychain_core::{Code, Error, SecretBytes, Selection, Store};

fn fixture() -> Fixture {
    let place = Place::new();
    Fixture::new(place.open(), place.open(), Box::new(place))
}

contract!(fixture);

fn set(store: &dyn Store, name: &str, value: &[u8]) {
    store.set_many(vec![new_item(name, value)], true).unwrap();
}

fn value(store: &dyn Store, name: &str) -> Vec<u8> {
    store.get(&id(name)).unwrap().value.as_bytes().to_vec()
}

fn names_in(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn refused(options: FileOptions) -> Error {
    file::open(options).err().expect("the store opened")
}

fn copy(from: &Place) -> Place {
    let place = Place::empty();
    fs::copy(from.store(), place.store()).unwrap();
    fs::copy(from.identity(), place.identity()).unwrap();
    place
}

#[test]
fn creating_leaves_a_store_an_identity_and_a_lock_file() {
    let place = Place::new();
    assert_eq!(names_in(place.folder.path()), ["identity.age", "store.age", "store.age.lock"]);
    let identity = fs::read_to_string(place.identity()).unwrap();
    assert!(identity.starts_with("# public key: age1") && identity.contains("\nAGE-SECRET-KEY-1"));
}

#[test]
fn creating_where_either_file_exists_is_refused_and_changes_nothing() {
    for existing in ["store.age", "identity.age"] {
        let place = Place::empty();
        fs::write(place.folder.path().join(existing), "something").unwrap();
        let error = file::create(&place.options(), None).unwrap_err();
        assert_eq!(error.code(), Code::Exists);
        assert_eq!(error.details(), [("path", place.folder.path().join(existing).display().to_string())]);
        assert_eq!(names_in(place.folder.path()), [existing, "store.age.lock"]);
        assert_eq!(fs::read_to_string(place.folder.path().join(existing)).unwrap(), "something");
    }
}

#[test]
fn a_store_and_an_identity_that_would_overwrite_each_other_are_refused_and_nothing_is_made() {
    let place = Place::empty();
    let within = |name: &str| place.folder.path().join(name);
    fs::create_dir(within("there")).unwrap();
    let pairs = [
        ("x", "x"),
        ("x", "there/../x"),
        ("new/x", "new/deep/../x"),
        ("x", "./x"),
        ("x", "x.lock"),
        ("x", ".x.tmp"),
        (".x.tmp", "x"),
    ];
    #[cfg(unix)]
    std::os::unix::fs::symlink(within("there"), within("link")).unwrap();
    let linked = [("there/x", "link/x"), ("link/new/x", "there/new/x"), ("x", "link/../x")];
    let linked = if cfg!(unix) { &linked[..] } else { &[] };
    let before = names_in(place.folder.path());
    for (store, identity) in pairs.iter().chain(linked) {
        let options = FileOptions { store: within(store), identity: within(identity), passphrase: None };
        let error = file::create(&options, None).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption, "{store} {identity}");
        assert!(error.hint().is_some());
        assert_eq!(refused(options).code(), Code::InvalidOption, "{store} {identity}");
        assert_eq!((names_in(place.folder.path()), names_in(&within("there"))), (before.clone(), vec![]));
    }
    // What is alike only in its name is not the same.
    let options = FileOptions { store: within("x"), identity: within("there/x"), passphrase: None };
    file::create(&options, None).unwrap();
    set(&*file::open(options).unwrap(), "a", b"v");
}

#[test]
fn creating_makes_the_folders() {
    let place = Place::empty();
    let store = place.folder.path().join("a/b/store.age");
    let options = FileOptions { store, ..place.options() };
    file::create(&options, None).unwrap();
    set(&*file::open(options).unwrap(), "a", b"v");
}

#[test]
fn an_empty_passphrase_is_refused_and_nothing_is_made() {
    let place = Place::empty();
    let error = file::create(&place.options(), Some(&SecretBytes::copy_from(b""))).unwrap_err();
    assert_eq!(error.code(), Code::InvalidOption);
    assert_eq!(names_in(place.folder.path()), ["store.age.lock"]);
}

#[test]
fn a_lost_store_is_not_an_empty_one() {
    for (lost, kept) in [(Place::store as fn(&Place) -> PathBuf, "identity"), (Place::identity, "store")] {
        let place = Place::new();
        let store = place.open();
        fs::remove_file(lost(&place)).unwrap();
        let error = refused(place.options());
        assert_eq!(error.code(), Code::StoreUnavailable, "with {kept} only");
        assert_eq!(error.details(), [("path", lost(&place).display().to_string())]);
        every_operation_fails_with(&*store, Code::StoreUnavailable);
    }
}

#[test]
fn a_store_whose_folder_comes_back_works_again() {
    let place = Place::new();
    let store = place.open();
    set(&*store, "a", b"v");
    let away = place.folder.path().with_extension("away");
    fs::rename(place.folder.path(), &away).unwrap();
    every_operation_fails_with(&*store, Code::StoreUnavailable);
    fs::rename(&away, place.folder.path()).unwrap();
    assert_eq!(value(&*store, "a"), b"v");
}

#[test]
fn another_key_is_a_wrong_key() {
    let (place, other) = (Place::new(), Place::new());
    fs::copy(other.identity(), place.identity()).unwrap();
    every_operation_fails_with(&*place.open(), Code::WrongKey);
}

#[test]
fn a_store_that_is_no_age_file_is_corrupt() {
    let place = Place::new();
    for content in ["", "{}\n", "-----BEGIN AGE ENCRYPTED FILE-----\n"] {
        fs::write(place.store(), content).unwrap();
        every_operation_fails_with(&*place.open(), Code::Corrupt);
    }
}

#[test]
fn an_identity_that_is_none_is_corrupt_and_its_content_is_not_told() {
    let place = Place::new();
    for content in ["", "# nothing\n", "c4n4ry\n", "AGE-SECRET-KEY-1QQQ\n", "age-encryption.org/v1\n-> c4n4ry\n"] {
        fs::write(place.identity(), content).unwrap();
        let options = place.options_with("passphrase");
        let error = file::open(options).unwrap().list(&pattern("**")).unwrap_err();
        assert_eq!(error.code(), Code::Corrupt, "{content}");
        assert!(!format!("{error} {error:?}").contains("c4n4ry"));
    }
}

#[test]
fn every_truncation_and_every_changed_byte_is_found() {
    let place = Place::new();
    set(&*place.open(), "a", b"value");
    let sealed = fs::read(place.store()).unwrap();
    let read = || {
        let store = place.open();
        store.get_many(&Selection::Pattern(pattern("**"))).map(|items| items.len())
    };
    assert_eq!(read().unwrap(), 1);
    for len in 0..sealed.len() {
        fs::write(place.store(), &sealed[..len]).unwrap();
        assert_eq!(read().unwrap_err().code(), Code::Corrupt, "cut at {len}");
    }
    let mut longer = sealed.clone();
    longer.push(0);
    fs::write(place.store(), &longer).unwrap();
    assert_eq!(read().unwrap_err().code(), Code::Corrupt, "a byte more");
    for at in 0..sealed.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = sealed.clone();
            changed[at] ^= bit;
            fs::write(place.store(), &changed).unwrap();
            let code = read().expect_err("an altered store was read").code();
            assert!([Code::Corrupt, Code::WrongKey].contains(&code), "byte {at} ^ {bit:#x}: {code:?}");
        }
    }
    fs::write(place.store(), &sealed).unwrap();
    assert_eq!(read().unwrap(), 1);
}

#[test]
fn nothing_of_a_secret_is_on_the_disk_in_the_clear() {
    let place = Place::new();
    let store = place.open();
    set(&*store, "team/canary-id", b"canary-value");
    set(&*store, "team/canary-id", b"canary-value");
    for name in names_in(place.folder.path()) {
        let content = fs::read(place.folder.path().join(name)).unwrap();
        for needle in ["canary", "Y2FuYXJ5"] {
            assert!(!content.windows(needle.len()).any(|bytes| bytes == needle.as_bytes()));
        }
    }
}

#[test]
fn what_a_killed_writer_left_behind_is_taken_away_by_the_next() {
    let place = Place::new();
    for name in [".store.age.tmp", ".identity.age.tmp"] {
        fs::write(place.folder.path().join(name), "half of something").unwrap();
    }
    set(&*place.open(), "a", b"v");
    file::change_passphrase(&place.options(), None).unwrap();
    assert_eq!(names_in(place.folder.path()), ["identity.age", "store.age", "store.age.lock"]);
    assert_eq!(value(&*place.open(), "a"), b"v");
}

#[test]
fn reading_many_secrets_asks_for_the_passphrase_once() {
    let place = Place::empty();
    file::create(&place.options(), Some(&SecretBytes::copy_from("pass phräse".as_bytes()))).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let passphrase: file::Passphrase = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(SecretBytes::copy_from("pass phräse".as_bytes()))
    });
    let store = file::open(FileOptions { passphrase: Some(passphrase), ..place.options() }).unwrap();
    assert_eq!(store.describe().unwrap().locked, Some(true));
    assert_eq!(asked.load(Ordering::Relaxed), 0, "opening and describing asks nothing");
    store.set_many((0..100).map(|n| new_item(&format!("a/{n}"), b"v")).collect(), false).unwrap();
    for n in 0..100 {
        value(&*store, &format!("a/{n}"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(store.describe().unwrap().locked, Some(false));
}

#[test]
fn without_a_passphrase_an_encrypted_identity_needs_a_person_and_with_a_wrong_one_does_not_open() {
    let place = Place::empty();
    file::create(&place.options(), Some(&SecretBytes::copy_from(b"right"))).unwrap();
    let store = place.open();
    every_operation_fails_with(&*store, Code::InteractionRequired);
    let error = store.get(&id("a")).unwrap_err();
    assert_eq!(error.to_string(), format!("the key in {} needs a passphrase", place.identity().display()));
    assert!(error.hint().unwrap().contains("SE_PASSPHRASE"));
    let wrong = file::open(place.options_with("wrong")).unwrap();
    assert_eq!(wrong.list(&pattern("**")).unwrap_err().code(), Code::WrongKey);
    let error = file::change_passphrase(&place.options_with("wrong"), None).unwrap_err();
    assert_eq!(error.code(), Code::WrongKey);
    assert_eq!(file::open(place.options_with("right")).unwrap().list(&pattern("**")).unwrap(), []);
}

#[test]
fn a_passphrase_can_be_given_changed_and_taken_away() {
    let place = Place::new();
    set(&*place.open(), "a", b"v");
    file::change_passphrase(&place.options(), Some(&SecretBytes::copy_from(b"one"))).unwrap();
    assert!(!fs::read(place.identity()).unwrap().windows(10).any(|bytes| bytes == b"AGE-SECRET"));
    assert_eq!(value(&*file::open(place.options_with("one")).unwrap(), "a"), b"v");
    file::change_passphrase(&place.options_with("one"), None).unwrap();
    assert_eq!(value(&*place.open(), "a"), b"v");
}

#[test]
fn an_altered_encrypted_identity_is_corrupt_or_a_wrong_key() {
    let place = Place::empty();
    file::create(&place.options(), Some(&SecretBytes::copy_from(b"right"))).unwrap();
    let sealed = fs::read(place.identity()).unwrap();
    // Trying the passphrase takes a second: one byte in the salt, one in the check sum, one in the content, and the end.
    let mac = sealed.windows(4).position(|bytes| bytes == b"--- ").unwrap();
    for at in [40, mac + 10, sealed.len() - 20] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        fs::write(place.identity(), &changed).unwrap();
        let code = file::open(place.options_with("right")).unwrap().list(&pattern("**")).unwrap_err().code();
        assert!([Code::Corrupt, Code::WrongKey].contains(&code), "byte {at}: {code:?}");
    }
    fs::write(place.identity(), &sealed[..sealed.len() - 1]).unwrap();
    let error = file::open(place.options_with("right")).unwrap().list(&pattern("**")).unwrap_err();
    assert_eq!(error.code(), Code::Corrupt);
}

#[test]
fn a_rotated_key_opens_the_store_and_the_old_one_does_not() {
    let place = Place::new();
    let open_before = place.open();
    set(&*open_before, "a", b"v");
    let before = copy(&place);
    file::rotate_key(&place.options()).unwrap();
    assert_eq!(value(&*place.open(), "a"), b"v");
    assert!(fs::read_to_string(place.identity()).unwrap().ends_with(&fs::read_to_string(before.identity()).unwrap()));
    // A store that was open all along learns of the new key when it meets it.
    assert_eq!(value(&*open_before, "a"), b"v");
    set(&*open_before, "b", b"w");
    assert_eq!(value(&*place.open(), "b"), b"w");
    fs::copy(before.identity(), place.identity()).unwrap();
    assert_eq!(place.open().list(&pattern("**")).unwrap_err().code(), Code::WrongKey);
}

#[test]
fn a_rotation_that_was_killed_half_way_leaves_a_store_that_opens_and_can_be_rotated_again() {
    let place = Place::new();
    set(&*place.open(), "a", b"v");
    let killed = copy(&place);
    file::rotate_key(&place.options()).unwrap();
    // The new key is there, and the store still written to the old one.
    fs::copy(place.identity(), killed.identity()).unwrap();
    assert_eq!(value(&*killed.open(), "a"), b"v");
    set(&*killed.open(), "b", b"w");
    file::rotate_key(&killed.options()).unwrap();
    assert_eq!((value(&*killed.open(), "a"), value(&*killed.open(), "b")), (b"v".to_vec(), b"w".to_vec()));
    assert_eq!(file::recipients(&killed.options()).unwrap(), [recipient(&killed)]);
}

#[test]
fn rotating_takes_no_key_away_that_opens_something_else() {
    let (place, other) = (Place::new(), Place::new());
    set(&*other.open(), "b", b"w");
    let both = fs::read_to_string(place.identity()).unwrap() + &fs::read_to_string(other.identity()).unwrap();
    for path in [place.identity(), other.identity()] {
        fs::write(path, &both).unwrap();
    }
    file::rotate_key(&place.options()).unwrap();
    assert_eq!(value(&*file::open(with_key_of(&place, &other)).unwrap(), "b"), b"w");
}

#[test]
fn a_rotated_key_keeps_its_passphrase() {
    let place = Place::empty();
    file::create(&place.options(), Some(&SecretBytes::copy_from(b"right"))).unwrap();
    file::rotate_key(&place.options_with("right")).unwrap();
    every_operation_fails_with(&*place.open(), Code::InteractionRequired);
    set(&*file::open(place.options_with("right")).unwrap(), "a", b"v");
}

/// The public key of an identity file.
fn recipient(of: &Place) -> String {
    let key = fs::read_to_string(of.identity()).unwrap();
    key.lines().next().unwrap().strip_prefix("# public key: ").unwrap().to_owned()
}

/// The store of one place, opened with the key of another.
fn with_key_of(key: &Place, place: &Place) -> FileOptions {
    FileOptions { identity: key.identity(), ..place.options() }
}

#[test]
fn a_recipient_reads_what_is_written_after_it_was_added_until_it_is_removed() {
    let (place, friend) = (Place::new(), Place::new());
    let store = place.open();
    set(&*store, "a", b"1");
    let added = recipient(&friend);
    file::add_recipient(&place.options(), &added).unwrap();
    file::add_recipient(&place.options(), &added).unwrap();
    assert_eq!(file::recipients(&place.options()).unwrap(), [recipient(&place), added.clone()]);
    set(&*store, "a", b"2");
    let as_friend = file::open(with_key_of(&friend, &place)).unwrap();
    assert_eq!(value(&*as_friend, "a"), b"2");
    file::remove_recipient(&place.options(), &added).unwrap();
    assert_eq!(as_friend.list(&pattern("**")).unwrap_err().code(), Code::WrongKey);
    assert_eq!(file::remove_recipient(&place.options(), &added).unwrap_err().code(), Code::NotFound);
    assert_eq!(file::recipients(&place.options()).unwrap(), [recipient(&place)]);
    assert_eq!(file::add_recipient(&place.options(), "age1nonsense").unwrap_err().code(), Code::InvalidOption);
}

#[test]
fn whoever_writes_all_recipients_can_read_it() {
    let (place, friend, backup) = (Place::new(), Place::new(), Place::new());
    for other in [&friend, &backup] {
        file::add_recipient(&place.options(), &recipient(other)).unwrap();
    }
    let all = [&place, &friend, &backup].map(|key| file::open(with_key_of(key, &place)).unwrap());
    for (turn, writer) in all.iter().enumerate() {
        let name = format!("written/{turn}");
        set(&**writer, &name, b"v");
        for reader in &all {
            assert_eq!(value(&**reader, &name), b"v", "{name}");
        }
        writer.rename(&id(&name), &id("renamed"), true).unwrap();
        writer.delete(&id("renamed")).unwrap();
        for reader in &all {
            assert_eq!(reader.list(&pattern("**")).unwrap(), [], "{name}");
        }
    }
    file::remove_recipient(&with_key_of(&friend, &place), &recipient(&backup)).unwrap();
    set(&*all[1], "later", b"v");
    assert_eq!(value(&*all[0], "later"), b"v");
    assert_eq!(all[2].get(&id("later")).unwrap_err().code(), Code::WrongKey);
}

#[test]
fn rotating_changes_ones_own_key_only() {
    let (place, friend) = (Place::new(), Place::new());
    set(&*place.open(), "a", b"v");
    file::add_recipient(&place.options(), &recipient(&friend)).unwrap();
    for rotated in [&place, &friend] {
        let before = recipient(rotated);
        file::rotate_key(&with_key_of(rotated, &place)).unwrap();
        assert_ne!(recipient(rotated), before);
        assert_eq!(file::recipients(&place.options()).unwrap(), [recipient(&place), recipient(&friend)]);
        for key in [&place, &friend] {
            assert_eq!(value(&*file::open(with_key_of(key, &place)).unwrap(), "a"), b"v");
        }
    }
}

#[test]
fn ones_own_key_cannot_be_taken_away() {
    let (place, friend) = (Place::new(), Place::new());
    let own = recipient(&place);
    for _ in 0..2 {
        let error = file::remove_recipient(&place.options(), &own).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        assert!(error.hint().unwrap().contains("se store rotate"), "{error}");
        file::add_recipient(&place.options(), &recipient(&friend)).unwrap();
    }
    file::remove_recipient(&with_key_of(&friend, &place), &own).unwrap();
    assert_eq!(file::recipients(&with_key_of(&friend, &place)).unwrap(), [recipient(&friend)]);
    assert_eq!(file::recipients(&place.options()).unwrap_err().code(), Code::WrongKey);
}

#[test]
fn what_is_no_recipient_is_not_quoted() {
    let place = Place::new();
    let private = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ0N8XYZ";
    for (given, told) in
        [(private, "private key"), (&private.to_lowercase(), "private key"), ("hunter2 age1", "not a recipient")]
    {
        for change in [file::add_recipient, file::remove_recipient] {
            let error = change(&place.options(), given).unwrap_err();
            assert_eq!(error.code(), Code::InvalidOption);
            let shown = format!("{error:?} {error}");
            assert!(shown.contains(told) && !shown.contains(given), "{shown}");
            assert!(error.hint().unwrap().contains("age1"), "{shown}");
        }
    }
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn files_are_for_the_user_alone_after_every_write() {
        let place = Place::empty();
        let folder = place.folder.path().join("made");
        let options =
            FileOptions { store: folder.join("store.age"), identity: folder.join("identity.age"), passphrase: None };
        file::create(&options, None).unwrap();
        set(&*file::open(options.clone()).unwrap(), "a", b"v");
        file::rotate_key(&options).unwrap();
        assert_eq!(mode(&folder), 0o700);
        for name in names_in(&folder) {
            assert_eq!(mode(&folder.join(&name)), 0o600, "{name}");
        }
    }

    #[test]
    fn lax_modes_are_refused_with_the_command_that_mends_them() {
        let place = Place::new();
        let folder = place.folder.path().to_owned();
        for (path, lax, mended, command) in [
            (place.store(), 0o640, 0o600, "chmod 600"),
            (place.store(), 0o602, 0o600, "chmod 600"),
            (place.identity(), 0o604, 0o600, "chmod 600"),
            (folder.clone(), 0o770, 0o750, "chmod go-w"),
            (folder.clone(), 0o1777, 0o755, "chmod go-w"),
        ] {
            chmod(&path, lax);
            let error = refused(place.options());
            assert_eq!(error.code(), Code::LaxMode, "{lax:o}");
            assert_eq!(error.hint(), Some(format!("{command} {}", path.display()).as_str()));
            assert_eq!(error.details()[1], ("mode", format!("{lax:04o}")));
            chmod(&path, mended);
            place.open();
        }
    }

    #[test]
    fn a_mode_that_becomes_lax_later_is_seen_by_the_next_operation() {
        let place = Place::new();
        let store = place.open();
        set(&*store, "a", b"v");
        chmod(&place.store(), 0o644);
        every_operation_fails_with(&*store, Code::LaxMode);
        chmod(&place.store(), 0o600);
        assert_eq!(value(&*store, "a"), b"v");
    }

    #[test]
    fn the_hint_for_a_lax_mode_quotes_unusual_paths() {
        let place = Place::empty();
        let store = place.folder.path().join("it's here.age");
        let options = FileOptions { store: store.clone(), ..place.options() };
        file::create(&options, None).unwrap();
        chmod(&store, 0o644);
        let expected = format!("chmod 600 '{}'", store.display().to_string().replace('\'', r"'\''"));
        assert_eq!(refused(options).hint(), Some(expected.as_str()));
    }

    #[test]
    fn links_folders_and_pipes_are_refused_without_opening_them() {
        for path_of in [Place::store as fn(&Place) -> PathBuf, Place::identity] {
            let place = Place::new();
            let path = path_of(&place);
            let real = place.folder.path().join("real");
            fs::rename(&path, &real).unwrap();
            symlink(&real, &path).unwrap();
            assert_eq!(refused(place.options()).code(), Code::Unsupported, "symbolic link");
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            assert_eq!(refused(place.options()).code(), Code::Unsupported, "folder");
            fs::remove_dir(&path).unwrap();
            #[cfg(target_os = "linux")]
            {
                rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
                assert_eq!(refused(place.options()).code(), Code::Unsupported, "pipe");
            }
        }
    }

    #[test]
    fn a_lock_file_that_is_a_link_is_not_followed() {
        let place = Place::new();
        let lock = place.folder.path().join("store.age.lock");
        fs::remove_file(&lock).unwrap();
        symlink(place.folder.path().join("elsewhere"), &lock).unwrap();
        assert!(place.open().set_many(vec![new_item("a", b"v")], true).is_err());
        assert!(!place.folder.path().join("elsewhere").exists());
    }
}
