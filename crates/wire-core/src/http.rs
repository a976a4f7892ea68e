//! HTTP/1.1 as far as a Connect client needs it: requests as bytes, and answers from bytes in pieces of any size.

use keychain_core::{Code, Error, Result, SecretBytes};

use crate::growing::Growing;
use crate::output::Output;

/// The longest head of an answer, its trailers as well: 64 KiB.
pub const MAX_HEAD_BYTES: usize = 64 << 10;
/// The longest body of an answer: 256 MiB.
pub const MAX_BODY_BYTES: usize = 256 << 20;
/// Room for a body whose length its sender says, before it comes: a lie costs no more than this.
const TRUSTED_BYTES: u64 = 1 << 20;

/// A unary Connect request in JSON, as it is sent. `body` writes the message; it is called twice, the first time to learn
/// its length. `timeout_ms`: how long the caller waits, in milliseconds. A procedure that is none → `InvalidOption`.
pub fn request(
    procedure: &str,
    timeout_ms: Option<u64>,
    mut body: impl FnMut(&mut Output<'_>) -> Result<()>,
) -> Result<SecretBytes> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_');
    if !procedure.starts_with('/') || !procedure.bytes().all(plain) {
        return Err(Error::new(Code::InvalidOption, "the text is not the name of a procedure"));
    }
    let mut measure = Output::new(&mut []);
    body(&mut measure)?;
    let length = measure.finish();
    if length > MAX_BODY_BYTES {
        return Err(Error::new(Code::LimitExceeded, format!("a request of {length} bytes is too long"))
            .with_detail("length", length)
            .with_detail("limit", MAX_BODY_BYTES));
    }
    // Connect allows ten digits.
    let timeout = timeout_ms.map(|ms| format!("Connect-Timeout-Ms: {}\r\n", ms.clamp(1, 9_999_999_999)));
    let head = format!(
        "POST {procedure} HTTP/1.1\r\nHost: unix\r\nContent-Type: application/json\r\nConnect-Protocol-Version: 1\r\n\
         {}Content-Length: {length}\r\n\r\n",
        timeout.unwrap_or_default()
    );
    let mut written = Ok(0);
    let request = SecretBytes::with(head.len() + length, |target| {
        let (place, target) = target.split_at_mut(head.len());
        place.copy_from_slice(head.as_bytes());
        let mut output = Output::new(target);
        written = body(&mut output).map(|()| output.finish());
        if matches!(written, Ok(again) if again != length) {
            written = Err(Error::new(Code::Internal, "a message changed while it was written"));
        }
    });
    written.map(|_| request)
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body, whatever it is.
    pub body: Growing,
    /// Whether the connection can be used again.
    pub keep: bool,
}

/// Reads one answer.
pub struct ResponseReader {
    state: State,
    /// The head, or the line of a chunk, or trailers, as far as they have come.
    text: Vec<u8>,
    response: Response,
    /// Whether anything has come.
    touched: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    /// The line that says how long the next chunk is.
    ChunkHead,
    /// So many bytes of the chunk are to come.
    Chunk(u64),
    /// The end of the line after a chunk.
    ChunkEnd,
    Trailers,
    /// A body that ends with the connection.
    UntilEnd,
    Done,
}

/// What a head says about the body and the connection.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    close: bool,
}

fn malformed(what: &str) -> Error {
    Error::new(Code::Corrupt, format!("the answer cannot be understood: {what}"))
}

