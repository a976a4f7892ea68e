//! Where values live: what the system grants to their pages, and that nothing stays behind.
#![cfg(target_os = "linux")]

#[path = "support/memory_scan.rs"]
mod memory_scan;

use keychain_core::{MAX_VALUE_BYTES, SecretBytes, memory_protection};
use memory_scan::Canary;

/// The flags of the mapping that holds this value, as in `/proc/self/smaps`.
fn flags_of(value: &SecretBytes) -> String {
    let address = value.as_bytes().as_ptr() as u64;
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in smaps.lines() {
        let range = line.split(' ').next().unwrap().split_once('-');
        if let Some((Ok(start), Ok(end))) =
            range.map(|(start, end)| (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16)))
        {
            inside = (start..end).contains(&address);
        } else if inside && let Some(flags) = line.strip_prefix("VmFlags:") {
            return flags.trim().to_owned();
        }
    }
    panic!("the value is in no mapping");
}

#[test]
fn a_value_is_in_memory_once_and_gone_after_drop() {
    for len in [16, 100, 4096, 4097, 1 << 20] {
        let canary = Canary::new(len);
        let value = SecretBytes::with(len, |bytes| canary.write_to(bytes));
        assert_eq!(canary.count_in_memory(), 1, "{len} bytes, alive");
        drop(value);
        assert_eq!(canary.count_in_memory(), 0, "{len} bytes, dropped");
    }
}

#[test]
fn a_value_is_gone_after_a_panic_while_it_was_filled() {
    let canary = Canary::new(64);
    let filled = std::panic::catch_unwind(|| {
        SecretBytes::with(64, |bytes| {
            canary.write_to(bytes);
            panic!("on purpose");
        })
    });
    assert!(filled.is_err());
    assert_eq!(canary.count_in_memory(), 0);
}

#[test]
fn pages_of_values_are_excluded_from_core_dumps_and_locked_where_granted() {
    let protection = memory_protection();
    assert!(protection.excluded_from_core);
    for len in [1, 4096, 5000, 1 << 20] {
        let value = SecretBytes::with(len, |_| ());
        let flags = flags_of(&value);
        assert!(flags.split(' ').any(|flag| flag == "dd"), "{len} bytes: {flags}");
        if protection.locked && len <= 4096 {
            assert!(flags.split(' ').any(|flag| flag == "lo"), "{len} bytes: {flags}");
        }
    }
}

#[test]
fn memory_is_zeroed_when_it_is_given_out() {
    for len in [1, 33, 4096, 4097, MAX_VALUE_BYTES] {
        drop(SecretBytes::with(len, |bytes| bytes.fill(0xff)));
        SecretBytes::with(len, |bytes| assert!(bytes.iter().all(|byte| *byte == 0), "{len} bytes"));
    }
}

#[test]
fn values_of_all_lengths_used_by_many_threads_never_overlap() {
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                let mut alive = Vec::new();
                for round in 0..2_000_usize {
                    let len = (round * 37 + usize::from(thread)) % 6_000;
                    let mark = thread.wrapping_mul(61).wrapping_add(round as u8);
                    alive.push((mark, SecretBytes::with(len, |bytes| bytes.fill(mark))));
                    if alive.len() > 50 {
                        let (mark, value) = alive.swap_remove(round % 50);
                        assert!(value.as_bytes().iter().all(|byte| *byte == mark));
                    }
                }
                for (mark, value) in alive {
                    assert!(value.as_bytes().iter().all(|byte| *byte == mark));
                }
            });
        }
    });
}

#[test]
fn the_empty_value_is_a_value() {
    let value = SecretBytes::copy_from(b"");
    assert_eq!(value.as_bytes(), b"");
    assert!(value.equals(b"") && !value.equals(b"x"));
    assert_eq!(format!("{value:?}"), "[redacted]");
}
