//! The key agreement of `dh-ietf1024-sha256-aes128-cbc-pkcs7`: Diffie-Hellman in RFC 2409's second Oakley group, then
//! HKDF with SHA-256 to the 16 bytes of an AES key.
//!
//! The shared secret enters HKDF as 128 bytes, with its leading zeros. Without them (as `big.Int.Bytes` or OpenSSL's
//! `BN_bn2bin` write it) one session in 256 has a wrong key, and its values decrypt to nothing or to garbage.

use crypto_bigint::modular::constant_mod::ResidueParams;
use crypto_bigint::{Encoding, U1024, const_residue, impl_modulus};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

impl_modulus!(
    Oakley2,
    U1024,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff"
);

/// The length of every number of the group, in bytes.
pub(super) const NUMBER_BYTES: usize = 128;
/// Twice the strength of the group and far beyond it; more bits would only cost time.
const EXPONENT_BYTES: usize = 32;

/// The key that encrypts values on the bus.
pub(super) type Key = Zeroizing<[u8; 16]>;

/// Our half of a key agreement.
pub(super) struct Half {
    exponent: Zeroizing<U1024>,
}

impl Half {
    /// A fresh one.
    pub(super) fn random() -> std::io::Result<Self> {
        let mut bytes = Zeroizing::new([0; EXPONENT_BYTES]);
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
        }
        Ok(Self::from_exponent(&bytes))
    }

    fn from_exponent(bytes: &[u8; EXPONENT_BYTES]) -> Self {
        let mut wide = Zeroizing::new([0; NUMBER_BYTES]);
        wide[NUMBER_BYTES - EXPONENT_BYTES..].copy_from_slice(bytes);
        Self { exponent: Zeroizing::new(U1024::from_be_slice(&*wide)) }
    }

    /// What the service is told.
    pub(super) fn public(&self) -> [u8; NUMBER_BYTES] {
        let two = U1024::from_u8(2);
        let generator = const_residue!(two, Oakley2);
        generator.pow_bounded_exp(&self.exponent, EXPONENT_BYTES * 8).retrieve().to_be_bytes()
    }

    /// The key, from what the service told. None when that is no number of the group, or one that gives the key away.
    pub(super) fn agree(&self, theirs: &[u8]) -> Option<Key> {
        let digits = &theirs[theirs.iter().position(|&byte| byte != 0)?..];
        let mut wide = [0; NUMBER_BYTES];
        wide.get_mut(NUMBER_BYTES.checked_sub(digits.len())?..)?.copy_from_slice(digits);
        let theirs = U1024::from_be_slice(&wide);
        let last = Oakley2::MODULUS.wrapping_sub(&U1024::ONE);
        if theirs <= U1024::ONE || theirs >= last {
            return None;
        }
        let shared = const_residue!(theirs, Oakley2).pow_bounded_exp(&self.exponent, EXPONENT_BYTES * 8);
        let shared = Zeroizing::new(Zeroizing::new(shared.retrieve()).to_be_bytes());
        Some(derive(&shared))
    }
}

fn derive(shared: &[u8; NUMBER_BYTES]) -> Key {
    let mut key = Key::default();
    let expanded = Hkdf::<Sha256>::new(None, shared).expand(&[], &mut *key);
    debug_assert!(expanded.is_ok(), "16 bytes are within what HKDF can give");
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(last: u16) -> [u8; EXPONENT_BYTES] {
        let mut bytes = [0; EXPONENT_BYTES];
        bytes[EXPONENT_BYTES - 2..].copy_from_slice(&last.to_be_bytes());
        bytes
    }

    #[test]
    fn both_halves_agree_on_one_key() {
        let (ours, theirs) = (Half::random().unwrap(), Half::random().unwrap());
        assert_eq!(ours.agree(&theirs.public()), theirs.agree(&ours.public()));
        assert!(ours.agree(&theirs.public()).is_some());
    }

    /// Computed with Python's integers and `hmac`: 2^(x·y) mod p for these two begins with a zero byte.
    #[test]
    fn a_shared_secret_with_a_leading_zero_keeps_it() {
        let (ours, theirs) = (Half::from_exponent(&number(VECTOR_OURS)), Half::from_exponent(&number(VECTOR_THEIRS)));
        assert_eq!(**ours.agree(&theirs.public()).as_ref().unwrap(), VECTOR_PADDED);
        assert_ne!(VECTOR_PADDED, VECTOR_UNPADDED, "the vector tells padded and unpadded apart");
    }

    #[test]
    fn numbers_without_leading_zeros_are_understood() {
        let ours = Half::from_exponent(&number(VECTOR_OURS));
        let theirs = Half::from_exponent(&number(2)).public();
        let short = &theirs[theirs.iter().position(|&byte| byte != 0).unwrap()..];
        assert_eq!(short, [4]);
        assert_eq!(ours.agree(short), ours.agree(&theirs));
    }

    #[test]
    fn numbers_that_give_the_key_away_are_refused() {
        let ours = Half::random().unwrap();
        let last: [u8; NUMBER_BYTES] = Oakley2::MODULUS.wrapping_sub(&U1024::ONE).to_be_bytes();
        let modulus: [u8; NUMBER_BYTES] = Oakley2::MODULUS.to_be_bytes();
        for theirs in [&[][..], &[0; 128], &[1], &last, &modulus, &[2; 129]] {
            assert!(ours.agree(theirs).is_none(), "{theirs:?}");
        }
    }

    const VECTOR_OURS: u16 = 40001;
    const VECTOR_THEIRS: u16 = 30207;
    const VECTOR_PADDED: [u8; 16] =
        [0xdd, 0x65, 0x24, 0xb8, 0x11, 0x1e, 0x7f, 0x25, 0x19, 0xee, 0x81, 0x0a, 0x35, 0x21, 0xfa, 0xe6];
    const VECTOR_UNPADDED: [u8; 16] =
        [0x89, 0x00, 0xdd, 0x18, 0x76, 0xd8, 0xbe, 0x21, 0x77, 0xb9, 0x1e, 0x77, 0x63, 0x69, 0x0f, 0xf7];
}
