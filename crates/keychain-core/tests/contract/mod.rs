//! The contract of [`Store`], case by case, for any store.
//!
//! A test file of a store says `#[macro_use] mod contract;`, writes a function that answers with a [`Fixture`] on a
//! fresh, empty, unlocked place, and names it: `contract!(fixture);`. Each case becomes one test. The function may answer
//! with none where the place cannot be had, having said so on standard error.

mod items;

use std::any::Any;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

pub(crate) use items::{id, new_item, pattern};
use keychain_core::{Code, Error, Info, Item, MAX_METADATA_BYTES, NewItem, Selection, Store};

/// An empty store to try, and a second one on the same place, as another process would open it.
pub(crate) struct Fixture {
    pub(crate) store: Box<dyn Store>,
    pub(crate) other: Box<dyn Store>,
    /// Whether values must be UTF-8, others being refused with `Unsupported`.
    pub(crate) text_only: bool,
    /// Whether ids that differ only in upper and lower case can be kept at the same time.
    pub(crate) case_sensitive: bool,
    /// The longest metadata that the place can keep.
    pub(crate) max_metadata_bytes: usize,
    /// The longest value of one pair of it.
    pub(crate) max_metadata_value_bytes: usize,
    /// Held until the stores are closed: a folder, a daemon, a turn in a queue.
    pub(crate) _keep: Box<dyn Any>,
}

impl Fixture {
    pub(crate) fn new(store: Box<dyn Store>, other: Box<dyn Store>, keep: Box<dyn Any>) -> Self {
        Self {
            store,
            other,
            text_only: false,
            case_sensitive: true,
            max_metadata_bytes: MAX_METADATA_BYTES,
            max_metadata_value_bytes: MAX_METADATA_BYTES,
            _keep: keep,
        }
    }
}

/// Makes one test of each case of the contract, each on a fixture of its own.
macro_rules! contract {
    ($fixture:path) => {
        contract! { $fixture;
            reads_what_was_written
            values_come_back_byte_for_byte
            a_value_as_long_as_the_limit_fits
            a_value_beyond_the_limit_is_refused_and_nothing_is_written
            metadata_comes_back_as_it_was
            metadata_as_long_as_the_limit_fits
            metadata_beyond_the_limit_is_refused_and_nothing_is_written
            metadata_with_a_nul_is_refused_and_nothing_is_written
            unusual_ids_are_kept_apart
            the_longest_id_is_kept
            an_absent_id_is_not_found
            listing_is_sorted_and_follows_the_pattern
            an_empty_store_lists_nothing
            get_many_by_ids_is_sorted_and_leaves_out_absent_and_repeated_ones
            get_many_by_pattern_is_sorted
            get_many_of_nothing_is_nothing
            many_secrets_are_written_at_once
            writing_nothing_is_fine
            an_existing_id_refuses_the_whole_batch
            a_repeated_id_refuses_the_whole_batch
            overwriting_replaces_value_and_metadata_and_keeps_the_creation_time
            times_are_those_of_the_writing
            deleting_removes_that_secret_only
            a_deleted_id_can_be_written_again
            renaming_keeps_value_metadata_and_creation_time
            renaming_to_a_taken_id_is_refused_and_changes_nothing
            renaming_with_overwrite_replaces_the_other
            renaming_to_itself_changes_nothing
            a_second_opening_sees_what_the_first_writes
            many_threads_write_and_lose_nothing
            describing_tells_what_the_store_is
            no_error_shows_a_value
        }
    };
    ($fixture:path; $($case:ident)*) => {
        $(#[test] fn $case() {
            let fixture: Option<crate::contract::Fixture> = $fixture().into();
            fixture.iter().for_each(crate::contract::$case);
        })*
    };
}

fn with_metadata(name: &str, value: &[u8], pairs: &[(&str, &str)]) -> NewItem {
    let metadata = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewItem { metadata, ..new_item(name, value) }
}

fn set(store: &dyn Store, name: &str, value: &[u8]) {
    store.set_many(vec![new_item(name, value)], false).unwrap();
}

