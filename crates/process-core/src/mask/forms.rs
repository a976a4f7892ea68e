//! The forms in which programs write a value.

mod encoded;
mod json;
mod shell;
mod url;

use super::commonness::{LONG_BYTES, SHORT_BYTES, is_line_masked};
use super::wiped::Wiped;

/// Values up to this length are looked for in every form, longer ones only as they are, in JSON and in base64.
pub(super) const MAX_FULL_BYTES: usize = 64 << 10;
/// Values up to this length are looked for over the right edge of the screen: it takes a form for each place in them.
const MAX_EDGE_BYTES: usize = 64;
/// What `less` writes at the edge, so that the cursor goes to the next line.
const EDGE: &[u8] = b" \x08";
/// Longer forms are looked for in pieces of this length, so that no more than that is ever held back.
const PIECE_BYTES: usize = 64 << 10;

/// Shows each form of a value. Some come twice. `placed`: also those that are one for each place where a line may end.
pub(super) fn each_form(value: &[u8], placed: bool, see: &mut dyn FnMut(&[u8])) {
    let mut forms = Forms { see, form: Wiped::with_capacity(value.len() * 2), line_ends: Wiped::with_capacity(64) };
    // A command substitution takes line ends off, and editors add one.
    let trimmed = value.strip_suffix(b"\n").map(|rest| rest.strip_suffix(b"\r").unwrap_or(rest));
    for value in [Some(value), trimmed].into_iter().flatten() {
        forms.add(|form| form.extend(value));
        encoded::base64(value, placed, &mut forms);
        if value.len() <= MAX_FULL_BYTES {
            encoded::hex(value, &mut forms);
            shell::all(value, &mut forms);
            url::all(value, &mut forms);
        }
        if let Ok(text) = std::str::from_utf8(value) {
            json::all(text, value.len() <= MAX_FULL_BYTES, &mut forms);
        }
    }
    each_line(value, &mut |line| forms.add(|form| form.extend(line)));
    if placed {
        over_edge(trimmed.unwrap_or(value), &mut forms);
    }
}

/// A short value that a pager writes over the right edge of the screen: the edge is behind any of its letters.
fn over_edge(value: &[u8], forms: &mut Forms<'_>) {
    let is_inside = |byte: &u8| byte & 0xc0 == 0x80;
    for edge in (1..value.len()).filter(|at| value.len() <= MAX_EDGE_BYTES && !is_inside(&value[*at])) {
        forms.add(|form| {
            form.extend(&value[..edge]);
            form.extend(EDGE);
            form.extend(&value[edge..]);
        });
    }
}

/// The lines of a value that has several. In a value of one line, such as JSON, line ends may be written as `\n`.
fn each_line(value: &[u8], see: &mut dyn FnMut(&[u8])) {
    for line in value.split(|byte| *byte == b'\n') {
        let mut rest = line;
        loop {
            let end = rest.windows(2).position(|two| two == b"\\n");
            let part = rest[..end.unwrap_or(rest.len())].trim_ascii();
            if part.len() < value.len() && is_line_masked(part) {
                see(part);
            }
            match end {
                Some(end) => rest = &rest[end + 2..],
                None => break,
            }
        }
    }
}

/// Writes forms into one buffer, one after the other.
struct Forms<'a> {
    see: &'a mut dyn FnMut(&[u8]),
    form: Wiped,
    line_ends: Wiped,
}

impl Forms<'_> {
    /// Adds the form that is written, and the same as a terminal shows it: with `\r\n` for each `\n`.
    fn add(&mut self, write: impl FnOnce(&mut Wiped)) {
        self.form.clear();
        write(&mut self.form);
        let form = self.form.as_slice();
        pieces(form, self.see);
        if form.contains(&b'\n') {
            self.line_ends.clear();
            self.line_ends.room_for(form.len() + form.len() / 8);
            for byte in form {
                self.line_ends.extend(if *byte == b'\n' { b"\r\n" } else { std::slice::from_ref(byte) });
            }
            pieces(self.line_ends.as_slice(), self.see);
        }
    }
}

/// Shows a form, in pieces where it is long. They overlap, so that those of one value are masked as one.
fn pieces(form: &[u8], see: &mut dyn FnMut(&[u8])) {
    if form.len() < SHORT_BYTES {
        return;
    }
    let (mut start, mut end) = (0, form.len().min(PIECE_BYTES));
    see(&form[..end]);
    while end < form.len() {
        // The last one must not be too short to be looked for.
        start = (start + PIECE_BYTES - 1).min(form.len() - LONG_BYTES);
        end = form.len().min(start + PIECE_BYTES);
        see(&form[start..end]);
    }
}
