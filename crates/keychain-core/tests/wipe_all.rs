//! The wipe at a regular exit. In a process of its own, since it ends the use of values.

use keychain_core::{SecretBytes, in_use, wipe_all};

#[test]
fn all_values_are_wiped_unless_one_is_in_use() {
    let values: Vec<_> = [1, 100, 5_000].map(|len| SecretBytes::with(len, |bytes| bytes.fill(b'x'))).into();
    let all_are = |byte: u8| values.iter().all(|value| value.as_bytes().iter().all(|b| *b == byte));

    let using = in_use();
    // SAFETY: this test is the only thread that uses values.
    assert!(!unsafe { wipe_all() });
    assert!(all_are(b'x'));

    drop(using);
    // SAFETY: as above.
    assert!(unsafe { wipe_all() });
    assert!(all_are(0));
    // SAFETY: as above.
    assert!(unsafe { wipe_all() });
}