fn names(infos: &[Info]) -> Vec<&str> {
    infos.iter().map(|info| info.id.as_str()).collect()
}

fn all(store: &dyn Store) -> Vec<String> {
    store.list(&pattern("**")).unwrap().iter().map(|info| info.id.to_string()).collect()
}

fn pairs(items: &[Item]) -> Vec<(&str, &[u8])> {
    items.iter().map(|item| (item.info.id.as_str(), item.value.as_bytes())).collect()
}

fn value_of(store: &dyn Store, name: &str) -> Vec<u8> {
    store.get(&id(name)).unwrap().value.as_bytes().to_vec()
}

fn detail<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    error.details().iter().find(|(detail, _)| *detail == name).map(|(_, value)| value.as_str())
}

/// Every operation but `describe` fails with this code. For stores that are locked, lost or refused.
#[allow(dead_code, reason = "not every store can be brought into such a state")]
pub(crate) fn every_operation_fails_with(store: &dyn Store, code: Code) {
    let (a, b) = (id("a"), id("b"));
    assert_eq!(store.get(&a).unwrap_err().code(), code, "get");
    assert_eq!(store.get_many(&Selection::Ids(vec![a.clone()])).unwrap_err().code(), code, "get_many by ids");
    assert_eq!(store.get_many(&Selection::Pattern(pattern("**"))).unwrap_err().code(), code, "get_many by pattern");
    assert_eq!(store.list(&pattern("**")).unwrap_err().code(), code, "list");
    assert_eq!(store.set_many(vec![new_item("a", b"v")], true).unwrap_err().code(), code, "set_many");
    assert_eq!(store.delete(&a).unwrap_err().code(), code, "delete");
    assert_eq!(store.rename(&a, &b, true).unwrap_err().code(), code, "rename");
}

pub(crate) fn reads_what_was_written(Fixture { store, .. }: &Fixture) {
    store.set_many(vec![with_metadata("team/db/password", b"hunter2", &[("owner", "ops")])], false).unwrap();
    let item = store.get(&id("team/db/password")).unwrap();
    assert_eq!(item.info.id, id("team/db/password"));
    assert_eq!(item.value.as_bytes(), b"hunter2");
    assert_eq!(item.info.metadata, BTreeMap::from([("owner".to_owned(), "ops".to_owned())]));
}

pub(crate) fn values_come_back_byte_for_byte(fixture: &Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let text: [&[u8]; 6] = [b"", b"\n", b"line\r\n", b"a\0b", "pässwörd 🔑".as_bytes(), b" blanks "];
    let binary: [&[u8]; 3] = [&every_byte, b"\xff\xfe", b"\xed\xa0\x80 odd\x80"];
    for (index, value) in text.iter().chain(binary.iter().filter(|_| !fixture.text_only)).enumerate() {
        let name = format!("value/{index}");
        set(&*fixture.store, &name, value);
        assert_eq!(value_of(&*fixture.store, &name), *value, "value {index}");
        assert_eq!(value_of(&*fixture.other, &name), *value, "value {index}, read by another");
    }
    for value in binary.iter().filter(|_| fixture.text_only) {
        let error = fixture.store.set_many(vec![new_item("binary", value)], false).unwrap_err();
        assert_eq!(error.code(), Code::Unsupported);
        assert_eq!(fixture.store.get(&id("binary")).unwrap_err().code(), Code::NotFound);
    }
}

fn long_value(len: usize) -> Vec<u8> {
    (0..len).map(|at| b'a' + (at % 23) as u8).collect()
}

pub(crate) fn a_value_as_long_as_the_limit_fits(Fixture { store, .. }: &Fixture) {
    let value = long_value(store.describe().unwrap().max_value_bytes);
    set(&**store, "long", &value);
    assert!(store.get(&id("long")).unwrap().value.equals(&value), "the longest value came back changed");
}

