//! The Secret Service store on a real gnome-keyring.
#![cfg(target_os = "linux")]

#[macro_use]
mod contract;
#[path = "support/keyring.rs"]
mod keyring;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;

use contract::{Fixture, every_operation_fails_with, id, new_item, pattern};
use keychain_core::keychain::{self, KeychainOptions};
use keychain_core::{Code, Selection};
use keyring::Keyring;
use zbus::Message;

const GROUP: (&str, &str) = ("service:group", "com.docker.docker-pass");
const NAME: (&str, &str) = ("service:name", "docker-pass-cli");
const SERVICE: &str = "org.freedesktop.secrets";
/// The attributes of an item of `docker pass`, as `secret-tool` takes them.
const DOCKER: [&str; 4] = [GROUP.0, GROUP.1, NAME.0, NAME.1];

fn unlocked() -> Option<Fixture> {
    let keyring = Keyring::start("unlocked")?;
    Some(Fixture::new(keyring.open(), keyring.open(), Box::new(keyring)))
}

contract!(unlocked);

#[test]
fn a_locked_keyring_needs_a_person() {
    let Some(keyring) = Keyring::start("locked") else { return };
    let store = keyring.open();
    assert_eq!(store.describe().unwrap().locked, Some(true));
    every_operation_fails_with(&*store, Code::InteractionRequired);
    assert_eq!(store.list(&pattern("**")).unwrap_err().code(), Code::InteractionRequired);
    keyring.unlock();
    assert_eq!(store.describe().unwrap().locked, Some(false));
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    keyring.lock();
    every_operation_fails_with(&*store, Code::InteractionRequired);
    assert_eq!(store.list(&pattern("**")).unwrap_err().code(), Code::InteractionRequired);
}

#[test]
fn where_no_prompt_can_be_shown_a_locked_keyring_stays_locked() {
    let Some(keyring) = Keyring::start("locked") else { return };
    let store = keyring.try_open(KeychainOptions::default()).unwrap();
    let error = store.get(&id("a")).unwrap_err();
    assert_eq!(error.code(), Code::Locked);
    assert!(error.hint().unwrap().contains("gnome-keyring-daemon --unlock"));
}

#[test]
fn a_secret_of_docker_pass_is_read() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let label = "--label=com.docker.docker-pass:docker-pass-cli:team/db";
    keyring.run("secret-tool", &[&["store", label], &DOCKER[..], &["id", "team/db", "x_owner", "ops"]].concat(), b"v1");
    let store = keyring.open();
    let item = store.get(&id("team/db")).unwrap();
    assert_eq!(item.value.as_bytes(), b"v1");
    assert_eq!(item.info.metadata.into_iter().collect::<Vec<_>>(), [("owner".to_owned(), "ops".to_owned())]);
}

#[test]
fn a_secret_is_stored_as_docker_pass_reads_it() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let mut item = new_item("team/db", b"v1");
    item.metadata.insert("owner".into(), "ops".into());
    keyring.open().set_many(vec![item], false).unwrap();
    let search =
        keyring.run("secret-tool", &[&["search", "--all", "--unlock"], &DOCKER[..], &["id", "team/db"]].concat(), b"");
    let search = String::from_utf8(search).unwrap();
    assert!(search.contains("label = com.docker.docker-pass:docker-pass-cli:team/db\n"), "{search}");
    assert!(search.contains("secret = v1\n"), "{search}");
    let paths = keyring.items(&[GROUP, NAME, ("id", "team/db")]);
    let attributes = keyring.call(
        &paths[0],
        "org.freedesktop.DBus.Properties.Get",
        &["string:org.freedesktop.Secret.Item", "string:Attributes"],
    );
    for pair in [
        "service:group      com.docker.docker-pass",
        "service:name      docker-pass-cli",
        "id      team/db",
        "x_owner      ops",
    ] {
        let words: Vec<_> = pair.split_whitespace().collect();
        let found = attributes.split_whitespace().collect::<Vec<_>>();
        assert!(found.windows(2).any(|two| two == words), "{pair} in {attributes}");
    }
}

