//! The filter of one stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::automaton::{Automaton, ROOT, State};
use super::coloured::{Coloured, PLAIN_BYTES};
use super::commonness::LONG_BYTES;
use super::escapes::{ESC, Escapes, whole_sequence};
use super::filter::Filter;
use super::held::{Held, Source};
use super::set::MaskSet;

/// How long a stream must have been silent before what is held back is released: longer than a program takes between two
/// writes of one line, shorter than a person notices.
pub const RELEASE_AFTER: Duration = Duration::from_millis(20);

/// How many bytes of escape sequences may stand among the bytes of one value: so many, and so many more for each byte of
/// it. A rainbow takes 25.
const SEQUENCE_BYTES: u64 = 4096;
const SEQUENCE_BYTES_PER_BYTE: u64 = 64;

/// A part of the stream that is a form of a value.
struct Match {
    start: u64,
    end: u64,
    form: State,
    /// The end of the last escape sequence inside, where the form was found without them.
    sequences_end: Option<u64>,
}

/// Replaces the values of a [`MaskSet`] in one stream.
///
/// Two views of the stream are looked at: as it is, and without terminal escape sequences, so that a value is found in
/// which colours change. They are the same wherever no sequence is near. Sequences inside a value that was found without
/// them stay, behind the label.
///
/// Matches that overlap are masked together. Each gets its own label, but one that overlaps another of the same value
/// gets none; of those that begin at one place, the longest wins.
pub struct Masker {
    set: Arc<MaskSet>,
    /// Of the stream as it is.
    raw: State,
    /// Of the stream without escape sequences.
    text: State,
    /// Whether the two may differ: a sequence is near.
    split: bool,
    escapes: Escapes,
    coloured: Coloured,
    /// How many bytes came.
    position: u64,
    /// How many of them have been given out, or replaced.
    given: u64,
    held: Held,
    /// Matches that wait for a longer one. Starts and ends ascend.
    found: VecDeque<Match>,
    /// Where the last match that was replaced ends, and whose value it is.
    covered: u64,
    covered_value: Option<u32>,
}

impl Masker {
    /// A filter for a new stream.
    pub fn new(set: Arc<MaskSet>) -> Self {
        Self {
            set,
            raw: ROOT,
            text: ROOT,
            split: false,
            escapes: Escapes::new(),
            coloured: Coloured::new(),
            position: 0,
            given: 0,
            held: Held::new(),
            found: VecDeque::new(),
            covered: 0,
            covered_value: None,
        }
    }