pub(crate) fn a_value_beyond_the_limit_is_refused_and_nothing_is_written(Fixture { store, .. }: &Fixture) {
    let limit = store.describe().unwrap().max_value_bytes;
    let items = vec![new_item("short", b"v"), new_item("long", &long_value(limit + 1))];
    let error = store.set_many(items, false).unwrap_err();
    assert_eq!(error.code(), Code::ValueTooLarge);
    assert_eq!(detail(&error, "id"), Some("long"));
    assert_eq!(detail(&error, "limit"), Some(limit.to_string().as_str()));
    assert!(all(&**store).is_empty());
}

pub(crate) fn metadata_comes_back_as_it_was(Fixture { store, other, .. }: &Fixture) {
    let metadata =
        [("owner", "ops"), ("Owner", "Case"), ("empty", ""), ("note", "a = b;\n\"c\" ☃"), ("a b/c.d", "x_y")];
    store.set_many(vec![with_metadata("a", b"v", &metadata)], false).unwrap();
    let expected: BTreeMap<_, _> = metadata.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!(store.get(&id("a")).unwrap().info.metadata, expected);
    assert_eq!(other.list(&pattern("**")).unwrap()[0].metadata, expected);
}

pub(crate) fn metadata_as_long_as_the_limit_fits(fixture: &Fixture) {
    let mut metadata = BTreeMap::new();
    let mut left = fixture.max_metadata_bytes;
    while left > 0 {
        let name = format!("{:04}", metadata.len());
        let value = "m".repeat(fixture.max_metadata_value_bytes.min(left - name.len()));
        left -= name.len() + value.len();
        metadata.insert(name, value);
    }
    fixture.store.set_many(vec![NewItem { metadata: metadata.clone(), ..new_item("a", b"v") }], false).unwrap();
    assert_eq!(fixture.store.get(&id("a")).unwrap().info.metadata, metadata);
}

pub(crate) fn metadata_beyond_the_limit_is_refused_and_nothing_is_written(fixture: &Fixture) {
    let half = "m".repeat(fixture.max_metadata_bytes / 2);
    let item = with_metadata("long", b"v", &[("a", &half), ("b", &half)]);
    let error = fixture.store.set_many(vec![new_item("short", b"v"), item], false).unwrap_err();
    assert_eq!(error.code(), Code::ValueTooLarge);
    assert_eq!(detail(&error, "id"), Some("long"));
    assert_eq!(detail(&error, "limit"), Some(fixture.max_metadata_bytes.to_string().as_str()));
    assert!(all(&*fixture.store).is_empty());
}

pub(crate) fn metadata_with_a_nul_is_refused_and_nothing_is_written(Fixture { store, .. }: &Fixture) {
    for pair in [("na\0me", "value"), ("name", "val\0ue")] {
        let items = vec![new_item("short", b"v"), with_metadata("a", b"v", &[pair])];
        assert_eq!(store.set_many(items, true).unwrap_err().code(), Code::InvalidOption);
        assert!(all(&**store).is_empty());
    }
}

pub(crate) fn unusual_ids_are_kept_apart(Fixture { store, case_sensitive, .. }: &Fixture) {
    let upper = case_sensitive.then_some("A");
    let unusual: Vec<&str> = ["-", ".", "..", "../.."]
        .into_iter()
        .chain(upper)
        .chain(["a", "a.b", "a/b", "a:b", "a_b", "com.docker.docker-pass:x:a"])
        .collect();
    for name in &unusual {
        set(&**store, name, name.as_bytes());
    }
    assert_eq!(all(&**store), unusual);
    for name in unusual {
        assert_eq!(value_of(&**store, name), name.as_bytes());
    }
}

pub(crate) fn the_longest_id_is_kept(Fixture { store, .. }: &Fixture) {
    let name = format!("{}/{}", "a".repeat(2000), "b".repeat(2095));
    assert_eq!(name.len(), 4096);
    set(&**store, &name, b"v");
    assert_eq!(all(&**store), [&*name]);
    assert_eq!(value_of(&**store, &name), b"v");
    store.delete(&id(&name)).unwrap();
}

