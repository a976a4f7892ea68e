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

/// Encrypts the content to the owner of the identity and to the recipients that the content names.
pub(super) fn seal(path: &Path, content: &Content, identity: &Identity, out: impl Write) -> Result<()> {
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::FileTooLarge {
            return Error::new(Code::ValueTooLarge, "the encrypted store would be longer than 256 MiB")
                .with_detail("limit", MAX_CONTENT_BYTES);
        }
        disk::failure("write", path, error)
    };
    let mut recipients = vec![identity.recipient()?];
    for text in &content.recipients {
        recipients.push(parse_recipient(text)?);
    }
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn Recipient))
        .map_err(|error| Error::new(Code::Internal, "age cannot encrypt").with_source(error))?;
    let mut sealed = BufWriter::new(out);
    let stream = encryptor.wrap_output(&mut sealed).map_err(failed)?;
    let mut limited = Limited { inner: stream, left: MAX_CONTENT_BYTES };
    content.write_to(&mut limited).map_err(failed)?;
    limited.inner.finish().map_err(failed)?;
    sealed.flush().map_err(failed)
}

/// A recipient as age writes it, `age1…`; else `InvalidOption`.
pub(super) fn parse_recipient(text: &str) -> Result<x25519::Recipient> {
    text.parse().map_err(|_| {
        Error::new(Code::InvalidOption, format!("not a recipient of age (X25519): {text:?}"))
            .with_hint("a recipient begins with age1; `age-keygen -y` prints the one of an identity file")
    })
}

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
