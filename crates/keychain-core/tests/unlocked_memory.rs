//! Values where the system lets nothing be locked. In a process of its own, which gives up the right.
#![cfg(target_os = "linux")]

use keychain_core::{SecretBytes, memory_protection};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

#[test]
fn values_work_without_locked_memory_and_the_report_says_so() {
    setrlimit(Resource::Memlock, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    set_capabilities(None, sets).unwrap();

    let values = [10, 10_000].map(|len| SecretBytes::with(len, |bytes| bytes.fill(b'x')));
    assert!(values.iter().all(|value| value.as_bytes().iter().all(|byte| *byte == b'x')));
    let protection = memory_protection();
    assert!(!protection.locked);
    assert!(protection.excluded_from_core);
    assert!(protection.unlocked_bytes >= 10_010);
    assert_eq!(protection.lock_limit_bytes, Some(0));
}
