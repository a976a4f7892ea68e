//! The identity file: the key that opens the store, as `age-keygen` writes it, encrypted where its owner wanted that.

use std::io::{Read, Write};
use std::path::Path;

use age::secrecy::{ExposeSecret, SecretString};
use age::x25519;
use age::{DecryptError, Decryptor, Encryptor};

use super::disk::{self, Stamp};
use crate::{Code, Error, Result, SecretBytes};

/// What a passphrase costs to try: 2^18 rounds of scrypt, about a second. The same on every machine, since the file
/// may be opened on another.
const WORK_FACTOR: u8 = 18;
/// The most that is spent on a file that somebody else made: 1 GiB of memory.
const MAX_WORK_FACTOR: u8 = 20;
/// Far more than a few keys need.
const MAX_BYTES: usize = 1 << 20;

/// The keys of an identity file, the newest first. Kept as text in wiping memory; parsed when used.
pub(super) struct Identity {
    text: SecretBytes,
}

/// An identity with what is needed to write it back.
pub(super) struct Opened {
    pub(super) identity: Identity,
    /// Which content of the file it came from.
    pub(super) stamp: Stamp,
    /// What opened it. None: it was not encrypted.
    pub(super) passphrase: Option<SecretBytes>,
}

fn corrupt(path: &Path, what: &str) -> Error {
    Error::new(Code::Corrupt, format!("the identity file {} {what}", path.display()))
        .with_detail("path", path.display())
        .with_hint("put it back from a backup: without it the store cannot be read")
}

fn secret_string(passphrase: &SecretBytes) -> Result<SecretString> {
    let text = std::str::from_utf8(passphrase.as_bytes())
        .map_err(|_| Error::new(Code::InvalidOption, "the passphrase is not valid UTF-8"))?;
    if text.is_empty() {
        return Err(Error::new(Code::InvalidOption, "the passphrase is empty"));
    }
    Ok(SecretString::from(text))
}

/// The key is encrypted, and nobody gave its passphrase.
pub(super) fn passphrase_needed(path: &Path) -> Error {
    Error::new(Code::InteractionRequired, format!("the key in {} needs a passphrase", path.display()))
        .with_detail("identity", path.display())
        .with_hint("give it with the option `passphrase`, by SE_PASSPHRASE_FILE or by SE_PASSPHRASE")
}

/// Whether the identity file at this path is encrypted. Asks nothing.
pub(super) fn is_encrypted(path: &Path) -> Result<bool> {
    let mut start = [0; ENCRYPTED_START.len()];
    match disk::open(path)?.read_exact(&mut start) {
        Ok(()) => Ok(start == ENCRYPTED_START),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(disk::failure("read", path, error)),
    }
}

const ENCRYPTED_START: [u8; 19] = *b"age-encryption.org/";

impl Identity {
    /// Makes a new key.
    pub(super) fn generate() -> Self {
        Self::of(&[&x25519::Identity::generate()])
    }

    fn of(keys: &[&x25519::Identity]) -> Self {
        let mut text = SecretBytes::with(keys.len() * 256, |_| ());
        let mut rest = text.as_bytes_mut();
        let room = rest.len();
        for key in keys {
            let (public, secret) = (key.to_public(), key.to_string());
            // A key and its comment take 164 bytes.
            writeln!(rest, "# public key: {public}\n{}", secret.expose_secret()).expect("there is room");
        }
        let len = room - rest.len();
        Self { text: SecretBytes::copy_from(&text.as_bytes()[..len]) }
    }

    /// A new key, followed by those that were there.
    pub(super) fn with_new_key(&self) -> Result<Self> {
        let keys = self.keys()?;
        let new = x25519::Identity::generate();
        Ok(Self::of(&[&new].into_iter().chain(&keys).collect::<Vec<_>>()))
    }

    /// The keys, at least one. They wipe themselves.
    pub(super) fn keys(&self) -> Result<Vec<x25519::Identity>> {
        parse(self.text.as_bytes()).map_err(|_| Error::new(Code::Internal, "an identity cannot be read a second time"))
    }

    /// The public halves of the keys, in their order.
    pub(super) fn recipients(&self) -> Result<Vec<x25519::Recipient>> {
        Ok(self.keys()?.iter().map(x25519::Identity::to_public).collect())
    }