    /// Takes the next bytes of the stream, and appends what is certain now: bytes that belong to no value, and labels.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let set = Arc::clone(&self.set);
        let Some(filter) = &set.filter else { return out.extend_from_slice(input) };
        let mut held = std::mem::replace(&mut self.held, Held::new());
        let source = Source { held: &held, input };
        self.read(&set.automaton, filter, &source, out);
        let certain = self.certain().min(self.found.front().map_or(u64::MAX, |first| first.start));
        if certain > self.given {
            source.copy(self.given, certain, out);
            self.given = certain;
        }
        held.keep(self.given, input);
        self.held = held;
        keychain_core::clear_registers();
    }

    /// How many bytes are held back: they may belong to a value.
    pub fn held(&self) -> usize {
        (self.position - self.given) as usize
    }

    /// To be called when the stream has been silent for [`RELEASE_AFTER`]. Gives out what is held back, unless 8 bytes of
    /// a value could then be read in a row; those wait until it is clear what they are. Whether anything came out.
    ///
    /// What was given out is not forgotten: if it was the beginning of a value, the rest of it is masked.
    pub fn release(&mut self, out: &mut Vec<u8>) -> bool {
        if self.held() == 0 || self.longest_run() >= LONG_BYTES as u64 {
            return false;
        }
        self.give_all(self.open_starts().0, out);
        true
    }

    /// Ends the stream: gives out what is held back. The next stream may follow.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.give_all(self.position, out);
        *self = Self::new(Arc::clone(&self.set));
    }

    /// Gives all out. In the stream as it is, forms may still begin from `open` on.
    fn give_all(&mut self, open: u64, out: &mut Vec<u8>) {
        let mut held = std::mem::replace(&mut self.held, Held::new());
        let source = Source { held: &held, input: b"" };
        while let Some(found) = self.found.pop_front() {
            self.replace(&found, open, &source, out);
        }
        source.copy(self.given, self.position, out);
        self.given = self.position;
        held.keep(self.given, b"");
        self.held = held;
    }

    fn read(&mut self, automaton: &Automaton, filter: &Filter, source: &Source<'_>, out: &mut Vec<u8>) {
        let input = source.input;
        let window = filter.window();
        let (mut at, mut next_escape, mut until) = (0, 0, 0);
        while at < input.len() {
            if next_escape <= at {
                next_escape = at + memchr::memchr(ESC, &input[at..]).unwrap_or(input.len() - at);
            }
            if !self.split && at >= until && self.found.is_empty() {
                let depth = automaton.depth(self.raw);
                if depth < window && depth <= at {
                    // No form that has begun before is still open, so all that matters stands in this text.
                    let from = at - depth;
                    let next = if next_escape == input.len() || next_escape - from >= PLAIN_BYTES {
                        filter.find(&input[..next_escape], from)
                    } else {
                        self.coloured.find(filter, input, from)
                    };
                    if next > at {
                        self.position += (next - at) as u64;
                        self.raw = ROOT;
                        at = next;
                    }
                    until = next + window;
                }
            }
            if next_escape < at {
                continue;
            }
            // Up to here, no byte begins a sequence.
            let run = if self.split || at == next_escape { at } else { next_escape };
            while at < run {
                self.step_raw(automaton, input[at]);
                at += 1;
                if !self.found.is_empty() {
                    self.settle(source, out);
                } else if at >= until && automaton.depth(self.raw) < window {
                    break;
                }
            }
            if at < input.len() && (self.split || at == next_escape) {
                at += self.read_split(automaton, &input[at..]);
                self.settle(source, out);
                self.join(automaton);
            }
        }
    }

    /// Takes a byte in, in the view of the stream as it is.
    #[inline]
    fn step_raw(&mut self, automaton: &Automaton, byte: u8) {
        let state = automaton.step(self.raw, byte);
        self.position += 1;
        self.raw = state;
        if state != ROOT {
            self.raw = automaton.open(state);
            if let Some(form) = automaton.last(state) {
                if self.split {
                    self.escapes.take_away(self.position - automaton.depth(form) as u64, self.position);
                }
                self.note(automaton, form, None);
            }
        }
    }

    /// Reads one byte or a whole escape sequence, while the two views differ or begin to. Tells how much it was.
    fn read_split(&mut self, automaton: &Automaton, input: &[u8]) -> usize {
        if !self.split {
            self.split = true;
            self.text = self.raw;
        }
        if let Some(length) = whole_sequence(input) {
            self.escapes.add(self.position, length);
            input[..length].iter().for_each(|byte| self.step_raw(automaton, *byte));
            self.limit_sequences(automaton);
            return length;
        }
        let belongs = self.escapes.take(input[0], self.position);
        self.step_raw(automaton, input[0]);
        if belongs {
            self.limit_sequences(automaton);
            return 1;
        }
        let text = automaton.step(self.text, input[0]);
        self.text = text;
        if text != ROOT {
            self.text = automaton.open(text);
            if let Some(form) = automaton.last(text) {
                self.note(automaton, form, Some(self.text_start(automaton, form)));
            }
        }
        1
    }

    /// Where the form begins that ends here, in the view without sequences.
    fn text_start(&self, automaton: &Automaton, form: State) -> u64 {
        let depth = automaton.depth(form) as u64;
        if depth == 0 {
            return self.position;
        }
        self.escapes.place_of(self.position - self.escapes.removed() - depth)
    }

    fn note(&mut self, automaton: &Automaton, form: State, text_start: Option<u64>) {
        let start = text_start.unwrap_or_else(|| self.position - automaton.depth(form) as u64);
        while self.found.back().is_some_and(|last| last.start >= start) {
            self.found.pop_back();
        }
        let sequences_end = text_start.and_then(|start| self.escapes.last_from(start));
        self.found.push_back(Match { start, end: self.position, form, sequences_end });
    }

    /// Where the bytes begin that a form may still be made of, in both views.
    fn open_starts(&self) -> (u64, u64) {
        let automaton = &self.set.automaton;
        let raw = self.position - automaton.depth(self.raw) as u64;
        (raw, if self.split { self.text_start(automaton, self.text) } else { raw })
    }

    /// Up to here, no form can begin that is not known.
    fn certain(&self) -> u64 {
        let (raw, text) = self.open_starts();
        raw.min(text)
    }

    /// Replaces the matches that cannot become longer.
    fn settle(&mut self, source: &Source<'_>, out: &mut Vec<u8>) {
        if self.found.is_empty() {
            return;
        }
        let (raw, text) = self.open_starts();
        while let Some(first) = self.found.front()
            // A sequence that stays must not be a part of another form.
            && first.start < raw.min(text)
            && first.sequences_end.is_none_or(|end| end <= raw)
        {
            if let Some(found) = self.found.pop_front() {
                self.replace(&found, raw, source, out);
            }
        }
    }

    fn replace(&mut self, found: &Match, open: u64, source: &Source<'_>, out: &mut Vec<u8>) {
        if found.end <= self.covered {
            return;
        }
        let value = self.set.automaton.value_of(found.form);
        if found.start >= self.covered || self.covered_value != Some(value) {
            if found.start >= self.covered && found.start > self.given {
                source.copy(self.given, found.start, out);
            }
            out.extend_from_slice(self.set.label(value));
        }
        if found.sequences_end.is_some() {
            for sequence in self.escapes.within(found.start.max(self.given), found.end) {
                if !sequence.taken && sequence.end <= open {
                    source.copy(sequence.start, sequence.end, out);
                }
            }
        }
        self.given = self.given.max(found.end);
        (self.covered, self.covered_value) = (found.end, Some(value));
    }

    /// Goes back to one view where both are the same again.
    fn join(&mut self, automaton: &Automaton) {
        if self.raw == self.text
            && !self.escapes.is_open()
            && self.position - self.escapes.last_end() >= automaton.depth(self.text) as u64
        {
            self.split = false;
            self.escapes.forget(self.position);
        }
    }

    /// Gives a form up among the bytes of which too many sequences stand, and forgets those that nothing needs.
    fn limit_sequences(&mut self, automaton: &Automaton) {
        let depth = automaton.depth(self.text) as u64;
        let sequences = self.position - self.text_start(automaton, self.text) - depth;
        if sequences > SEQUENCE_BYTES + depth * SEQUENCE_BYTES_PER_BYTE {
            self.text = ROOT;
        }
        self.escapes.forget(self.certain().min(self.found.front().map_or(u64::MAX, |first| first.start)));
    }

    /// How many bytes in a row of a form that may be under way would have been given out, if all were given out now.
    fn longest_run(&self) -> u64 {
        let (raw, text) = self.open_starts();
        let run = |from: u64, length: &dyn Fn(u64, u64) -> u64| {
            let mut start = from.max(self.covered);
            let mut longest = 0;
            for found in &self.found {
                longest = longest.max(length(start, found.start.max(start)));
                start = start.max(found.end);
            }
            longest.max(length(start, self.position.max(start)))
        };
        let without_sequences = |start: u64, end: u64| {
            let inside = self.escapes.within(start, end).map(|sequence| sequence.end.min(end) - sequence.start);
            end - start - inside.sum::<u64>()
        };
        run(raw, &|start, end| end - start).max(if self.split { run(text, &without_sequences) } else { 0 })
    }
}
