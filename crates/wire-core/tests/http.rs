//! Answers as HTTP/1.1 allows them, in pieces of any size, and what is none.

use keychain_core::Code;
use wire_core::{MAX_BODY_BYTES, MAX_HEAD_BYTES, Output, ResponseReader, request};

/// Reads an answer that comes in pieces of this size; `end`: the connection ends after it.
fn read(bytes: &[u8], piece: usize, end: bool) -> Result<Option<(u16, Vec<u8>)>, Code> {
    let mut reader = ResponseReader::new();
    let mut whole = false;
    for piece in bytes.chunks(piece) {
        whole = reader.feed(piece).map_err(|error| error.code())?;
    }
    if !whole && !end {
        return Ok(None);
    }
    Ok(reader.end().map(|response| (response.status, response.body.as_bytes().to_vec())))
}

macro_rules! read_as {
    ($($name:ident: $status:expr, $body:expr, $text:expr;)*) => {
        $(#[test] fn $name() {
            let text = $text;
            let text: &[u8] = &text[..];
            for piece in [1, 2, 3, 7, text.len()] {
                assert_eq!(read(text, piece, false), Ok(Some(($status, $body.to_vec()))), "in pieces of {piece}");
            }
            for end in 1..text.len() {
                assert_eq!(read(&text[..end], text.len(), true), Ok(None), "cut at {end}");
            }
        })*
    };
}

read_as! {
    a_body_of_a_length: 200, b"hello", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    no_body: 404, b"", b"HTTP/1.1 404\r\ncontent-length:0\r\n\r\n";
    no_content: 204, b"", b"HTTP/1.1 204 No Content\r\nX: a:b\r\n\r\n";
    an_answer_after_another: 200, b"a", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    the_same_length_twice: 200, b"a", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na";
    an_older_version: 200, b"a", b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na";
    chunks: 200, b"hello world", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n006;x=y\r\n world\r\n0\r\n\r\n";
    no_chunks: 200, b"", b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n";
    trailers: 500, b"a", b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n";
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let text = b"HTTP/1.1 200 OK\r\n\r\nhello";
    assert_eq!(read(text, 3, false), Ok(None));
    assert_eq!(read(text, 3, true), Ok(Some((200, b"hello".to_vec()))));
}

macro_rules! refused {
    ($($name:ident: $code:ident, $text:expr;)*) => {
        $(#[test] fn $name() {
            let text = $text;
            let text: &[u8] = &text[..];
            for piece in [1, 5, text.len()] {
                assert_eq!(read(text, piece, true), Err(Code::$code));
            }
        })*
    };
}

refused! {
    no_http: Corrupt, b"hello\r\n\r\n";
    http_of_another_kind: Corrupt, b"HTTP/2 200\r\n\r\n";
    a_status_that_is_none: Corrupt, b"HTTP/1.1 20 OK\r\n\r\n";
    a_status_that_is_too_long: Corrupt, b"HTTP/1.1 2000 OK\r\n\r\n";
    leaving_http: Corrupt, b"HTTP/1.1 101 Switching\r\n\r\n";
    a_line_without_a_name: Corrupt, b"HTTP/1.1 200 OK\r\nhello\r\n\r\n";
    a_head_that_is_not_utf8: Corrupt, b"HTTP/1.1 200 OK\r\nA: \xff\r\n\r\n";
    two_lengths: Corrupt, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na";
    a_length_with_a_sign: Corrupt, b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na";
    a_length_that_is_empty: Corrupt, b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\na";
    a_length_beyond_numbers: Corrupt, b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\na";
    a_length_beyond_the_limit: LimitExceeded, format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\na", MAX_BODY_BYTES + 1).into_bytes();
    a_length_and_chunks: Corrupt, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    another_transfer_encoding: Corrupt, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    a_compressed_body: Corrupt, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\na";
    a_chunk_without_a_length: Corrupt, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n";
    a_chunk_with_a_sign: Corrupt, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n";
    a_chunk_that_is_longer_than_it_says: Corrupt, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n";
    a_chunk_beyond_numbers: Corrupt, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n";
    a_head_that_is_too_long: LimitExceeded, [b"HTTP/1.1 200 OK\r\nA: ", &[b'a'; MAX_HEAD_BYTES][..]].concat();
    a_head_that_never_ends: LimitExceeded, b"HTTP/1.1 200 OK\r\n".iter().chain(b"A: b\r\n".repeat(20_000).iter()).copied().collect::<Vec<_>>();
    trailers_that_never_end: LimitExceeded, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n".to_vec(), b"A: b\r\n".repeat(20_000)].concat();
}

#[test]
fn a_head_of_the_longest_length_is_read() {
    let end = b"\r\nContent-Length: 1\r\n\r\n";
    let begin = b"HTTP/1.1 200 OK\r\nA: ";
    let fill = vec![b'a'; MAX_HEAD_BYTES - begin.len() - end.len()];
    let text = [&begin[..], &fill, end, b"x"].concat();
    assert_eq!(read(&text, 1000, false), Ok(Some((200, b"x".to_vec()))));
    assert_eq!(read(&text, text.len(), false), Ok(Some((200, b"x".to_vec()))));
}

#[test]
fn a_long_body_grows_as_it_comes() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(70_001) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    let plain = [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    for text in [chunked, plain] {
        assert_eq!(read(&text, 65_536, false), Ok(Some((200, body.clone()))));
    }
}

fn text(procedure: &str, timeout_ms: Option<u64>, message: &[u8]) -> keychain_core::Result<String> {
    let request =
        request(procedure, timeout_ms, |output: &mut Output<'_>| wire_core::splice(output, message, 0, |_, _| Ok(())))?;
    Ok(String::from_utf8(request.as_bytes().to_vec()).unwrap())
}

#[test]
fn a_request_is_a_unary_call_of_connect() {
    assert_eq!(
        text("/resolver.v1.ResolverService/GetSecrets", Some(1500), br#"{"pattern":"**"}"#).unwrap(),
        "POST /resolver.v1.ResolverService/GetSecrets HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\n\
         Connect-Protocol-Version: 1\r\nConnect-Timeout-Ms: 1500\r\nContent-Length: 16\r\n\r\n{\"pattern\":\"**\"}"
    );
    assert!(!text("/a", None, b"{}").unwrap().contains("Timeout"));
    assert!(text("/a", Some(0), b"{}").unwrap().contains("Connect-Timeout-Ms: 1\r\n"));
    assert!(text("/a", Some(u64::MAX), b"{}").unwrap().contains("Connect-Timeout-Ms: 9999999999\r\n"));
}

#[test]
fn a_procedure_cannot_smuggle_anything_in() {
    for procedure in ["", "a", "/a b", "/a\r\nX: y", "/\u{fc}", "/a?b"] {
        assert_eq!(text(procedure, None, b"{}").unwrap_err().code(), Code::InvalidOption, "{procedure:?}");
    }
}
