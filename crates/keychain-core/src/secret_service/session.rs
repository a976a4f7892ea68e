//! An encrypted session with the service: opened once, kept for the life of the connection.

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use cbc::{Decryptor, Encryptor};
use serde::{Deserialize, Serialize};
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Type, Value};
use zeroize::Zeroizing;

use super::bus::{Bus, SERVICE, SERVICE_INTERFACE};
use super::dh::{Half, Key};
use super::failure::{Failure, Outcome};
use crate::{Code, Error, SecretBytes};

const ALGORITHM: &str = "dh-ietf1024-sha256-aes128-cbc-pkcs7";
const BLOCK_BYTES: usize = 16;
/// As Docker's library writes it. gnome-keyring does not keep it.
const CONTENT_TYPE: &str = "application/octet-stream";

/// A value as it crosses the bus: the `Secret` of the specification.
#[derive(Serialize, Deserialize, Type)]
pub(super) struct Sealed<'a> {
    #[serde(borrow)]
    session: ObjectPath<'a>,
    /// The initialisation vector.
    parameters: &'a [u8],
    /// The ciphertext.
    value: &'a [u8],
    content_type: &'a str,
}

/// A sealed value and what it owns.
pub(super) struct Envelope {
    iv: [u8; BLOCK_BYTES],
    ciphertext: Vec<u8>,
}

/// The session: its object on the bus and the key that both sides agreed on.
pub(super) struct Session {
    pub(super) path: OwnedObjectPath,
    key: Key,
}

impl Session {
    /// Opens a session; starts the service where the bus can.
    pub(super) async fn open(bus: &Bus) -> Outcome<Self> {
        let half = Half::random().map_err(|error| no_randomness().with_source(error))?;
        let input = Value::from(half.public().to_vec());
        let reply = bus.call(SERVICE, SERVICE_INTERFACE, "OpenSession", &(ALGORITHM, input)).await?;
        let (output, path): (OwnedValue, OwnedObjectPath) = reply.body().deserialize()?;
        let theirs = Vec::<u8>::try_from(output).map_err(|_| bad_agreement())?;
        let key = half.agree(&theirs).ok_or_else(bad_agreement)?;
        Ok(Self { path, key })
    }

    /// Encrypts a value for the bus. The plaintext is not copied.
    pub(super) fn seal(&self, value: &[u8]) -> Outcome<Envelope> {
        let mut iv = [0; BLOCK_BYTES];
        rustix::rand::getrandom(&mut iv, rustix::rand::GetRandomFlags::empty())
            .map_err(|error| no_randomness().with_source(error))?;
        let mut ciphertext = vec![0; (value.len() / BLOCK_BYTES + 1) * BLOCK_BYTES];
        Encryptor::<Aes128>::new(&Array::from(*self.key), &Array::from(iv))
            .encrypt_padded_b2b::<Pkcs7>(value, &mut ciphertext)
            .map_err(|_| Error::new(Code::Internal, "a value could not be padded"))?;
        Ok(Envelope { iv, ciphertext })
    }

    /// The form in which a sealed value is sent.
    pub(super) fn sealed<'a>(&'a self, envelope: &'a Envelope) -> Sealed<'a> {
        Sealed {
            session: self.path.as_ref(),
            parameters: &envelope.iv,
            value: &envelope.ciphertext,
            content_type: CONTENT_TYPE,
        }
    }

