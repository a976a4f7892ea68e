//! The Keychain of macOS and the Credential Manager of Windows keep the contract.
#![cfg(any(target_os = "macos", windows))]

#[macro_use]
mod contract;

use std::sync::atomic::{AtomicU32, Ordering};

use contract::{Fixture, pattern};
use keychain_core::keychain::{self, KeychainOptions};

/// Removes what a test left behind.
struct Leftovers(KeychainOptions);

impl Drop for Leftovers {
    fn drop(&mut self) {
        let store = keychain::open(self.0.clone()).unwrap();
        for info in store.list(&pattern("**")).unwrap() {
            store.delete(&info.id).unwrap();
        }
    }
}

/// A service of its own for each test, and none that a person uses.
fn options() -> KeychainOptions {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("contract-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    KeychainOptions { interactive: false, group: "dev.se-native.test".into(), name, ..KeychainOptions::default() }
}

pub(crate) fn fixture() -> Fixture {
    let options = options();
    // Process numbers come back: an earlier run may have been killed.
    drop(Leftovers(options.clone()));
    let open = || keychain::open(options.clone()).unwrap();
    let fixture = Fixture::new(open(), open(), Box::new(Leftovers(options.clone())));
    if cfg!(windows) {
        let limits = (8 << 10, 256);
        Fixture {
            text_only: true,
            case_sensitive: false,
            max_metadata_bytes: limits.0,
            max_metadata_value_bytes: limits.1,
            ..fixture
        }
    } else {
        fixture
    }
}

contract! { fixture;
    values_come_back_byte_for_byte
    a_value_beyond_the_limit_is_refused_and_nothing_is_written
    metadata_beyond_the_limit_is_refused_and_nothing_is_written
    metadata_with_a_nul_is_refused_and_nothing_is_written
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
    times_are_those_of_the_writing
    deleting_removes_that_secret_only
    a_deleted_id_can_be_written_again
    renaming_to_a_taken_id_is_refused_and_changes_nothing
    a_second_opening_sees_what_the_first_writes
    many_threads_write_and_lose_nothing
    describing_tells_what_the_store_is
    no_error_shows_a_value
}

/// Cases that Wine cannot show: its credentials have no attributes, hence neither metadata nor values in parts, and
/// their names are at most 255 characters long.
mod beyond_wine {
    contract! { super::fixture;
        reads_what_was_written
        a_value_as_long_as_the_limit_fits
        metadata_comes_back_as_it_was
        metadata_as_long_as_the_limit_fits
        the_longest_id_is_kept
        an_existing_id_refuses_the_whole_batch
        overwriting_replaces_value_and_metadata_and_keeps_the_creation_time
        renaming_keeps_value_metadata_and_creation_time
        renaming_with_overwrite_replaces_the_other
        renaming_to_itself_changes_nothing
    }
}
