//! Answers over HTTP: read alike in pieces of any size.
#![no_main]

use wire_core::ResponseReader;

/// The status and body, or None where the answer is not whole; `Err`: it is none.
fn read(bytes: &[u8], piece: usize) -> Result<Option<(u16, Vec<u8>)>, &'static str> {
    let mut reader = ResponseReader::new();
    for piece in bytes.chunks(piece) {
        if reader.feed(piece).map_err(|error| error.code().as_str())? {
            break;
        }
    }
    Ok(reader.end().map(|response| (response.status, response.body.as_bytes().to_vec())))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = read(bytes, bytes.len().max(1));
    for piece in [1, 2, 13] {
        assert_eq!(read(bytes, piece), whole);
    }
});