#[test]
fn replacing_keeps_the_item_where_it_is() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    let mut item = new_item("a", b"one");
    item.metadata.insert("owner".into(), "ops".into());
    store.set_many(vec![item], false).unwrap();
    let before = keyring.items(&[GROUP, NAME]);
    store.set_many(vec![new_item("a", b"two")], true).unwrap();
    store.rename(&id("a"), &id("b"), false).unwrap();
    assert_eq!(keyring.items(&[GROUP, NAME, ("id", "b")]), before);
    assert_eq!(store.get(&id("b")).unwrap().value.as_bytes(), b"two");
}

#[test]
fn duplicates_are_counted_and_a_write_leaves_one() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    for extra in ["1", "2", "3"] {
        let item = [&["store", "--label=x"], &DOCKER[..], &["id", "a", "x_extra", extra]].concat();
        keyring.run("secret-tool", &item, extra.as_bytes());
    }
    for fresh in (0..20).map(|_| keyring.open()) {
        let listed = [fresh.list_untimed(&pattern("**")).unwrap(), fresh.list_untimed(&pattern("a")).unwrap()];
        assert!(listed.iter().all(|list| list[0].metadata["extra"] == "3"), "{listed:?}");
    }
    let error = store.get(&id("a")).unwrap_err();
    assert_eq!(error.code(), Code::Ambiguous);
    assert!(error.details().contains(&("count", "3".into())));
    assert_eq!(store.get_many(&Selection::Pattern(pattern("**"))).unwrap_err().code(), Code::Ambiguous);
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 1);

    store.set_many(vec![new_item("a", b"new")], true).unwrap();
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"new");
    assert_eq!(keyring.items(&[GROUP, NAME, ("id", "a")]).len(), 1);
}

/// Starts this test program again as a writer of `race/<n>` for each line of its input, whose metadata is its own.
fn start_writer(keyring: &Keyring, own: usize) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--ignored", "--nocapture", "--test-threads=1"])
        .env("WRITER_BUS", keyring.address())
        .env("WRITER_OWN", own.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the other tests here, as a process of its own"]
fn writer() {
    let options = KeychainOptions { interactive: false, ..KeychainOptions::default() };
    let store = keychain::open_on_bus(&std::env::var("WRITER_BUS").unwrap(), options).unwrap();
    let own = std::env::var("WRITER_OWN").unwrap();
    for line in std::io::stdin().lines() {
        let mut item = new_item(&format!("race/{}", line.unwrap()), own.as_bytes());
        item.metadata.insert("own".into(), own.clone());
        let done = match store.set_many(vec![item], false) {
            Ok(()) => "written".to_owned(),
            Err(error) => format!("{:?}", error.code()),
        };
        // In one write, and apart from what the test harness writes.
        std::io::stdout().write_all(format!("\nracer: {done}\n").as_bytes()).unwrap();
    }
}

#[test]
fn of_processes_that_store_the_same_new_id_one_does() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    let mut writers: Vec<_> = (0..8).map(|own| start_writer(&keyring, own)).collect();
    let mut inputs: Vec<_> = writers.iter_mut().map(|writer| writer.stdin.take().unwrap()).collect();
    let mut outputs: Vec<_> =
        writers.iter_mut().map(|writer| BufReader::new(writer.stdout.take().unwrap()).lines()).collect();
    for round in 0..12 {
        for input in &mut inputs {
            input.write_all(format!("{round}\n").as_bytes()).unwrap();
        }
        let told = |line: std::io::Result<String>| line.unwrap().strip_prefix("racer: ").map(str::to_owned);
        let mut done: Vec<_> = outputs.iter_mut().map(|lines| lines.find_map(told).unwrap()).collect();
        done.sort();
        assert_eq!(done, ["Exists", "Exists", "Exists", "Exists", "Exists", "Exists", "Exists", "written"]);
        let name = format!("race/{round}");
        let item = store.get(&id(&name)).unwrap();
        assert_eq!(item.value.as_bytes(), item.info.metadata["own"].as_bytes());
        assert_eq!(keyring.items(&[GROUP, NAME, ("id", &name)]).len(), 1);
    }
    drop(inputs);
    assert!(writers.iter_mut().all(|writer| writer.wait().unwrap().success()));
}

