//! What is inside the encrypted file: refused, or read and written back without a change.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| keychain_core::file::fuzzing::content(text));
