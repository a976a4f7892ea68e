//! The store on credentials in memory, which behave as `wincred.h` documents: names in any case of letters, the
//! limits of each field, each call atomic. Any call can be made the last one, as if the process had been killed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use super::{Credential, CredentialManager, Credentials, NewCredential};
use crate::contract::{Fixture, id, new_item, pattern};
use crate::{Code, Error, NewItem, Result, SecretBytes, Selection, Store};

#[derive(Clone)]
struct Kept {
    target: String,
    user: String,
    attributes: BTreeMap<String, String>,
    blob: Vec<u8>,
    written_at: SystemTime,
}

#[derive(Default)]
struct Machine {
    /// By name in lower case.
    credentials: Mutex<BTreeMap<String, Kept>>,
    turn: Mutex<()>,
}

struct Fake {
    machine: Arc<Machine>,
    /// How many changes this process makes before it dies.
    changes_left: AtomicU32,
}

impl Fake {
    fn new(machine: &Arc<Machine>) -> Self {
        Self::dying_after(machine, u32::MAX)
    }

    fn dying_after(machine: &Arc<Machine>, changes: u32) -> Self {
        Self { machine: machine.clone(), changes_left: AtomicU32::new(changes) }
    }

    fn credentials(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.machine.credentials.lock().unwrap()
    }

    fn change(&self) -> Result<MutexGuard<'_, BTreeMap<String, Kept>>> {
        let left = self.changes_left.load(Ordering::Relaxed);
        self.changes_left
            .store(left.checked_sub(1).ok_or_else(|| Error::new(Code::Internal, "killed"))?, Ordering::Relaxed);
        Ok(self.credentials())
    }
}

fn handed_out(kept: &Kept) -> Credential {
    Credential {
        target: kept.target.clone(),
        attributes: kept.attributes.clone(),
        blob: SecretBytes::copy_from(&kept.blob),
        written_at: Some(kept.written_at),
    }
}

impl Credentials for Fake {
    type Turn<'a> = MutexGuard<'a, ()>;

    fn read(&self, target: &str) -> Result<Option<Credential>> {
        Ok(self.credentials().get(&target.to_lowercase()).map(handed_out))
    }

    fn enumerate(&self, prefix: &str) -> Result<Vec<Credential>> {
        let prefix = prefix.to_lowercase();
        Ok(self
            .credentials()
            .iter()
            .filter(|(name, _)| name.starts_with(&prefix))
            .map(|(_, kept)| handed_out(kept))
            .collect())
    }

    fn write(&self, new: &NewCredential<'_>) -> Result<()> {
        assert!(new.target.encode_utf16().count() <= 32_767);
        assert!(new.user.encode_utf16().count() <= 513);
        assert!(new.blob.len() <= 2560);
        assert!(new.attributes.len() <= 64);
        for (name, value) in new.attributes {
            assert!(name.encode_utf16().count() <= 256 && value.len() <= 256);
        }
        let kept = Kept {
            target: new.target.into(),
            user: new.user.into(),
            attributes: new.attributes.clone(),
            blob: new.blob.into(),
            written_at: SystemTime::now(),
        };
        self.change()?.insert(new.target.to_lowercase(), kept);
        Ok(())
    }

    fn delete(&self, target: &str) -> Result<bool> {
        Ok(self.change()?.remove(&target.to_lowercase()).is_some())
    }

    fn turn(&self) -> Result<MutexGuard<'_, ()>> {
        Ok(self.machine.turn.lock().unwrap())
    }
}

const GROUP: &str = "com.docker.docker-pass";
const NAME: &str = "docker-pass-cli";

fn store(credentials: Fake) -> CredentialManager<Fake> {
    CredentialManager::new(credentials, GROUP.into(), NAME.into())
}

fn on(machine: &Arc<Machine>) -> CredentialManager<Fake> {
    store(Fake::new(machine))
}

fn fixture() -> Fixture {
    let machine = Arc::default();
    Fixture {
        text_only: true,
        case_sensitive: false,
        max_metadata_bytes: super::MAX_METADATA_BYTES,
        max_metadata_value_bytes: super::MAX_ATTRIBUTE_BYTES,
        ..Fixture::new(Box::new(on(&machine)), Box::new(on(&machine)), Box::new(()))
    }
}

contract!(fixture);

fn targets(machine: &Machine) -> Vec<String> {
    machine.credentials.lock().unwrap().values().map(|kept| kept.target.clone()).collect()
}

