//! Words of a shell, as shells and tools print them to be read again, without the quotes around them.

use super::Forms;
use crate::mask::wiped::Wiped;

/// Signs before which bash's `printf %q` puts a backslash.
const BASH: &[u8] = b" !\"$&'()*,;<>?[\\]^`{|}";
/// And zsh's, and its `${(q)}`.
const ZSH: &[u8] = b" \"#$&'()*;<>?[\\]^`{|}";

/// Every way of quoting.
pub(super) fn all(value: &[u8], forms: &mut Forms<'_>) {
    // '…': sh, bash, zsh, jq's @sh; then dash and Python's shlex
    forms.add(|form| replace(value, b"'", b"'\\''", form));
    forms.add(|form| replace(value, b"'", b"'\"'\"'", form));
    // "…": declare -p, export -p
    forms.add(|form| backslash(value, b"\"$\\`", form));
    // $'…' of bash, and of zsh, which writes ESC as \033 and ! as \!; with UTF-8, and in the C locale
    for (escape, zsh, ascii) in
        [(&b"\\E"[..], false, false), (b"\\E", false, true), (b"\\033", true, false), (b"\\033", true, true)]
    {
        forms.add(|form| {
            for byte in value {
                match byte {
                    b'!' if zsh => form.extend(b"\\!"),
                    b'\'' | b'\\' => form.extend(&[b'\\', *byte]),
                    _ => ansi_c(*byte, escape, ascii, form),
                }
            }
        });
    }
    // Words with backslashes
    forms.add(|form| {
        for (at, byte) in value.iter().enumerate() {
            let first = at == 0;
            let begins = *byte == b'~' && (first || matches!(value[at - 1], b':' | b'='));
            if BASH.contains(byte) || begins || (first && *byte == b'#') {
                form.push(b'\\');
            }
            form.push(*byte);
        }
    });
    for ascii in [false, true] {
        forms.add(|form| {
            for (at, byte) in value.iter().enumerate() {
                if is_plain(*byte, ascii) {
                    if ZSH.contains(byte) || (at == 0 && matches!(byte, b'~' | b'=')) {
                        form.push(b'\\');
                    }
                    form.push(*byte);
                } else {
                    form.extend(b"$'");
                    ansi_c(*byte, b"\\033", ascii, form);
                    form.push(b'\'');
                }
            }
        });
    }
    // GNU: '…' with $'…' in between
    for ascii in [false, true] {
        forms.add(|form| {
            let mut plain = true;
            for byte in value {
                let was = std::mem::replace(&mut plain, is_plain(*byte, ascii));
                match (was, plain) {
                    (true, false) => form.extend(b"'$'"),
                    (false, true) => form.extend(b"''"),
                    _ => {}
                }
                if *byte == b'\'' {
                    form.extend(b"'\\''");
                } else {
                    ansi_c(*byte, b"\\033", ascii, form);
                }
            }
        });
    }
}

fn replace(value: &[u8], sign: &[u8; 1], by: &[u8], form: &mut Wiped) {
    for byte in value {
        form.extend(if *byte == sign[0] { by } else { std::slice::from_ref(byte) });
    }
}

fn backslash(value: &[u8], signs: &[u8], form: &mut Wiped) {
    for byte in value {
        if signs.contains(byte) {
            form.push(b'\\');
        }
        form.push(*byte);
    }
}

/// Whether a byte is written as it is.
fn is_plain(byte: u8, ascii: bool) -> bool {
    matches!(byte, 0x20..=0x7e) || (byte >= 0x80 && !ascii)
}

fn ansi_c(byte: u8, escape: &[u8], ascii: bool, form: &mut Wiped) {
    match byte {
        0x07 => form.extend(b"\\a"),
        0x08 => form.extend(b"\\b"),
        b'\t' => form.extend(b"\\t"),
        b'\n' => form.extend(b"\\n"),
        0x0b => form.extend(b"\\v"),
        0x0c => form.extend(b"\\f"),
        b'\r' => form.extend(b"\\r"),
        0x1b => form.extend(escape),
        _ if is_plain(byte, ascii) => form.push(byte),
        _ => form.extend(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]),
    }
}