    /// Decrypts a value from the bus, straight into memory that wipes itself. None when it is malformed: of another
    /// session, of an impossible length, or padded wrongly.
    pub(super) fn open_sealed(&self, sealed: &Sealed<'_>) -> Option<SecretBytes> {
        if sealed.session != self.path.as_ref() {
            return None;
        }
        let iv: [u8; BLOCK_BYTES] = sealed.parameters.try_into().ok()?;
        let (blocks, rest) = Array::slice_as_chunks(sealed.value);
        let (last, whole) = blocks.split_last()?;
        if !rest.is_empty() {
            return None;
        }
        // In CBC a block is decrypted with its predecessor alone: the last one first, since its padding tells the
        // length, so that the value is never in memory of another size, to be copied and wiped.
        let before_last = whole.last().copied().unwrap_or_else(|| Array::from(iv));
        let mut tail = Zeroizing::new([0; BLOCK_BYTES]);
        let mut tail_block = Array::default();
        self.decryptor(&before_last).decrypt_block_b2b(last, &mut tail_block);
        tail.copy_from_slice(&tail_block);
        zeroize::Zeroize::zeroize(&mut tail_block[..]);

        let padding = usize::from(tail[BLOCK_BYTES - 1]);
        let kept = BLOCK_BYTES.checked_sub(padding).filter(|_| padding > 0)?;
        if tail[kept..].iter().any(|&byte| usize::from(byte) != padding) {
            return None;
        }
        Some(SecretBytes::with(whole.len() * BLOCK_BYTES + kept, |value| {
            let (head, end) = value.split_at_mut(whole.len() * BLOCK_BYTES);
            let (head, _) = Array::slice_as_chunks_mut(head);
            let fits = self.decryptor(&Array::from(iv)).decrypt_blocks_b2b(whole, head);
            debug_assert!(fits.is_ok(), "as many blocks out as in");
            end.copy_from_slice(&tail[..kept]);
        }))
    }

    fn decryptor(&self, iv: &aes::Block) -> Decryptor<Aes128> {
        Decryptor::new(&Array::from(*self.key), iv)
    }
}

fn no_randomness() -> Error {
    Error::new(Code::Internal, "the system gave no random bytes")
}

fn bad_agreement() -> Failure {
    Error::new(Code::StoreFailure, "the Secret Service answered the key agreement with no usable number").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(key: u8) -> Session {
        let path = OwnedObjectPath::try_from("/org/freedesktop/secrets/session/s1").unwrap();
        Session { path, key: Key::new([key; 16]) }
    }

    #[test]
    fn values_of_every_length_come_back() {
        let session = session(7);
        for len in (0..70).chain([4095, 4096, 65_537]) {
            let value: Vec<u8> = (0..len).map(|at| (at * 31 % 251) as u8).collect();
            let envelope = session.seal(&value).unwrap();
            let opened = session.open_sealed(&session.sealed(&envelope)).unwrap();
            assert_eq!(opened.as_bytes(), value, "{len} bytes");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let session = session(7);
        let (one, two) = (session.seal(b"value").unwrap(), session.seal(b"value").unwrap());
        assert_ne!(one.ciphertext, two.ciphertext);
    }

    /// AES-128-CBC of NIST SP 800-38A F.2.1, first block, followed by a block of padding (computed with OpenSSL).
    #[test]
    fn a_known_ciphertext_is_opened() {
        let key = hex("2b7e151628aed2a6abf7158809cf4f3c");
        let session = Session { key: Key::new(key.try_into().unwrap()), ..session(0) };
        let ciphertext = hex("7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c");
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let sealed =
            Sealed { session: session.path.as_ref(), parameters: &iv, value: &ciphertext, content_type: "text/plain" };
        assert_eq!(session.open_sealed(&sealed).unwrap().as_bytes(), hex("6bc1bee22e409f96e93d7e117393172a"));
    }

    #[test]
    fn malformed_secrets_are_refused() {
        let session = session(7);
        let envelope = session.seal(b"sixteen bytes, and more").unwrap();
        let sealed = || session.sealed(&envelope);
        let other = OwnedObjectPath::try_from("/org/freedesktop/secrets/session/s2").unwrap();
        let refused = [
            ("of another session", Sealed { session: other.as_ref(), ..sealed() }),
            ("without a vector", Sealed { parameters: &[], ..sealed() }),
            ("with a long vector", Sealed { parameters: &[0; 17], ..sealed() }),
            ("empty", Sealed { value: &[], ..sealed() }),
            ("cut inside a block", Sealed { value: &envelope.ciphertext[..31], ..sealed() }),
            ("cut after a block", Sealed { value: &envelope.ciphertext[..16], ..sealed() }),
        ];
        for (what, sealed) in refused {
            assert!(session.open_sealed(&sealed).is_none(), "{what}");
        }
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }
}
