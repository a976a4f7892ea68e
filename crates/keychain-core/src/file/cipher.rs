//! The store as age: sealed to recipients, opened with an identity.

use std::io::{BufWriter, Read, Write};
use std::path::Path;

use age::x25519;
use age::{DecryptError, Decryptor, Encryptor, Recipient};

use super::content::{Content, Fault};
use super::disk;
use super::identity::Identity;
use crate::{Code, Error, Result, SecretBytes};

/// The longest content, in bytes: 256 MiB.
pub(super) const MAX_CONTENT_BYTES: u64 = 256 << 20;

fn corrupt(path: &Path, what: &str) -> Error {
    Error::new(Code::Corrupt, format!("the encrypted store {} {what}", path.display()))
        .with_detail("path", path.display())
        .with_hint("put it back from a backup")
}

/// Counts what is written, and refuses more than a store may hold.
struct Limited<W> {
    inner: W,
    left: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
        self.inner.write_all(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// Encrypts the content to the recipients that it names.
pub(super) fn seal(path: &Path, content: &Content, out: impl Write) -> Result<()> {
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::FileTooLarge {
            return Error::new(Code::ValueTooLarge, "the encrypted store would be longer than 256 MiB")
                .with_detail("limit", MAX_CONTENT_BYTES);
        }
        disk::failure("write", path, error)
    };
    let encryptor = Encryptor::with_recipients(content.recipients.iter().map(|recipient| recipient as &dyn Recipient))
        .map_err(|error| Error::new(Code::Internal, "age cannot encrypt").with_source(error))?;
    let mut sealed = BufWriter::new(out);
    let stream = encryptor.wrap_output(&mut sealed).map_err(failed)?;
    let mut limited = Limited { inner: stream, left: MAX_CONTENT_BYTES };
    content.write_to(&mut limited).map_err(failed)?;
    limited.inner.finish().map_err(failed)?;
    sealed.flush().map_err(failed)
}

/// A recipient as age writes it, `age1…`; else `InvalidOption`. The text is not quoted: it may be a private key.
pub(super) fn parse_recipient(text: &str) -> Result<x25519::Recipient> {
    text.parse().map_err(|_| {
        let private = text.trim_start().get(..PRIVATE_KEY.len()).is_some_and(|start| start.eq_ignore_ascii_case(PRIVATE_KEY));
        if private {
            return Error::new(Code::InvalidOption, "this is a private key, not a recipient").with_hint(
                "the recipient that belongs to it begins with age1 (`age-keygen -y FILE` prints it); if the key was given \
                 on a command line, other programs could see it there: make a new one",
            );
        }
        Error::new(Code::InvalidOption, "the text is not a recipient of age (X25519)")
            .with_hint("a recipient begins with age1; `age-keygen -y FILE` prints the one of an identity file")
    })
}

/// How age begins a private key.
const PRIVATE_KEY: &str = "AGE-SECRET-KEY-";

/// Decrypts a content. `WrongKey` when no key of the identity opens it, `Corrupt` when it is not what was written.
pub(super) fn open(path: &Path, sealed: &[u8], identity: &Identity) -> Result<Content> {
    let altered = || corrupt(path, "is truncated or altered");
    let decryptor = Decryptor::new_buffered(sealed).map_err(|_| altered())?;
    let keys = identity.keys()?;
    let mut reader =
        decryptor.decrypt(keys.iter().map(|key| key as &dyn age::Identity)).map_err(|error| match error {
            DecryptError::NoMatchingKeys => {
                Error::new(Code::WrongKey, format!("the identity does not open the encrypted store {}", path.display()))
                    .with_detail("path", path.display())
                    .with_hint("the store was written to another key, or its beginning was altered")
            }
            _ => altered(),
        })?;
    // Encrypting only adds bytes: the content is shorter than this.
    let mut text = SecretBytes::with(sealed.len(), |_| ());
    let len = read_to_end(&mut reader, text.as_bytes_mut()).map_err(|_| altered())?;
    Content::parse(&text.as_bytes()[..len]).map_err(|fault| match fault {
        Fault::Line(line) => corrupt(path, "holds something that this program did not write").with_detail("line", line),
        Fault::Version(version) => Error::new(
            Code::Unsupported,
            format!("the encrypted store {} was written by a later version of se-native", path.display()),
        )
        .with_detail("path", path.display())
        .with_detail("version", version)
        .with_hint("update se-native"),
    })
}

/// Reads everything, which fits, and answers with its length.
pub(super) fn read_to_end(reader: &mut impl Read, target: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    loop {
        match reader.read(&mut target[len..]) {
            Ok(0) => return Ok(len),
            Ok(count) => len += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
