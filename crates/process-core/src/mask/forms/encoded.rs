//! Base64 and hexadecimal digits.

use super::{Forms, MAX_FULL_BYTES};
use crate::mask::wiped::Wiped;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The lengths of lines: of MIME and `base64`, and of PEM and `openssl base64`.
const WIDTHS: [usize; 2] = [76, 64];

/// Both alphabets, wherever the value begins in what is encoded: at each of three offsets, only the digits that depend on
/// nothing but the value, then with those that its end gives. In lines where it begins with what is encoded.
pub(super) fn base64(value: &[u8], forms: &mut Forms<'_>) {
    let full = value.len() <= MAX_FULL_BYTES;
    for offset in 0..if full { 3 } else { 1 } {
        for alphabet in [STANDARD, URL_SAFE].into_iter().take(if full { 2 } else { 1 }) {
            each_end(value, offset, |digits, padding| {
                forms.add(|form| encode(value, offset, alphabet, digits, padding, usize::MAX, form));
            });
        }
    }
    for width in WIDTHS {
        each_end(value, 0, |digits, padding| {
            if digits > width {
                forms.add(|form| encode(value, 0, STANDARD, digits, padding, width, form));
            }
        });
    }
}

/// The digits that only the value gives; with the one that its end completes; with padding.
fn each_end(value: &[u8], offset: usize, mut see: impl FnMut(usize, usize)) {
    let bits = (offset + value.len()) * 8;
    see(bits / 6, 0);
    if !bits.is_multiple_of(6) {
        see(bits / 6 + 1, 0);
        see(bits / 6 + 1, 3 - (offset + value.len()) % 3);
    }
}

/// The digits of the value behind `offset` other bytes, from the first on that depends on none of those.
fn encode(
    value: &[u8],
    offset: usize,
    alphabet: &[u8; 64],
    digits: usize,
    padding: usize,
    width: usize,
    form: &mut Wiped,
) {
    form.room_for(digits + padding + digits / width);
    let byte = |at: usize| at.checked_sub(offset).and_then(|at| value.get(at)).map_or(0, |byte| u32::from(*byte));
    let first = [0, 2, 3][offset];
    for at in first..digits {
        if at > 0 && at % width == 0 {
            form.push(b'\n');
        }
        let (group, place) = (at / 4 * 3, at % 4);
        let word = byte(group) << 16 | byte(group + 1) << 8 | byte(group + 2);
        form.push(alphabet[(word >> (18 - 6 * place)) as usize & 63]);
    }
    for at in digits..digits + padding {
        if at % width == 0 {
            form.push(b'\n');
        }
        form.push(b'=');
    }
}

/// Hexadecimal digits, lower and upper case.
pub(super) fn hex(value: &[u8], forms: &mut Forms<'_>) {
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        forms.add(|form| {
            form.room_for(value.len() * 2);
            for byte in value {
                form.extend(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
            }
        });
    }
}