/// Owns the name that writers queue for, as one of them would that stands still.
fn standstill(keyring: &Keyring) -> zbus::Connection {
    let bus = zbus::block_on(zbus::connection::Builder::address(keyring.address()).unwrap().build()).unwrap();
    zbus::block_on(bus.request_name("dev.se_native.KeyringWriter")).unwrap();
    bus
}

#[test]
fn a_writer_that_stands_still_delays_no_reader_and_other_writers_only_so_long() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    keyring.open().set_many(vec![new_item("a", b"v")], false).unwrap();
    let writer_wait = Duration::from_millis(50);
    let options = KeychainOptions { interactive: false, writer_wait, ..KeychainOptions::default() };
    let store = keyring.try_open(options).unwrap();
    let other = standstill(&keyring);
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"v");
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 1);
    for error in [
        store.set_many(vec![new_item("b", b"v")], true).unwrap_err(),
        store.rename(&id("a"), &id("b"), true).unwrap_err(),
        store.delete(&id("a")).unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::StoreUnavailable);
        let pid = std::process::id().to_string();
        assert!(error.details().contains(&("pid", pid.clone())) && error.hint().unwrap().contains(&pid), "{error:?}");
    }
    // Those that gave up do not wait any more: the name is free once its owner has ended.
    zbus::block_on(other.close()).unwrap();
    keyring.open().delete(&id("a")).unwrap();
    store.set_many(vec![new_item("b", b"v")], true).unwrap();
}

#[test]
fn a_writer_goes_on_once_the_one_before_has_ended() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    let other = standstill(&keyring);
    let mut monitor = Monitor::start(&keyring);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.set_many(vec![new_item("a", b"v")], false));
        monitor.until("RequestName");
        zbus::block_on(other.close()).unwrap();
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"v");
}

#[test]
fn items_of_others_and_without_a_valid_id_are_passed_over() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    // In this order: gnome-keyring replaces what has these attributes, and may have more.
    let foreign: [&[&str]; 4] = [
        &DOCKER,
        &[DOCKER[0], DOCKER[1], DOCKER[2], DOCKER[3], "id", "not//valid"],
        &[DOCKER[0], DOCKER[1], DOCKER[2], "another", "id", "b"],
        &["id", "c"],
    ];
    for attributes in foreign {
        keyring.run("secret-tool", &[&["store", "--label=x"], attributes].concat(), b"other");
    }
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    assert_eq!(keyring.items(&[GROUP]).len(), 4);
    let listed = store.list(&pattern("**")).unwrap();
    assert_eq!(listed.iter().map(|info| info.id.as_str()).collect::<Vec<_>>(), ["a"]);
    let read = store.get_many(&Selection::Pattern(pattern("**"))).unwrap();
    assert_eq!(read.len(), 1);
}

#[test]
fn what_another_program_changes_is_seen() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    let tool = |command: &[&str], input: &[u8]| {
        keyring.run("secret-tool", &[command, &DOCKER[..], &["id", "b"]].concat(), input);
    };
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 1);
    tool(&["store", "--label=x"], b"one");
    // A value is fetched, and checked against the signals that came before it; that is exact.
    assert_eq!(store.get(&id("b")).unwrap().value.as_bytes(), b"one");
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 2);
    tool(&["store", "--label=x"], b"two");
    assert_eq!(store.get(&id("b")).unwrap().value.as_bytes(), b"two");
    tool(&["clear"], b"");
    assert_eq!(store.get(&id("b")).unwrap_err().code(), Code::NotFound);
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 1);
}

#[test]
fn a_restarted_service_is_found_again() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"v");
    restart(&keyring);
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"v");
    restart(&keyring);
    assert_eq!(store.list(&pattern("**")).unwrap().len(), 1);
    restart(&keyring);
    store.set_many(vec![new_item("b", b"v")], false).unwrap();
}