pub(crate) fn an_absent_id_is_not_found(Fixture { store, .. }: &Fixture) {
    set(&**store, "a/b", b"v");
    for name in ["a", "b", "a/b/c", "A/B"] {
        for error in [
            store.get(&id(name)).unwrap_err(),
            store.delete(&id(name)).unwrap_err(),
            store.rename(&id(name), &id("new"), false).unwrap_err(),
            store.rename(&id(name), &id(name), false).unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::NotFound);
            assert_eq!(detail(&error, "id"), Some(name));
        }
    }
    assert_eq!(all(&**store), ["a/b"]);
}

pub(crate) fn listing_is_sorted_and_follows_the_pattern(Fixture { store, .. }: &Fixture) {
    for name in ["b/x", "a/y/z", "a/x", "a-x", "C", "b"] {
        set(&**store, name, b"v");
    }
    let list = |text: &str| names(&store.list(&pattern(text)).unwrap()).join(" ");
    assert_eq!(list("**"), "C a-x a/x a/y/z b b/x");
    assert_eq!(list("a/**"), "a/x a/y/z");
    assert_eq!(list("*/x"), "a/x b/x");
    assert_eq!(list("b"), "b");
    assert_eq!(list("c/**"), "");
}

pub(crate) fn an_empty_store_lists_nothing(Fixture { store, .. }: &Fixture) {
    assert_eq!(store.list(&pattern("**")).unwrap(), []);
}

pub(crate) fn get_many_by_ids_is_sorted_and_leaves_out_absent_and_repeated_ones(Fixture { store, .. }: &Fixture) {
    for name in ["a", "b", "c", "c/d"] {
        set(&**store, name, name.as_bytes());
    }
    let wanted = ["c/d", "b", "absent", "a", "b", "c/d"].map(id).to_vec();
    let items = store.get_many(&Selection::Ids(wanted)).unwrap();
    assert_eq!(pairs(&items), [("a", &b"a"[..]), ("b", b"b"), ("c/d", b"c/d")]);
}

pub(crate) fn get_many_by_pattern_is_sorted(Fixture { store, .. }: &Fixture) {
    for name in ["b/2", "b/10", "a", "b/1", "b"] {
        set(&**store, name, name.as_bytes());
    }
    let items = store.get_many(&Selection::Pattern(pattern("b/*"))).unwrap();
    assert_eq!(pairs(&items), [("b/1", &b"b/1"[..]), ("b/10", b"b/10"), ("b/2", b"b/2")]);
}

pub(crate) fn get_many_of_nothing_is_nothing(Fixture { store, .. }: &Fixture) {
    set(&**store, "a", b"v");
    assert!(store.get_many(&Selection::Ids(vec![])).unwrap().is_empty());
    assert!(store.get_many(&Selection::Ids(vec![id("b")])).unwrap().is_empty());
    assert!(store.get_many(&Selection::Pattern(pattern("b/**"))).unwrap().is_empty());
}

pub(crate) fn many_secrets_are_written_at_once(Fixture { store, .. }: &Fixture) {
    let expected: Vec<String> = (0..100).map(|index| format!("many/{index:03}")).collect();
    store.set_many(expected.iter().rev().map(|name| new_item(name, name.as_bytes())).collect(), false).unwrap();
    assert_eq!(all(&**store), expected);
    for item in store.get_many(&Selection::Pattern(pattern("many/*"))).unwrap() {
        assert_eq!(item.value.as_bytes(), item.info.id.as_str().as_bytes());
    }
}

pub(crate) fn writing_nothing_is_fine(Fixture { store, .. }: &Fixture) {
    store.set_many(vec![], false).unwrap();
    assert!(all(&**store).is_empty());
}

pub(crate) fn an_existing_id_refuses_the_whole_batch(Fixture { store, .. }: &Fixture) {
    store.set_many(vec![with_metadata("b", b"old", &[("k", "old")])], false).unwrap();
    let error = store.set_many(["a", "b", "c"].map(|name| new_item(name, b"new")).into(), false).unwrap_err();
    assert_eq!(error.code(), Code::Exists);
    assert_eq!(detail(&error, "id"), Some("b"));
    assert_eq!(all(&**store), ["b"]);
    assert_eq!(value_of(&**store, "b"), b"old");
    assert_eq!(store.get(&id("b")).unwrap().info.metadata["k"], "old");
}

