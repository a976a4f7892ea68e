//! Strings of JSON, without their quotes, as the encoders of different languages write them.

use super::Forms;
use crate::mask::wiped::Wiped;

/// How an encoder differs from the shortest form.
#[derive(Clone, Copy)]
struct Style {
    /// Signs that are written as `\u00XX`, besides control characters.
    escaped: &'static [u8],
    /// Whether `/` is written as `\/`.
    solidus: bool,
    /// Whether `\b` and `\f` are used.
    short: bool,
    /// Whether U+2028 and U+2029 are escaped.
    separators: bool,
    /// Whether everything beyond ASCII is escaped.
    ascii: bool,
    /// Whether digits are in upper case.
    upper: bool,
}

/// `JSON.stringify`, and most others.
const PLAIN: Style = Style { escaped: b"", solidus: false, short: true, separators: false, ascii: false, upper: false };

const STYLES: [Style; 12] = [
    PLAIN,
    // jq
    Style { escaped: b"\x7f", ..PLAIN },
    Style { escaped: b"\x7f", ascii: true, ..PLAIN },
    // Python
    Style { ascii: true, ..PLAIN },
    Style { ascii: true, upper: true, ..PLAIN },
    // Go, up to 1.21 and since, with and without SetEscapeHTML
    Style { escaped: b"<>&", short: false, separators: true, ..PLAIN },
    Style { escaped: b"<>&", separators: true, ..PLAIN },
    Style { short: false, separators: true, ..PLAIN },
    // PHP, and with JSON_UNESCAPED_UNICODE
    Style { solidus: true, ascii: true, ..PLAIN },
    Style { solidus: true, separators: true, ..PLAIN },
    Style { solidus: true, ..PLAIN },
    // .NET
    Style { escaped: b"\"&'+<>`\x7f", ascii: true, upper: true, ..PLAIN },
];

/// Every style, or only the first.
pub(super) fn all(text: &str, full: bool, forms: &mut Forms<'_>) {
    for style in STYLES.iter().take(if full { STYLES.len() } else { 1 }) {
        forms.add(|form| write(text, *style, form));
    }
}

fn write(text: &str, style: Style, form: &mut Wiped) {
    for letter in text.chars() {
        match letter {
            _ if letter.is_ascii() && style.escaped.contains(&(letter as u8)) => escape(letter as u16, style, form),
            '"' => form.extend(b"\\\""),
            '\\' => form.extend(b"\\\\"),
            '/' if style.solidus => form.extend(b"\\/"),
            '\n' => form.extend(b"\\n"),
            '\r' => form.extend(b"\\r"),
            '\t' => form.extend(b"\\t"),
            '\u{8}' if style.short => form.extend(b"\\b"),
            '\u{c}' if style.short => form.extend(b"\\f"),
            '\0'..='\x1f' => escape(letter as u16, style, form),
            '\u{2028}' | '\u{2029}' if style.separators => escape(letter as u16, style, form),
            _ if style.ascii && !letter.is_ascii() => {
                letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| escape(*unit, style, form));
            }
            _ => form.extend(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn escape(unit: u16, style: Style, form: &mut Wiped) {
    let digits = if style.upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    form.extend(b"\\u");
    for shift in [12, 8, 4, 0] {
        form.push(digits[usize::from(unit >> shift) & 15]);
    }
}