    /// Reads an identity file, asking for the passphrase when it is encrypted.
    pub(super) fn open(path: &Path, passphrase: Option<&super::Passphrase>) -> Result<Opened> {
        let mut file = disk::open(path)?;
        let failed = |error| disk::failure("read", path, error);
        let stamp = Stamp::of(&file).map_err(failed)?;
        let len = usize::try_from(file.metadata().map_err(failed)?.len()).unwrap_or(usize::MAX);
        if len > MAX_BYTES {
            return Err(corrupt(path, "is too long for one"));
        }
        let mut text = SecretBytes::with(len, |_| ());
        file.read_exact(text.as_bytes_mut()).map_err(failed)?;
        let mut used = None;
        if text.as_bytes().starts_with(&ENCRYPTED_START) {
            let passphrase = passphrase.ok_or_else(|| passphrase_needed(path))?()?;
            text = decrypt(path, text.as_bytes(), &passphrase)?;
            used = Some(passphrase);
        }
        parse(text.as_bytes()).map_err(|what| corrupt(path, &what))?;
        Ok(Opened { identity: Self { text }, stamp, passphrase: used })
    }

    /// Replaces the identity file, encrypted when there is a passphrase. The caller holds the store's lock.
    pub(super) fn save(&self, path: &Path, passphrase: Option<&SecretBytes>) -> Result<()> {
        disk::replace(path, |file| {
            let failed = |error| disk::failure("write", path, error);
            let Some(passphrase) = passphrase else {
                return file.write_all(self.text.as_bytes()).map_err(failed);
            };
            let mut recipient = age::scrypt::Recipient::new(secret_string(passphrase)?);
            recipient.set_work_factor(WORK_FACTOR);
            let encryptor = Encryptor::with_recipients(std::iter::once(&recipient as _))
                .map_err(|error| Error::new(Code::Internal, "age cannot encrypt").with_source(error))?;
            let mut out = encryptor.wrap_output(file).map_err(failed)?;
            out.write_all(self.text.as_bytes()).map_err(failed)?;
            out.finish().map(drop).map_err(failed)
        })
        .map(drop)
    }
}

fn decrypt(path: &Path, encrypted: &[u8], passphrase: &SecretBytes) -> Result<SecretBytes> {
    let altered = || corrupt(path, "is truncated or altered");
    let decryptor = Decryptor::new_buffered(encrypted).map_err(|_| altered())?;
    if !decryptor.is_scrypt() {
        return Err(Error::new(
            Code::Unsupported,
            format!("the identity file {} is encrypted to another key, not to a passphrase", path.display()),
        )
        .with_detail("path", path.display()));
    }
    let wrong = || {
        Error::new(Code::WrongKey, format!("the passphrase does not open the identity file {}", path.display()))
            .with_detail("identity", path.display())
    };
    // One that no key can have is as wrong as another.
    let mut key = age::scrypt::Identity::new(secret_string(passphrase).map_err(|_| wrong())?);
    key.set_max_work_factor(MAX_WORK_FACTOR);
    let mut reader = decryptor.decrypt(std::iter::once(&key as _)).map_err(|error| match error {
        DecryptError::ExcessiveWork { required, .. } => Error::new(
            Code::Unsupported,
            format!("the passphrase of {} needs too much work to try (2^{required} rounds)", path.display()),
        )
        .with_detail("path", path.display()),
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed | DecryptError::NoMatchingKeys => wrong(),
        _ => altered(),
    })?;
    let mut text = SecretBytes::with(encrypted.len(), |_| ());
    let len = super::cipher::read_to_end(&mut reader, text.as_bytes_mut()).map_err(|_| altered())?;
    Ok(SecretBytes::copy_from(&text.as_bytes()[..len]))
}

/// The keys in the text of an identity file; else what is wrong with it.
pub(super) fn parse(text: &[u8]) -> Result<Vec<x25519::Identity>, String> {
    let mut keys = Vec::new();
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let key = std::str::from_utf8(line).ok().and_then(|line| line.parse().ok());
        keys.push(key.ok_or_else(|| format!("is not understood: line {} is not a key of age (X25519)", at + 1))?);
    }
    if keys.is_empty() { Err("holds no key".into()) } else { Ok(keys) }
}