pub(crate) fn a_repeated_id_refuses_the_whole_batch(Fixture { store, .. }: &Fixture) {
    for overwrite in [false, true] {
        let items = vec![new_item("a", b"1"), new_item("b", b"2"), new_item("a", b"3")];
        let error = store.set_many(items, overwrite).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        assert_eq!(detail(&error, "id"), Some("a"));
        assert!(all(&**store).is_empty());
    }
}

pub(crate) fn overwriting_replaces_value_and_metadata_and_keeps_the_creation_time(Fixture { store, .. }: &Fixture) {
    store.set_many(vec![with_metadata("a", b"old", &[("gone", "1"), ("kept", "1")])], false).unwrap();
    let old = store.get(&id("a")).unwrap().info;
    let items = vec![with_metadata("a", b"", &[("kept", "2"), ("new", "3")]), new_item("b", b"also new")];
    store.set_many(items, true).unwrap();
    let Item { info, value } = store.get(&id("a")).unwrap();
    assert_eq!(value.as_bytes(), b"");
    assert_eq!(info.metadata, BTreeMap::from([("kept".into(), "2".into()), ("new".into(), "3".into())]));
    assert_eq!(info.created_at, old.created_at);
    assert!(info.modified_at >= old.modified_at);
    assert_eq!(all(&**store), ["a", "b"]);
}

pub(crate) fn times_are_those_of_the_writing(Fixture { store, .. }: &Fixture) {
    // Stores round to the second, and another machine's clock may keep them: a minute is close enough to tell a
    // wrong unit or epoch.
    let near = |time: SystemTime| {
        let now = SystemTime::now();
        let apart = now.duration_since(time).or_else(|_| time.duration_since(now)).unwrap();
        assert!(apart < Duration::from_secs(60), "{apart:?} away from now");
    };
    set(&**store, "a", b"v");
    let info = store.get(&id("a")).unwrap().info;
    info.created_at.into_iter().chain(info.modified_at).for_each(near);
    assert_eq!(store.list(&pattern("a")).unwrap(), [info]);
}

pub(crate) fn deleting_removes_that_secret_only(Fixture { store, other, .. }: &Fixture) {
    for name in ["a", "a/b", "b"] {
        set(&**store, name, b"v");
    }
    store.delete(&id("a")).unwrap();
    assert_eq!(all(&**store), ["a/b", "b"]);
    assert_eq!(all(&**other), ["a/b", "b"]);
    assert_eq!(store.get(&id("a")).unwrap_err().code(), Code::NotFound);
    assert_eq!(store.delete(&id("a")).unwrap_err().code(), Code::NotFound);
}

pub(crate) fn a_deleted_id_can_be_written_again(Fixture { store, .. }: &Fixture) {
    store.set_many(vec![with_metadata("a", b"old", &[("k", "old")])], false).unwrap();
    store.delete(&id("a")).unwrap();
    set(&**store, "a", b"new");
    let item = store.get(&id("a")).unwrap();
    assert_eq!(item.value.as_bytes(), b"new");
    assert!(item.info.metadata.is_empty());
}

pub(crate) fn renaming_keeps_value_metadata_and_creation_time(Fixture { store, other, .. }: &Fixture) {
    store.set_many(vec![with_metadata("a", b"value", &[("k", "v")])], false).unwrap();
    let old = store.get(&id("a")).unwrap().info;
    store.rename(&id("a"), &id("b/c"), false).unwrap();
    let Item { info, value } = other.get(&id("b/c")).unwrap();
    assert_eq!(value.as_bytes(), b"value");
    assert_eq!((info.metadata, info.created_at), (old.metadata, old.created_at));
    assert_eq!(all(&**store), ["b/c"]);
}

pub(crate) fn renaming_to_a_taken_id_is_refused_and_changes_nothing(Fixture { store, .. }: &Fixture) {
    set(&**store, "a", b"1");
    set(&**store, "b", b"2");
    let error = store.rename(&id("a"), &id("b"), false).unwrap_err();
    assert_eq!(error.code(), Code::Exists);
    assert_eq!(detail(&error, "id"), Some("b"));
    assert_eq!((value_of(&**store, "a"), value_of(&**store, "b")), (b"1".to_vec(), b"2".to_vec()));
}

