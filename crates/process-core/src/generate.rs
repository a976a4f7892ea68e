//! Random values.

use keychain_core::{Code, Error, MAX_VALUE_BYTES, Result, SecretBytes};

/// Makes a value of `length` characters, each drawn from the alphabet with the same probability by the system's
/// random number generator.
///
/// An alphabet has at least two characters, none of them twice, and a value at least one → else `InvalidOption`;
/// longer than 16 MiB → `ValueTooLarge`.
pub fn generate(length: usize, alphabet: &str) -> Result<SecretBytes> {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut sorted = letters.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if letters.len() < 2 || sorted.len() != letters.len() {
        let message = "an alphabet needs at least two characters, each of them once";
        return Err(Error::new(Code::InvalidOption, message).with_detail("option", "alphabet"));
    }
    if length == 0 {
        return Err(Error::new(Code::InvalidOption, "the length must be at least 1").with_detail("option", "length"));
    }
    let longest = letters.iter().map(|letter| letter.len_utf8()).max().unwrap_or(1);
    let Some(capacity) = length.checked_mul(longest).filter(|bytes| *bytes <= MAX_VALUE_BYTES) else {
        return Err(Error::new(Code::ValueTooLarge, format!("a value has at most {MAX_VALUE_BYTES} bytes"))
            .with_detail("limit", MAX_VALUE_BYTES));
    };
    let mut random = Random::new();
    let mut failure = None;
    let mut used = 0;
    let value = SecretBytes::with(capacity, |bytes| {
        for _ in 0..length {
            match random.below(letters.len() as u32) {
                Ok(index) => used += letters[index as usize].encode_utf8(&mut bytes[used..]).len(),
                Err(error) => return failure = Some(error),
            }
        }
    });
    match failure {
        Some(error) => Err(Error::new(Code::Internal, "the system gives no random bytes").with_detail("reason", error)),
        None => Ok(SecretBytes::copy_from(&value.as_bytes()[..used])),
    }
}

/// Random words, fetched many at a time and wiped at the end.
struct Random {
    pool: SecretBytes,
    used: usize,
}

impl Random {
    const POOL_BYTES: usize = 1024;

    fn new() -> Self {
        Self { pool: SecretBytes::with(Self::POOL_BYTES, |_| ()), used: Self::POOL_BYTES }
    }

    fn word(&mut self) -> Result<u32, getrandom::Error> {
        if self.used == Self::POOL_BYTES {
            getrandom::fill(self.pool.as_bytes_mut())?;
            self.used = 0;
        }
        let word = self.pool.as_bytes()[self.used..][..4].try_into().map(u32::from_ne_bytes);
        self.used += 4;
        Ok(word.unwrap_or_default())
    }

    /// A number below `bound`, without bias: words beyond the last whole multiple of it are drawn again.
    fn below(&mut self, bound: u32) -> Result<u32, getrandom::Error> {
        let excess = (u32::MAX % bound + 1) % bound;
        loop {
            let word = self.word()?;
            if word <= u32::MAX - excess {
                return Ok(word % bound);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize, alphabet: &str) -> String {
        String::from_utf8(generate(length, alphabet).unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_value_has_the_length_asked_for_and_only_letters_of_the_alphabet() {
        let value = text(5000, "aäö𝄞");
        assert_eq!(value.chars().count(), 5000);
        assert!(value.chars().all(|letter| "aäö𝄞".contains(letter)));
    }

    #[test]
    fn every_letter_is_as_likely_as_any_other() {
        // A modulus over a byte would make the first letters of 200 twice as likely as the last.
        let letters: String = (0..200).map(|index| char::from_u32(0x100 + index).unwrap()).collect();
        let value = text(200_000, &letters);
        let low = value.chars().filter(|letter| (*letter as u32) < 0x100 + 56).count();
        // 56,000 are expected; ten standard deviations are 2,008.
        assert!((53_992..58_008).contains(&low), "{low}");
    }

    #[test]
    fn two_values_differ() {
        assert_ne!(text(32, "ab"), text(32, "ab").chars().rev().collect::<String>() + "x");
        assert_ne!(text(64, "0123456789abcdef"), text(64, "0123456789abcdef"));
    }

    #[test]
    fn a_bad_alphabet_or_length_is_refused() {
        for (length, alphabet, code) in [
            (8, "", Code::InvalidOption),
            (8, "a", Code::InvalidOption),
            (8, "aba", Code::InvalidOption),
            (0, "ab", Code::InvalidOption),
            (MAX_VALUE_BYTES + 1, "ab", Code::ValueTooLarge),
            (usize::MAX, "äö", Code::ValueTooLarge),
        ] {
            assert_eq!(generate(length, alphabet).unwrap_err().code(), code);
        }
    }
}
