//! The encrypted file under kills and contention, with processes of its own.
#![cfg(unix)]

#[path = "support/file_place.rs"]
mod file_place;
#[path = "contract/items.rs"]
mod items;

use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use file_place::Place;
use items::{id, new_item, pattern};
use keychain_core::file::{self, FileOptions};
use keychain_core::{Code, Selection};

/// Starts this test program again as a writer of ids `<prefix>/<n>`, which tells each that the store acknowledged.
fn start_writer(place: &Place, prefix: &str, count: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture", "--test-threads=1"])
        .env("WRITER_FOLDER", place.folder.path())
        .env("WRITER_PREFIX", prefix)
        .env("WRITER_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the other tests here, as a process of its own"]
fn writer() {
    let variable = |name| std::env::var(name).unwrap();
    let folder = std::path::PathBuf::from(variable("WRITER_FOLDER"));
    let (store, identity) = (folder.join("store.age"), folder.join("identity.age"));
    let store = file::open(FileOptions { store, identity, passphrase: None }).unwrap();
    for n in 0..variable("WRITER_COUNT").parse().unwrap() {
        let name = format!("{}/{n}", variable("WRITER_PREFIX"));
        store.set_many(vec![new_item(&name, name.as_bytes())], false).unwrap();
        // In one write: half a line would be an acknowledgement of something else.
        stdout().write_all(format!("\nwritten {name}\n").as_bytes()).unwrap();
    }
}

/// What is read from a writer's output is acknowledged.
fn acknowledged(line: std::io::Result<String>) -> Option<String> {
    line.unwrap().strip_prefix("written ").map(str::to_owned)
}

/// Numbers that need not be good, only different (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
fn two_hundred_kills_at_any_instant_lose_nothing_that_was_acknowledged() {
    let place = Place::new();
    // Some length, so that encrypting and writing take their share of the time.
    place.open().set_many(vec![new_item("long", &vec![b'x'; 300_000])], false).unwrap();
    let seed = u64::from(std::process::id()) | 1 << 40;
    let mut random = Random(seed);
    let (mut written, mut kills) = (vec!["long".to_owned()], 0);
    while kills < 200 {
        let prefix = format!("round-{}", written.len());
        let mut child = start_writer(&place, &prefix, 1_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The first write is done: the writer is at work. The instant after that is chance, which is what is tested.
        written.push(lines.by_ref().find_map(acknowledged).expect("the writer writes"));
        std::thread::sleep(Duration::from_micros(random.below(20_000)));
        child.kill().unwrap();
        kills += usize::from(child.wait().unwrap().code().is_none());
        written.extend(lines.filter_map(acknowledged));
    }
    let store = place.open();
    let items = store.get_many(&Selection::Pattern(pattern("**"))).unwrap();
    for name in &written {
        let item = items.iter().find(|item| item.info.id.as_str() == name);
        assert!(item.is_some(), "{name} is lost (seed {seed})");
    }
    for item in items.iter().filter(|item| item.info.id != id("long")) {
        assert!(item.value.equals(item.info.id.as_str().as_bytes()), "{} (seed {seed})", item.info.id);
    }
    // At most the write that was under way at each kill is there without having been acknowledged.
    assert!(items.len() <= written.len() + kills);
    store.delete(&id("long")).unwrap();
    let mut left: Vec<_> = std::fs::read_dir(place.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["identity.age", "store.age", "store.age.lock"]);
}

#[test]
fn eight_processes_writing_at_once_lose_nothing() {
    let place = Place::new();
    let mut writers: Vec<_> = (0..8).map(|n| start_writer(&place, &format!("writer-{n}"), 50)).collect();
    for writer in &mut writers {
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        assert_eq!(lines.filter_map(acknowledged).count(), 50);
        assert!(writer.wait().unwrap().success());
    }
    let items = place.open().get_many(&Selection::Pattern(pattern("**"))).unwrap();
    assert_eq!(items.len(), 8 * 50);
    assert!(items.iter().all(|item| item.value.equals(item.info.id.as_str().as_bytes())));
}

#[test]
fn of_many_writers_of_one_id_exactly_one_is_first() {
    let place = Place::new();
    let stores: Vec<_> = (0..8).map(|_| place.open()).collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(n, store)| scope.spawn(move || store.set_many(vec![new_item("a", n.to_string().as_bytes())], false)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winners: Vec<_> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).map(|(n, _)| n).collect();
    assert_eq!(winners.len(), 1);
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|error| error.code() == Code::Exists));
    assert!(place.open().get(&id("a")).unwrap().value.equals(winners[0].to_string().as_bytes()));
}
