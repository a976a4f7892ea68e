//! What the encrypted file leaves in memory: nothing, under a wiping allocator as the addon has. In a process of its
//! own, since other tests would leave their values.
#![cfg(target_os = "linux")]

#[path = "support/file_place.rs"]
mod file_place;
#[path = "contract/items.rs"]
mod items;
#[path = "support/memory_scan.rs"]
mod memory_scan;

use std::collections::BTreeMap;

use file_place::Place;
use items::id;
use keychain_core::{NewItem, SecretBytes};
use memory_scan::Canary;

#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

#[test]
fn a_value_that_was_written_and_read_is_in_memory_only_while_somebody_holds_it() {
    for len in [16, 300, 200_000] {
        let place = Place::new();
        let canary = Canary::new(len);
        let item = || NewItem {
            id: id("a"),
            value: SecretBytes::with(len, |bytes| canary.write_to(bytes)),
            metadata: BTreeMap::new(),
        };
        let writer = place.open();
        writer.set_many(vec![item()], false).unwrap();
        assert_eq!(canary.count_in_memory(), 1, "{len} bytes, kept by the store that wrote it");
        drop(writer);
        assert_eq!(canary.count_in_memory(), 0, "{len} bytes, written");

        let reader = place.open();
        let read = reader.get(&id("a")).unwrap();
        assert_eq!(canary.count_in_memory(), 2, "{len} bytes, kept by the store and given out");
        drop((read, reader));
        assert_eq!(canary.count_in_memory(), 0, "{len} bytes, read");
    }
}
