//! Entries keep the contract on a real keyring, and are the same as those of other programs.
//!
//! This program starts itself again under `scripts/with-keyring.sh`, once for each state of a keyring, and runs the
//! cases of that state one after the other. An argument selects cases by a part of their name.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[allow(dead_code, unused_macros, reason = "entries cannot keep metadata, and the cases are run by name")]
mod contract;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Write as _;
    use std::panic::catch_unwind;
    use std::process::{Command, Stdio, exit};
    use std::sync::atomic::{AtomicU32, Ordering};

    use keychain_core::entries::{self, EntriesOptions};
    use keychain_core::{Code, Selection, Store};

    use crate::contract::{self, Fixture, every_operation_fails_with, id, new_item, pattern};

    const STATE: &str = "SE_TEST_KEYRING_STATE";

    type Case = (&'static str, fn());

    macro_rules! cases {
        (contract: $($case:ident)*) => { [$((stringify!($case), (|| contract::$case(&fixture())) as fn())),*] };
        ($($case:ident)*) => { [$((stringify!($case), $case as fn())),*] };
    }

    pub(crate) fn main() {
        let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
        match std::env::var(STATE).as_deref() {
            Ok("unlocked") => run(&unlocked(), &filter),
            Ok("locked") => run(&cases![a_locked_keyring_asks_nobody_when_nobody_may_be_asked], &filter),
            Ok("no-service") => run(&cases![without_a_keyring_nothing_opens], &filter),
            _ => ["unlocked", "locked", "no-service"].into_iter().for_each(|state| start_again(state, &filter)),
        }
    }

    fn start_again(state: &str, filter: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/with-keyring.sh");
        let status = Command::new(script)
            .arg(format!("--{state}"))
            .arg("--")
            .arg(std::env::current_exe().unwrap())
            .arg(filter)
            .env(STATE, state)
            .status()
            .unwrap();
        if !status.success() {
            exit(status.code().unwrap_or(1));
        }
    }

    fn run(cases: &[Case], filter: &str) {
        let chosen: Vec<&Case> = cases.iter().filter(|(name, _)| name.contains(filter)).collect();
        let failed: Vec<&str> =
            chosen.iter().filter(|(_, case)| catch_unwind(case).is_err()).map(|(name, _)| *name).collect();
        let outcome = if failed.is_empty() { "ok" } else { "FAILED" };
        let passed = chosen.len() - failed.len();
        // As the test harness says it.
        let result = format!("test result: {outcome}. {passed} passed; {} failed; 0 ignored", failed.len());
        let mut out = std::io::stdout();
        writeln!(out, "{result} {}", failed.join(", ")).unwrap();
        exit(i32::from(!failed.is_empty()));
    }

    fn unlocked() -> Vec<Case> {
        let contract = cases![contract:
            values_come_back_byte_for_byte
            a_value_beyond_the_limit_is_refused_and_nothing_is_written
            unusual_ids_are_kept_apart
            an_absent_id_is_not_found
            listing_is_sorted_and_follows_the_pattern
            an_empty_store_lists_nothing
            get_many_by_ids_is_sorted_and_leaves_out_absent_and_repeated_ones
            get_many_by_pattern_is_sorted
            get_many_of_nothing_is_nothing
            many_secrets_are_written_at_once
            writing_nothing_is_fine
            a_repeated_id_refuses_the_whole_batch
            deleting_removes_that_secret_only
            renaming_to_a_taken_id_is_refused_and_changes_nothing
            a_second_opening_sees_what_the_first_writes
            many_threads_write_and_lose_nothing
            describing_tells_what_the_store_is
            no_error_shows_a_value
        ];
        let ours = cases![
            entries_of_secret_tool_are_read_listed_changed_and_deleted
            an_account_attribute_is_an_account_too
            what_is_written_is_found_by_secret_tool
            entries_of_other_services_are_left_alone
            accounts_that_are_not_ids_are_passed_over
            two_entries_of_one_account_are_ambiguous_and_deleted_together
            metadata_is_refused
            an_empty_service_is_refused
        ];
        contract.into_iter().chain(ours).collect()
    }

    fn service() -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn open(service: &str) -> Box<dyn Store> {
        entries::open(EntriesOptions { service: service.into(), interactive: false }).unwrap()
    }

    fn fixture() -> Fixture {
        let service = service();
        Fixture::new(open(&service), open(&service), Box::new(()))
    }

    fn secret_tool(args: &[&str], stdin: &str) -> String {
        let mut child = Command::new("secret-tool")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("secret-tool is needed (Debian: libsecret-tools)");
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "secret-tool {args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn names(store: &dyn Store) -> Vec<String> {
        store.list(&pattern("**")).unwrap().iter().map(|info| info.id.to_string()).collect()
    }

    fn entries_of_secret_tool_are_read_listed_changed_and_deleted() {
        let service = service();
        secret_tool(&["store", "--label=x", "service", &service, "username", "me", "other", "1"], "hunter2");
        let store = open(&service);
        assert_eq!(names(&*store), ["me"]);
        assert_eq!(store.get(&id("me")).unwrap().value.as_bytes(), b"hunter2");
        assert_eq!(store.get_many(&Selection::Pattern(pattern("*"))).unwrap().len(), 1);
        store.set_many(vec![new_item("me", b"changed")], true).unwrap();
        // In place: what the program added stays.
        assert_eq!(secret_tool(&["lookup", "service", &service, "other", "1"], ""), "changed");
        store.delete(&id("me")).unwrap();
        assert!(names(&*store).is_empty());
    }

    fn an_account_attribute_is_an_account_too() {
        let service = service();
        secret_tool(&["store", "--label=x", "service", &service, "account", "me"], "of keytar");
        let store = open(&service);
        assert_eq!(names(&*store), ["me"]);
        assert_eq!(store.get(&id("me")).unwrap().value.as_bytes(), b"of keytar");
        store.set_many(vec![new_item("me", b"changed")], true).unwrap();
        assert_eq!(secret_tool(&["lookup", "service", &service, "account", "me"], ""), "changed");
        assert_eq!(names(&*store), ["me"]);
    }

    fn what_is_written_is_found_by_secret_tool() {
        let service = service();
        open(&service).set_many(vec![new_item("team/me", b"value")], false).unwrap();
        assert_eq!(secret_tool(&["lookup", "service", &service, "username", "team/me"], ""), "value");
    }

    fn entries_of_other_services_are_left_alone() {
        let (ours, theirs) = (service(), service());
        secret_tool(&["store", "--label=x", "service", &theirs, "username", "me"], "theirs");
        let store = open(&ours);
        assert!(names(&*store).is_empty());
        assert_eq!(store.get(&id("me")).unwrap_err().code(), Code::NotFound);
        store.set_many(vec![new_item("me", b"ours")], false).unwrap();
        store.delete(&id("me")).unwrap();
        assert_eq!(secret_tool(&["lookup", "service", &theirs, "username", "me"], ""), "theirs");
    }

    fn accounts_that_are_not_ids_are_passed_over() {
        let service = service();
        // First, since it replaces any entry of the service: its attributes are a part of theirs.
        secret_tool(&["store", "--label=x", "service", &service], "no account at all");
        for account in ["me@example.com", "", "a b", "fine"] {
            secret_tool(&["store", "--label=x", "service", &service, "username", account], "v");
        }
        let store = open(&service);
        assert_eq!(names(&*store), ["fine"]);
        assert_eq!(store.get_many(&Selection::Pattern(pattern("**"))).unwrap().len(), 1);
    }

    fn two_entries_of_one_account_are_ambiguous_and_deleted_together() {
        let service = service();
        for other in ["1", "2"] {
            secret_tool(&["store", "--label=x", "service", &service, "username", "me", "other", other], other);
        }
        let store = open(&service);
        assert_eq!(names(&*store), ["me"]);
        for error in [
            store.get(&id("me")).unwrap_err(),
            store.get_many(&Selection::Ids(vec![id("me")])).unwrap_err(),
            store.set_many(vec![new_item("me", b"v")], true).unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::Ambiguous);
            assert!(error.details().contains(&("count", "2".into())));
        }
        store.delete(&id("me")).unwrap();
        assert!(names(&*store).is_empty());
    }

    fn metadata_is_refused() {
        let store = open(&service());
        let mut item = new_item("me", b"v");
        item.metadata.insert("owner".into(), "ops".into());
        assert_eq!(store.set_many(vec![item], false).unwrap_err().code(), Code::Unsupported);
        assert!(names(&*store).is_empty());
    }

    fn an_empty_service_is_refused() {
        let outcome = entries::open(EntriesOptions { service: String::new(), interactive: false });
        assert_eq!(outcome.err().unwrap().code(), Code::InvalidOption);
    }

    fn a_locked_keyring_asks_nobody_when_nobody_may_be_asked() {
        let store = open("any");
        every_operation_fails_with(&*store, Code::InteractionRequired);
        assert_eq!(store.list(&pattern("**")).unwrap_err().code(), Code::InteractionRequired);
        store.describe().unwrap();
    }

    fn without_a_keyring_nothing_opens() {
        let outcome = entries::open(EntriesOptions { service: "any".into(), interactive: false });
        assert_eq!(outcome.err().unwrap().code(), Code::StoreUnavailable);
    }
}