/// Kills the service, and starts another on the same folders.
fn restart(keyring: &Keyring) {
    kill(keyring);
    let bus = zbus::block_on(zbus::connection::Builder::address(keyring.address()).unwrap().build()).unwrap();
    let bus = zbus::fdo::DBusProxy::new(&bus);
    let bus = zbus::block_on(bus).unwrap();
    let mut owners = zbus::block_on(bus.receive_name_owner_changed_with_args(&[(0, SERVICE)])).unwrap();
    let password = keyring.variable("SE_KEYRING_PASSWORD").as_bytes().to_vec();
    keyring.run("gnome-keyring-daemon", &["--daemonize", "--unlock", "--components=secrets"], &password);
    while zbus::block_on(owners.next()).unwrap().args().unwrap().new_owner().is_none() {}
    // It unlocks `login` before or after it takes its name; each answer here is one turn of its loop.
    let collections =
        |_| keyring.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.ReadAlias", &["string:default"]);
    assert!((0..500).map(collections).any(|alias| alias.contains("/login")), "the new service has no login collection");
}

fn kill(keyring: &Keyring) {
    let asked = [
        "--session",
        "--print-reply=literal",
        "--dest=org.freedesktop.DBus",
        "/",
        "org.freedesktop.DBus.GetConnectionUnixProcessID",
        "string:org.freedesktop.secrets",
    ];
    let pid = String::from_utf8(keyring.run("dbus-send", &asked, b"")).unwrap();
    let pid: i32 = pid.split_whitespace().last().unwrap().parse().unwrap();
    let process = rustix::process::Pid::from_raw(pid).unwrap();
    let handle = rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    let mut ended = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut ended, None).unwrap();
}

#[test]
fn a_service_that_went_is_unavailable() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    kill(&keyring);
    every_operation_fails_with(&*store, Code::StoreUnavailable);
    assert_eq!(store.describe().unwrap_err().code(), Code::StoreUnavailable);
}

#[test]
fn a_service_without_a_collection_says_so() {
    let Some(keyring) = Keyring::start("no-collection") else { return };
    let store = keyring.open();
    every_operation_fails_with(&*store, Code::NoCollection);
    assert_eq!(store.describe().unwrap_err().code(), Code::NoCollection);
    assert_eq!(keychain::probe_bus(keyring.address()).unwrap(), "gnome-keyring-daemon");
}

#[test]
fn a_bus_without_a_service_says_so() {
    let Some(keyring) = Keyring::start("no-service") else { return };
    for error in [
        keychain::probe_bus(keyring.address()).unwrap_err(),
        keyring.try_open(KeychainOptions::default()).err().unwrap(),
    ] {
        assert_eq!(error.code(), Code::StoreUnavailable);
        assert!(error.to_string().contains("org.freedesktop.secrets"), "{error}");
        assert!(error.hint().unwrap().contains("se store use file"));
    }
}

#[test]
fn probing_starts_nothing() {
    let Some(keyring) = Keyring::start("activatable") else { return };
    let found = keychain::probe_bus(keyring.address()).unwrap();
    assert!(found.contains("starts when it is used"), "{found}");
    let store = keyring.open();
    assert_eq!(store.describe().unwrap_err().code(), Code::StoreUnavailable);
    let owned = [
        "--session",
        "--print-reply=literal",
        "--dest=org.freedesktop.DBus",
        "/",
        "org.freedesktop.DBus.NameHasOwner",
        "string:org.freedesktop.secrets",
    ];
    let owned = || String::from_utf8(keyring.run("dbus-send", &owned, b"")).unwrap();
    assert!(owned().contains("false"));
    // It starts, without a collection.
    assert_eq!(store.get(&id("a")).unwrap_err().code(), Code::NoCollection);
    assert!(owned().contains("true"));
}

#[test]
fn a_bus_that_is_not_there_says_so() {
    let error = keychain::probe_bus("unix:path=/nonexistent/bus").unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
    let error = keychain::probe_bus("no address").unwrap_err();
    assert_eq!(error.code(), Code::StoreUnavailable);
}

/// What the programs on a bus ask the service and each other.
struct Monitor(zbus::MessageStream);

