//! Base64 and hexadecimal digits.

use super::{Forms, MAX_FULL_BYTES};
use crate::mask::wiped::Wiped;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The lengths of lines: of PEM and `openssl base64`, and of MIME and `base64`.
const WIDTHS: [usize; 2] = [64, 76];
/// The length of lines of hexadecimal digits: of `xxd -p`.
const HEX_WIDTH: usize = 60;
/// Values up to this length are looked for in lines that begin anywhere: it takes a form for each place of a line's end.
const MAX_WRAPPED_BYTES: usize = 64;

/// Both alphabets, wherever the value begins in what is encoded: at each of three offsets, only the digits that depend on
/// nothing but the value, then with those that its end gives. In lines where it begins with what is encoded; `placed`: a
/// short one where it begins anywhere, too.
pub(super) fn base64(value: &[u8], placed: bool, forms: &mut Forms<'_>) {
    let full = value.len() <= MAX_FULL_BYTES;
    for offset in 0..if full { 3 } else { 1 } {
        for alphabet in [STANDARD, URL_SAFE].into_iter().take(if full { 2 } else { 1 }) {
            each_end(value, offset, |digits, padding| {
                forms.add(|form| encode(value, offset, alphabet, digits, padding, |_| false, form));
            });
        }
    }
    let is_short = placed && value.len() <= MAX_WRAPPED_BYTES;
    for offset in 0..if is_short { 3 } else { 1 } {
        each_end(value, offset, |digits, padding| {
            let all = digits + padding;
            // What is written in lines is padded.
            if padding == 0 && digits * 6 > (offset + value.len()) * 8 {
                return;
            }
            for width in WIDTHS {
                // The first line ends behind a whole group of four digits.
                for first in (if is_short { 4 } else { width }..=width.min(all - 1)).step_by(4) {
                    // One line's end in it is the same in lines of every length.
                    if width == WIDTHS[1] && first <= WIDTHS[0] && first + WIDTHS[0] >= all {
                        continue;
                    }
                    let ends = |at: usize| at >= first && (at - first).is_multiple_of(width);
                    forms.add(|form| encode(value, offset, STANDARD, digits, padding, ends, form));
                }
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

/// The digits of the value behind `offset` other bytes, from the first on that depends on none of those. `ends`: whether a
/// line ends before the digit of this number.
fn encode(
    value: &[u8],
    offset: usize,
    alphabet: &[u8; 64],
    digits: usize,
    padding: usize,
    ends: impl Fn(usize) -> bool,
    form: &mut Wiped,
) {
    form.room_for((digits + padding) * 2);
    let byte = |at: usize| at.checked_sub(offset).and_then(|at| value.get(at)).map_or(0, |byte| u32::from(*byte));
    let first = [0, 2, 3][offset];
    for at in first..digits + padding {
        if at > first && ends(at) {
            form.push(b'\n');
        }
        let (group, place) = (at / 4 * 3, at % 4);
        let word = byte(group) << 16 | byte(group + 1) << 8 | byte(group + 2);
        form.push(if at < digits { alphabet[(word >> (18 - 6 * place)) as usize & 63] } else { b'=' });
    }
}

/// Hexadecimal digits, lower and upper case, also in lines that begin with the value.
pub(super) fn hex(value: &[u8], forms: &mut Forms<'_>) {
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        for line in [value.len(), HEX_WIDTH / 2] {
            if line > value.len() {
                continue;
            }
            forms.add(|form| {
                form.room_for(value.len() * 3);
                for (at, byte) in value.iter().enumerate() {
                    if at > 0 && at.is_multiple_of(line) {
                        form.push(b'\n');
                    }
                    form.extend(&[digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
                }
            });
        }
    }
}
