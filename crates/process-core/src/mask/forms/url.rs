//! Percent-encoding, as URLs and forms are written.

use super::Forms;

/// What is kept besides letters and digits, and whether a blank becomes `+`.
const SETS: [(&[u8], bool); 9] = [
    // encodeURIComponent
    (b"-_.!~*'()", false),
    // RFC 3986: curl, Ruby, PHP's rawurlencode
    (b"-_.~", false),
    // Python's quote
    (b"-_.~/", false),
    // Go's PathEscape
    (b"-_.~$&+=:@", false),
    // encodeURI
    (b"-_.!~*'();,/?:@&=+$#", false),
    // the user and password of a WHATWG URL
    (b"-_.!~*'(),&$+%", false),
    // the query of a WHATWG URL
    (b"-_.!~*();,/?:@&=+$%[\\]^`{|}", false),
    // application/x-www-form-urlencoded: URLSearchParams, Java
    (b"-_.*", true),
    // Go's QueryEscape, Python's quote_plus
    (b"-_.~", true),
];

/// Every set, with upper and lower case.
pub(super) fn all(value: &[u8], forms: &mut Forms<'_>) {
    if value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)) {
        return;
    }
    for (kept, plus) in SETS {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            forms.add(|form| {
                for byte in value {
                    match byte {
                        b' ' if plus => form.push(b'+'),
                        _ if byte.is_ascii_alphanumeric() || kept.contains(byte) => form.push(*byte),
                        _ => form.extend(&[b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]),
                    }
                }
            });
        }
    }
}
