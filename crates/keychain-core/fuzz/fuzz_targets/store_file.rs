//! The encrypted file and the identity file as bytes that anybody may have written: refused without a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    keychain_core::file::fuzzing::sealed(bytes);
    keychain_core::file::fuzzing::identity(bytes);
});
