//! Line ends between two terminals that both make `\r\n` of `\n`: what the command's terminal added is taken out again
//! where the person's terminal, which is not raw then, adds it as well.

/// The line ends of one stream.
#[derive(Debug, Default)]
pub(super) struct LineEnds {
    is_on: bool,
    /// Whether a `\r` is held back, which a `\n` may follow.
    holds: bool,
}

impl LineEnds {
    /// Begins to take out, or no longer does.
    pub(super) fn turn(&mut self, is_on: bool) {
        self.is_on = is_on;
    }

    /// Whether something is held back.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// Takes out of the bytes from this place on, which are the next ones of the stream.
    pub(super) fn apply(&mut self, bytes: &mut Vec<u8>, from: usize) {
        if from == bytes.len() {
            return;
        }
        if self.holds && bytes[from] != b'\n' {
            bytes.insert(from, b'\r');
        }
        self.holds = false;
        if !self.is_on {
            return;
        }
        let mut kept = from;
        for at in from..bytes.len() {
            let byte = bytes[at];
            if byte == b'\n' && kept > from && bytes[kept - 1] == b'\r' {
                kept -= 1;
            }
            bytes[kept] = byte;
            kept += 1;
        }
        bytes.truncate(kept);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
            self.holds = true;
        }
    }

    /// Gives out what is held back.
    pub(super) fn release(&mut self, bytes: &mut Vec<u8>) {
        if std::mem::take(&mut self.holds) {
            bytes.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(parts: &[&str], is_on: bool) -> String {
        let mut ends = LineEnds::default();
        ends.turn(is_on);
        let mut bytes = Vec::new();
        for part in parts {
            let from = bytes.len();
            bytes.extend_from_slice(part.as_bytes());
            ends.apply(&mut bytes, from);
        }
        ends.release(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn one_carriage_return_before_each_line_end_goes() {
        for (parts, left) in [
            (&["a\r\nb\r\n"][..], "a\nb\n"),
            (&["a\r\r\n"], "a\r\n"),
            (&["\r\n\r\n", "\n"], "\n\n\n"),
            (&["50%\r", "100%\r", "\n"], "50%\r100%\n"),
            (&["a\r"], "a\r"),
            (&["a\r", "\r", "\n"], "a\r\n"),
            (&["", "\r", "", "x"], "\rx"),
        ] {
            assert_eq!(all(parts, true), left, "{parts:?}");
            assert_eq!(all(parts, false), parts.concat());
        }
    }
}