impl Monitor {
    fn start(keyring: &Keyring) -> Self {
        let connection =
            zbus::block_on(zbus::connection::Builder::address(keyring.address()).unwrap().build()).unwrap();
        // Subscribed before it is a monitor, so that nothing is missed.
        let stream = zbus::MessageStream::from(&connection);
        let rules: (Vec<&str>, u32) = (vec!["type='method_call'"], 0);
        let monitoring = Some("org.freedesktop.DBus.Monitoring");
        let asked = connection.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            monitoring,
            "BecomeMonitor",
            &rules,
        );
        zbus::block_on(asked).unwrap();
        Self(stream)
    }

    /// Waits for a call of this name.
    fn until(&mut self, name: &str) {
        let is_it = |message: Message| message.header().member().is_some_and(|member| member.as_str() == name);
        while !is_it(zbus::block_on(self.0.next()).unwrap().unwrap()) {}
    }

    /// The calls that something makes, by name.
    fn calls<T>(&mut self, keyring: &Keyring, something: impl FnOnce() -> T) -> Vec<String> {
        something();
        keyring.call("/org/freedesktop/secrets", "org.freedesktop.DBus.Peer.Ping", &[]);
        let mut calls = Vec::new();
        loop {
            let message = zbus::block_on(self.0.next()).unwrap().unwrap();
            let member = message.header().member().map(ToString::to_string);
            match member.as_deref() {
                Some("Ping") => return calls,
                Some("Hello") | None => {}
                Some(member) if message.message_type() == zbus::message::Type::MethodCall => calls.push(member.into()),
                Some(_) => {}
            }
        }
    }
}

#[test]
fn what_is_known_costs_no_call_and_values_cost_one() {
    let Some(keyring) = Keyring::start("unlocked") else { return };
    let store = keyring.open();
    store.set_many((0..5).map(|n| new_item(&format!("a/{n}"), b"v")).collect(), false).unwrap();
    let mut monitor = Monitor::start(&keyring);
    let all = Selection::Pattern(pattern("**"));
    let ids = Selection::Ids((0..5).map(|n| id(&format!("a/{n}"))).collect());
    let mut calls = |something: &dyn Fn()| monitor.calls(&keyring, something);

    // `GetId` waits for the signals of this process's own writes; the first `Get` asks whether it is locked.
    let fresh = keyring.open();
    assert_eq!(fresh.get(&id("absent")).unwrap_err().code(), Code::NotFound);
    calls(&|| {});
    let cold = calls(&|| drop(fresh.list_untimed(&pattern("**")).unwrap()));
    assert_eq!(cold, ["SearchItems", "Get", "Get", "Get", "Get", "Get", "Get"]);
    assert_eq!(calls(&|| drop(fresh.list_untimed(&pattern("**")).unwrap())), [""; 0]);
    assert_eq!(calls(&|| drop(fresh.get_many(&all).unwrap())), ["GetSecrets"]);
    assert_eq!(calls(&|| drop(fresh.get_many(&ids).unwrap())), ["GetSecrets"]);
    // Its times are not known yet: they come beside the value, in the same round trip.
    assert_eq!(calls(&|| drop(fresh.get(&id("a/3")).unwrap())), ["GetSecret", "GetAll"]);
    assert_eq!(calls(&|| drop(fresh.get(&id("a/3")).unwrap())), ["GetSecret"]);
    assert_eq!(calls(&|| drop(fresh.list(&pattern("**")).unwrap())), ["GetAll"; 4]);
    assert_eq!(calls(&|| drop(fresh.list(&pattern("**")).unwrap())), [""; 0]);
    assert_eq!(calls(&|| drop(store.get(&id("a/3")).unwrap())), ["GetId", "SearchItems", "GetSecret", "GetAll"]);
    assert_eq!(calls(&|| drop(store.get(&id("a/3")).unwrap())), ["GetSecret"]);

    // To write takes one more than that: nobody answers `ReleaseName`.
    let write = calls(&|| store.set_many(vec![new_item("a/3", b"w")], true).unwrap());
    assert_eq!(write, ["RequestName", "SearchItems", "GetAll", "SetSecret", "ReleaseName"]);
    let create = calls(&|| store.set_many(vec![new_item("a/9", b"w")], false).unwrap());
    assert_eq!(create, ["RequestName", "SearchItems", "Get", "CreateItem", "ReleaseName"]);
}