pub(crate) fn renaming_with_overwrite_replaces_the_other(Fixture { store, .. }: &Fixture) {
    set(&**store, "a", b"1");
    store.set_many(vec![with_metadata("b", b"2", &[("k", "of b")])], false).unwrap();
    store.rename(&id("a"), &id("b"), true).unwrap();
    assert_eq!(all(&**store), ["b"]);
    let item = store.get(&id("b")).unwrap();
    assert_eq!(item.value.as_bytes(), b"1");
    assert!(item.info.metadata.is_empty());
}

pub(crate) fn renaming_to_itself_changes_nothing(Fixture { store, .. }: &Fixture) {
    store.set_many(vec![with_metadata("a", b"1", &[("k", "v")])], false).unwrap();
    let old = store.get(&id("a")).unwrap().info;
    for overwrite in [false, true] {
        store.rename(&id("a"), &id("a"), overwrite).unwrap();
        let item = store.get(&id("a")).unwrap();
        assert_eq!((item.info, item.value.as_bytes()), (old.clone(), &b"1"[..]));
    }
}

pub(crate) fn a_second_opening_sees_what_the_first_writes(Fixture { store, other, .. }: &Fixture) {
    assert!(all(&**other).is_empty());
    set(&**store, "a", b"1");
    assert_eq!(value_of(&**other, "a"), b"1");
    assert_eq!(all(&**other), ["a"]);
    other.set_many(vec![new_item("a", b"2"), new_item("b", b"3")], true).unwrap();
    assert_eq!(value_of(&**store, "a"), b"2");
    assert_eq!(pairs(&store.get_many(&Selection::Ids(vec![id("b")])).unwrap()), [("b", &b"3"[..])]);
    store.rename(&id("a"), &id("c"), false).unwrap();
    other.delete(&id("b")).unwrap();
    assert_eq!(all(&**store), ["c"]);
    assert_eq!(all(&**other), ["c"]);
}

pub(crate) fn many_threads_write_and_lose_nothing(Fixture { store, other, .. }: &Fixture) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = if thread % 2 == 0 { &**store } else { &**other };
            scope.spawn(move || {
                for index in 0..5 {
                    let name = format!("t{thread}/{index}");
                    set(store, &name, name.as_bytes());
                    assert_eq!(value_of(store, &name), name.as_bytes());
                }
            });
        }
    });
    let expected: Vec<String> = (0..4).flat_map(|t| (0..5).map(move |i| format!("t{t}/{i}"))).collect();
    assert_eq!(all(&**store), expected);
}

pub(crate) fn describing_tells_what_the_store_is(Fixture { store, .. }: &Fixture) {
    let description = store.describe().unwrap();
    assert!(["keychain", "file", "memory", "entries"].contains(&description.kind));
    assert!(!description.backend.is_empty() && !description.location.is_empty() && !description.encryption.is_empty());
    assert!(description.max_value_bytes > 0);
    assert_ne!(description.locked, Some(true), "the fixture is unlocked");
}

pub(crate) fn no_error_shows_a_value(Fixture { store, .. }: &Fixture) {
    const CANARY: &str = "c4n4ry-in-an-error";
    set(&**store, "a", CANARY.as_bytes());
    let long = vec![b'c'; store.describe().unwrap().max_value_bytes + 1];
    for error in [
        store.set_many(vec![new_item("a", CANARY.as_bytes())], false).unwrap_err(),
        store.set_many(vec![new_item("b", CANARY.as_bytes()), new_item("b", CANARY.as_bytes())], false).unwrap_err(),
        store.set_many(vec![new_item("b", &long)], false).unwrap_err(),
        store.get(&id("b")).unwrap_err(),
    ] {
        let shown = format!("{error} {error:?} {:?} {:?}", error.hint(), error.details());
        assert!(!shown.contains(CANARY) && !shown.contains("cccccccc"), "{shown}");
    }
    assert!(!format!("{:?}", store.get(&id("a")).unwrap()).contains(CANARY));
}