fn value(store: &dyn Store, name: &str) -> Vec<u8> {
    store.get(&id(name)).unwrap().value.as_bytes().to_vec()
}

fn long(seed: u8, parts: usize) -> Vec<u8> {
    (0..parts * 1280).map(|at| b'a' + seed + (at % 11) as u8).collect()
}

#[test]
fn a_short_value_is_one_credential_as_docker_writes_it() {
    let machine = Arc::default();
    let metadata = BTreeMap::from([("owner".to_owned(), "ops".to_owned())]);
    on(&machine).set_many(vec![NewItem { metadata, ..new_item("team/db", "pä".as_bytes()) }], false).unwrap();
    let kept = machine.credentials.lock().unwrap();
    let [kept] = &kept.values().collect::<Vec<_>>()[..] else { panic!("one credential") };
    assert_eq!(kept.target, "com.docker.docker-pass:docker-pass-cli:team/db");
    assert_eq!(kept.user, "team/db");
    assert_eq!(kept.blob, [b'p', 0, 0xe4, 0]);
    let attributes = [("id", "team/db"), ("service:group", GROUP), ("service:name", NAME), ("x_owner", "ops")];
    assert_eq!(kept.attributes, attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn a_long_value_is_in_parts_as_docker_writes_it() {
    let machine = Arc::default();
    on(&machine).set_many(vec![new_item("a", &[b'v'; 1281])], false).unwrap();
    let kept = machine.credentials.lock().unwrap();
    let label = format!("{GROUP}:{NAME}:a");
    let [first, zero, one] = ["", ":chunk:0", ":chunk:1"].map(|rest| &kept[&format!("{label}{rest}")]);
    assert_eq!(kept.len(), 3);
    assert_eq!((first.blob.len(), zero.blob.len(), one.blob.len()), (0, 2560, 2));
    assert_eq!(first.attributes["chunk:count"], "2");
    assert_eq!(one.attributes, BTreeMap::from([("chunk:index".to_owned(), "1".to_owned())]));
    assert_eq!(one.user, "a");
}

#[test]
fn what_is_written_over_leaves_no_part_behind() {
    let machine = Arc::default();
    let store = on(&machine);
    for (parts, credentials) in [(3, 4), (5, 6), (2, 3), (0, 1), (4, 5)] {
        let value_now = if parts == 0 { b"short".to_vec() } else { long(0, parts) };
        store.set_many(vec![new_item("a", &value_now)], true).unwrap();
        assert_eq!(value(&store, "a"), value_now);
        assert_eq!(targets(&machine).len(), credentials);
    }
    store.delete(&id("a")).unwrap();
    assert!(targets(&machine).is_empty());
}

#[test]
fn a_kill_at_any_moment_of_a_write_leaves_the_old_value_or_the_new_one() {
    let values = [b"short".to_vec(), long(0, 2), long(1, 3), long(2, 5), b"".to_vec()];
    for (old, new) in
        values.iter().flat_map(|old| values.iter().map(move |new| (old, new))).filter(|(old, new)| old != new)
    {
        let mut seen_new = false;
        for changes in 0.. {
            let machine = Arc::default();
            on(&machine).set_many(vec![new_item("a", old)], false).unwrap();
            let died = store(Fake::dying_after(&machine, changes)).set_many(vec![new_item("a", new)], true).is_err();
            let now = value(&on(&machine), "a");
            assert!(now == *old || now == *new, "killed after {changes} changes");
            assert!(!seen_new || now == *new, "the old value came back after {changes} changes");
            seen_new = now == *new;
            // Whatever was left behind is gone after the next write.
            on(&machine).set_many(vec![new_item("a", b"last")], true).unwrap();
            assert_eq!(value(&on(&machine), "a"), b"last");
            assert_eq!(targets(&machine).len(), 1);
            if !died {
                break;
            }
        }
        assert!(seen_new);
    }
}

#[test]
fn a_second_kill_during_the_repair_leaves_an_old_value_or_the_new_one() {
    let [old, second, third] = [long(0, 2), long(1, 3), long(2, 2)];
    for first_kill in 0..14 {
        for second_kill in 0..14 {
            let machine = Arc::default();
            on(&machine).set_many(vec![new_item("a", &old)], false).unwrap();
            let write = |changes, value: &[u8]| {
                let _ = store(Fake::dying_after(&machine, changes)).set_many(vec![new_item("a", value)], true);
            };
            write(first_kill, &second);
            let before = value(&on(&machine), "a");
            write(second_kill, &third);
            let now = value(&on(&machine), "a");
            assert!(now == before || now == third, "killed after {first_kill} and {second_kill} changes");
        }
    }
}

#[test]
fn a_kill_at_any_moment_of_a_rename_leaves_the_secret_under_one_of_its_ids() {
    for changes in 0.. {
        let machine = Arc::default();
        on(&machine).set_many(vec![new_item("a", &long(0, 2))], false).unwrap();
        let died = store(Fake::dying_after(&machine, changes)).rename(&id("a"), &id("b"), false).is_err();
        let both = on(&machine).get_many(&Selection::Ids(vec![id("a"), id("b")])).unwrap();
        assert!(!both.is_empty() && both.iter().all(|item| item.value.equals(&long(0, 2))), "after {changes} changes");
        if !died {
            assert_eq!(both[0].info.id, id("b"));
            break;
        }
    }
}

#[test]
fn a_failed_write_says_how_many_were_written() {
    let machine = Arc::default();
    let items = ["a", "b", "c"].map(|name| new_item(name, b"v")).into();
    let error = store(Fake::dying_after(&machine, 2)).set_many(items, false).unwrap_err();
    assert_eq!(error.details(), [("written", "2".to_owned())]);
}

#[test]
fn parts_that_are_missing_or_mixed_up_are_corrupt_and_listed_nonetheless() {
    type Damage = fn(&mut BTreeMap<String, Kept>, &str);
    fn set_count(all: &mut BTreeMap<String, Kept>, label: &str, count: &str) {
        all.get_mut(label).unwrap().attributes.insert("chunk:count".into(), count.into());
    }
    let broken: [(&str, Damage); 5] = [
        ("no second part", |all, label| {
            all.remove(&format!("{label}:chunk:1"));
        }),
        ("half a unit", |all, label| {
            all.get_mut(&format!("{label}:chunk:1")).unwrap().blob.pop();
        }),
        ("half a character", |all, label| all.get_mut(&format!("{label}:chunk:1")).unwrap().blob[1] = 0xd8),
        ("no number", |all, label| set_count(all, label, "two")),
        ("more than there are", |all, label| set_count(all, label, "3")),
    ];
    for (what, damage) in broken {
        let machine = Arc::default();
        let store = on(&machine);
        store.set_many(vec![new_item("a", &long(0, 2))], false).unwrap();
        damage(&mut machine.credentials.lock().unwrap(), &format!("{GROUP}:{NAME}:a"));
        assert_eq!(store.get(&id("a")).unwrap_err().code(), Code::Corrupt, "{what}");
        assert_eq!(store.get_many(&Selection::Pattern(pattern("**"))).unwrap_err().code(), Code::Corrupt, "{what}");
        assert_eq!(store.list(&pattern("**")).unwrap().len(), 1, "{what}");
        store.set_many(vec![new_item("a", b"mended")], true).unwrap();
        assert_eq!((value(&store, "a"), targets(&machine).len()), (b"mended".to_vec(), 1), "{what}");
    }
}

#[test]
fn ids_that_windows_does_not_tell_apart_are_refused() {
    let machine = Arc::default();
    let store = on(&machine);
    store.set_many(vec![new_item("Team/DB", b"1")], false).unwrap();
    for overwrite in [false, true] {
        let error = store.set_many(vec![new_item("team/db", b"2")], overwrite).unwrap_err();
        assert_eq!(error.code(), Code::Unsupported);
    }
    assert_eq!(store.get(&id("team/db")).unwrap_err().code(), Code::NotFound);
    assert_eq!(store.delete(&id("team/db")).unwrap_err().code(), Code::NotFound);
    assert_eq!(value(&store, "Team/DB"), b"1");
}

#[test]
fn an_id_that_is_the_name_of_a_part_is_refused() {
    let machine = Arc::default();
    let store = on(&machine);
    store.set_many(vec![new_item("a", &long(0, 2))], false).unwrap();
    let error = store.set_many(vec![new_item("a:chunk:1", b"v")], true).unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
    assert_eq!(store.get(&id("a:chunk:1")).unwrap_err().code(), Code::NotFound);
    store.set_many(vec![new_item("b:chunk:1", b"v")], false).unwrap();
    assert_eq!(store.set_many(vec![new_item("b", &long(0, 2))], false).unwrap_err().code(), Code::Unsupported);
    assert_eq!(value(&store, "b:chunk:1"), b"v");
}

#[test]
fn parts_of_ids_that_begin_alike_are_left_alone() {
    let machine = Arc::default();
    let store = on(&machine);
    store.set_many(vec![new_item("a:chunk:x", &long(0, 2)), new_item("a", &long(1, 2))], false).unwrap();
    store.delete(&id("a")).unwrap();
    assert_eq!(value(&store, "a:chunk:x"), long(0, 2));
}

#[test]
fn credentials_of_others_are_passed_over() {
    let machine = Arc::default();
    let other = |group: &str, name: &str| CredentialManager::new(Fake::new(&machine), group.into(), name.into());
    other("other", NAME).set_many(vec![new_item("a", b"1")], false).unwrap();
    // Its label begins as ours do.
    other(GROUP, &format!("{NAME}:x")).set_many(vec![new_item("b", b"2")], false).unwrap();
    let attributes = BTreeMap::new();
    for target in [format!("{GROUP}:{NAME}:not//an id"), format!("{GROUP}:{NAME}")] {
        Fake::new(&machine)
            .write(&NewCredential { target: &target, user: "", attributes: &attributes, blob: b"" })
            .unwrap();
    }
    let ours = on(&machine);
    assert!(ours.list(&pattern("**")).unwrap().is_empty());
    assert_eq!(ours.get(&id("x:b")).unwrap_err().code(), Code::NotFound);
}

#[test]
fn attributes_that_do_not_fit_are_refused() {
    let machine = Arc::default();
    let store = on(&machine);
    let name = |len: usize| "n".repeat(len);
    let cases: [(BTreeMap<String, String>, bool); 6] = [
        ((0..60).map(|at| (at.to_string(), "v".into())).collect(), true),
        ((0..61).map(|at| (at.to_string(), "v".into())).collect(), false),
        (BTreeMap::from([(name(254), "v".into())]), true),
        (BTreeMap::from([(name(255), "v".into())]), false),
        (BTreeMap::from([("n".into(), name(256))]), true),
        (BTreeMap::from([("n".into(), name(257))]), false),
    ];
    for (at, (metadata, fits)) in cases.into_iter().enumerate() {
        let outcome = store.set_many(vec![NewItem { metadata: metadata.clone(), ..new_item("a", b"v") }], true);
        match outcome {
            Ok(()) => assert!(fits && store.get(&id("a")).unwrap().info.metadata == metadata, "case {at}"),
            Err(error) => assert!(!fits && error.code() == Code::ValueTooLarge, "case {at}"),
        }
    }
}

#[test]
fn a_writer_that_takes_no_turns_does_not_make_a_mixture() {
    // Docker's programs write the parts, then the first credential.
    let machine: Arc<Machine> = Arc::default();
    on(&machine).set_many(vec![new_item("a", &long(0, 2))], false).unwrap();
    let first = format!("{GROUP}:{NAME}:a");
    struct Racing<'a>(Fake, &'a (dyn Fn() + Sync));
    impl Credentials for Racing<'_> {
        type Turn<'a>
            = MutexGuard<'a, ()>
        where
            Self: 'a;

        fn read(&self, target: &str) -> Result<Option<Credential>> {
            if target.ends_with(":chunk:1") {
                self.1();
            }
            self.0.read(target)
        }
        fn enumerate(&self, prefix: &str) -> Result<Vec<Credential>> {
            self.0.enumerate(prefix)
        }
        fn write(&self, new: &NewCredential<'_>) -> Result<()> {
            self.0.write(new)
        }
        fn delete(&self, target: &str) -> Result<bool> {
            self.0.delete(target)
        }
        fn turn(&self) -> Result<MutexGuard<'_, ()>> {
            self.0.turn()
        }
    }
    let (done, new) = (AtomicU32::new(0), long(3, 2));
    let race = || {
        if done.fetch_add(1, Ordering::Relaxed) == 0 {
            let mut all = machine.credentials.lock().unwrap();
            let blob: Vec<u8> = new.iter().flat_map(|byte| [*byte, 0]).collect();
            for (index, part) in blob.chunks(2560).enumerate() {
                all.get_mut(&format!("{first}:chunk:{index}")).unwrap().blob = part.to_vec();
            }
            all.get_mut(&first).unwrap().written_at += Duration::from_millis(1);
        }
    };
    let racing = CredentialManager::new(Racing(Fake::new(&machine), &race), GROUP.into(), NAME.into());
    assert_eq!(racing.get(&id("a")).unwrap().value.as_bytes(), new);
}