fn too_long(what: &str, limit: usize) -> Error {
    Error::new(Code::LimitExceeded, format!("{what} of the answer is longer than {limit} bytes"))
        .with_detail("limit", limit)
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    /// Waits for the first byte.
    pub fn new() -> Self {
        let response = Response { status: 0, body: Growing::with_capacity(0), keep: false };
        Self { state: State::Head, text: Vec::new(), response, touched: false }
    }

    /// Whether nothing has come yet.
    pub fn is_untouched(&self) -> bool {
        !self.touched
    }

    /// Takes the next bytes, and says whether the answer is whole. Bytes beyond its end are dropped, and the connection
    /// is not used again. No HTTP → `Corrupt`; over the limits → `LimitExceeded`.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<bool> {
        self.touched |= !bytes.is_empty();
        while !bytes.is_empty() && self.state != State::Done {
            self.step(&mut bytes)?;
        }
        self.response.keep &= bytes.is_empty();
        Ok(self.state == State::Done)
    }

    /// The connection has ended: the answer, if that was its end.
    pub fn end(self) -> Option<Response> {
        matches!(self.state, State::Done | State::UntilEnd).then_some(self.response)
    }

    fn step(&mut self, bytes: &mut &[u8]) -> Result<()> {
        match self.state {
            State::Head => {
                if self.take_text(bytes, b"\r\n\r\n", "the head")? {
                    self.read_head()?;
                    self.text.clear();
                }
            }
            State::Length(left) => {
                let left = self.take_body(bytes, left)?;
                self.state = if left == 0 { State::Done } else { State::Length(left) };
            }
            State::UntilEnd => {
                self.take_body(bytes, u64::MAX)?;
            }
            State::ChunkHead => {
                if self.take_text(bytes, b"\r\n", "a chunk's head")? {
                    let left = chunk_length(&self.text)?;
                    self.text.clear();
                    self.state = if left == 0 { State::Trailers } else { State::Chunk(left) };
                }
            }
            State::Chunk(left) => {
                let left = self.take_body(bytes, left)?;
                self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
            }
            State::ChunkEnd => {
                if self.take_text(bytes, b"\r\n", "a chunk's end")? {
                    if self.text != b"\r\n" {
                        return Err(malformed("a chunk is longer than it says"));
                    }
                    self.text.clear();
                    self.state = State::ChunkHead;
                }
            }
            State::Trailers => {
                // Each is a line; an empty one ends them. Together they are as long as a head.
                if self.take_text(bytes, b"\r\n", "the end")?
                    && (self.text == b"\r\n" || self.text.ends_with(b"\r\n\r\n"))
                {
                    self.text.clear();
                    self.state = State::Done;
                }
            }
            State::Done => {}
        }
        Ok(())
    }

    /// Takes text up to the end of its line, and says whether `ending` has come with it. What follows, which may be the
    /// body, is not touched: values stay out of the text, and each byte is looked at once.
    fn take_text(&mut self, bytes: &mut &[u8], ending: &[u8], what: &str) -> Result<bool> {
        let line = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        if self.text.len() + line > MAX_HEAD_BYTES {
            return Err(too_long(what, MAX_HEAD_BYTES));
        }
        self.text.extend_from_slice(&bytes[..line]);
        *bytes = &bytes[line..];
        Ok(self.text.ends_with(ending))
    }

    fn take_body(&mut self, bytes: &mut &[u8], left: u64) -> Result<u64> {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        if self.response.body.as_bytes().len() + count > MAX_BODY_BYTES {
            return Err(too_long("the body", MAX_BODY_BYTES));
        }
        self.response.body.extend(&bytes[..count]);
        *bytes = &bytes[count..];
        Ok(left - count as u64)
    }

    fn read_head(&mut self) -> Result<()> {
        let text = std::str::from_utf8(&self.text).map_err(|_| malformed("its head is not text"))?;
        let mut lines = text.split("\r\n");
        let (minor, status) = status_line(lines.next().unwrap_or_default())?;
        let mut framing = Framing { close: minor == b'0', ..Framing::default() };
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a line of its head is no header"))?;
            framing.read(name, value.trim())?;
        }
        if status < 200 {
            // One that goes before the answer itself, such as 100 Continue.
            return if status == 101 { Err(malformed("it leaves HTTP")) } else { Ok(()) };
        }
        self.response.status = status;
        self.response.keep = !framing.close;
        self.state = match framing {
            _ if matches!(status, 204 | 304) => State::Done,
            Framing { chunked: true, length: None, .. } => State::ChunkHead,
            Framing { chunked: true, .. } => return Err(malformed("it says its length in two ways")),
            Framing { length: Some(0), .. } => State::Done,
            Framing { length: Some(length), .. } => {
                if length > MAX_BODY_BYTES as u64 {
                    return Err(too_long("the body", MAX_BODY_BYTES));
                }
                self.response.body = Growing::with_capacity(length.min(TRUSTED_BYTES) as usize);
                State::Length(length)
            }
            Framing { length: None, .. } => {
                self.response.keep = false;
                State::UntilEnd
            }
        };
        Ok(())
    }
}

impl Framing {
    fn read(&mut self, name: &str, value: &str) -> Result<()> {
        if name.eq_ignore_ascii_case("content-length") {
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let length = value.parse().ok().filter(|_| digits).ok_or_else(|| malformed("its length is no number"))?;
            if self.length.replace(length).is_some_and(|before| before != length) {
                return Err(malformed("it has two lengths"));
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case("chunked") {
                return Err(malformed("it has an unknown transfer encoding"));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case("content-encoding") {
            if !value.eq_ignore_ascii_case("identity") {
                return Err(malformed("it is compressed, which was not asked for"));
            }
        } else if name.eq_ignore_ascii_case("connection") {
            self.close |= value.split(',').any(|token| token.trim().eq_ignore_ascii_case("close"));
        }
        Ok(())
    }
}

/// The minor version, as a digit, and the status.
fn status_line(line: &str) -> Result<(u8, u16)> {
    match line.as_bytes() {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            minor @ (b'0' | b'1'),
            b' ',
            s1 @ b'1'..=b'9',
            s2,
            s3,
            rest @ ..,
        ] if s2.is_ascii_digit() && s3.is_ascii_digit() && (rest.is_empty() || rest[0] == b' ') => {
            Ok((*minor, [s1, s2, s3].iter().fold(0, |status, digit| status * 10 + u16::from(**digit - b'0'))))
        }
        _ => Err(malformed("it does not begin as HTTP/1.1")),
    }
}

/// The length in a chunk's head, which may have extensions.
fn chunk_length(line: &[u8]) -> Result<u64> {
    let digits = line.split(|byte| matches!(byte, b';' | b'\r' | b' ' | b'\t')).next().unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default();
    // A sign is no digit.
    let length = u64::from_str_radix(text, 16).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit));
    length.ok_or_else(|| malformed("a chunk has no length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_body_reaches_the_text_however_small_its_chunks_are() {
        let mut reader = ResponseReader::new();
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        let head = answer.len();
        answer.extend(b"1\r\nv\r\n".repeat(1 << 20));
        answer.extend(b"0\r\n\r\n");
        for piece in answer.chunks(64 << 10) {
            reader.feed(piece).unwrap();
        }
        // What was copied for each chunk would have made it grow.
        assert!(reader.text.capacity() <= 2 * head, "{} bytes", reader.text.capacity());
        assert_eq!(reader.end().unwrap().body.as_bytes(), b"v".repeat(1 << 20));
    }
}
