//! Which values are too short, or too common, to be masked: they would be found where there is no secret.

/// Values from this length on are masked, whatever they are, but for blanks and rules.
pub(super) const LONG_BYTES: usize = 8;
/// Values below this length are never masked.
pub(super) const SHORT_BYTES: usize = 5;

/// Whether a value is too common.
///
/// From 8 bytes on: nothing but blanks, or one and the same sign (`--------`). From 5 to 7 bytes, a word or a number:
/// a word, name or path has only letters and `_ - . / :` and blanks (`admin`, `us-east`), a number, date, time, version or
/// address has no letter at all (`12345`, `1.20.3`, `10:30`). Letters are those of ASCII and every byte beyond it. So
/// what mixes letters with digits, or with other signs, is masked (`hunter2`, `p@ssw`).
pub(super) fn is_common(value: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    if value.len() >= LONG_BYTES {
        let plain = |byte: &u8| !letter(byte) && !byte.is_ascii_digit();
        return value.iter().all(u8::is_ascii_whitespace)
            || (plain(&value[0]) && value.iter().all(|byte| *byte == value[0]));
    }
    let joins = |byte: &u8| b"_-./: \t\r\n".contains(byte);
    value.iter().all(|byte| letter(byte) || joins(byte)) || !value.iter().any(letter)
}

/// Whether a line of a value is masked where it stands alone: at least 8 bytes, and not one that everybody's files have,
/// as the first and the last line of a PEM file are.
pub(super) fn is_line_masked(line: &[u8]) -> bool {
    let is_pem = (line.starts_with(b"-----BEGIN ") || line.starts_with(b"-----END ")) && line.ends_with(b"-----");
    line.len() >= LONG_BYTES && !is_pem && line.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_are_common() {
        for value in
            ["admin", "ADMIN", "us-east", "foo_bar", "a b c", "a/b.c:d", "12345", "1.20.3", "10:30", "+49-30", "grün"]
        {
            assert!(is_common(value.as_bytes()), "{value}");
        }
        for value in ["        ", " \n \n \n \n", "--------", "=========="] {
            assert!(is_common(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn mixtures_are_not() {
        for value in
            ["hunter2", "p@ssw", "s3cr3t", "a1b2c", "x=y+z", "0x1f4", "aaaaaaaa", "password", "12345678", "-=-=-=-="]
        {
            assert!(!is_common(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn lines_that_everybody_has_are_not_masked() {
        for line in ["short", "-----BEGIN PRIVATE KEY-----", "-----END CERTIFICATE-----", "----------", "}}}}}}}}]"] {
            assert!(!is_line_masked(line.as_bytes()), "{line}");
        }
        for line in ["MIIEvQIBADANBgkq", "password", "-----BEGIN x"] {
            assert!(is_line_masked(line.as_bytes()), "{line}");
        }
    }
}
