//! Terminal escape sequences in a text, and the text without them.
//!
//! Those that end by themselves: control sequences (`ESC [ … letter`, as colours are) and the short ones (`ESC 7`,
//! `ESC ( B`). Those that hold a text up to an end of their own, such as a window's title, are text here.

use std::collections::VecDeque;

pub(super) const ESC: u8 = 0x1b;

/// A sequence that goes on for longer is none.
const MAX_SEQUENCE_BYTES: u64 = 64;

/// One sequence in the text.
pub(super) struct Sequence {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether a form in the text as it is takes a part of it.
    pub(super) taken: bool,
    /// Where it stands in the text without sequences.
    at: u64,
    /// Bytes of all sequences up to this one, it included.
    removed: u64,
}

enum Parser {
    Text,
    Escape,
    Control,
    Intermediate,
}

/// The sequences of the part of the text that is still looked at.
pub(super) struct Escapes {
    parser: Parser,
    list: VecDeque<Sequence>,
    removed: u64,
}

impl Escapes {
    pub(super) fn new() -> Self {
        Self { parser: Parser::Text, list: VecDeque::new(), removed: 0 }
    }

    /// Takes the byte at this place in. Whether it belongs to a sequence.
    pub(super) fn take(&mut self, byte: u8, place: u64) -> bool {
        if byte == ESC {
            self.removed += 1;
            let at = place + 1 - self.removed;
            self.list.push_back(Sequence { start: place, end: place + 1, taken: false, at, removed: self.removed });
            self.parser = Parser::Escape;
            return true;
        }
        let (belongs, next) = match (&self.parser, byte) {
            (Parser::Text, _) => return false,
            (Parser::Escape, b'[') => (true, Parser::Control),
            (Parser::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (false, Parser::Text),
            (Parser::Escape | Parser::Intermediate, 0x20..=0x2f) => (true, Parser::Intermediate),
            (Parser::Escape | Parser::Intermediate, 0x30..=0x7e) => (true, Parser::Text),
            (Parser::Control, 0x20..=0x3f) => (true, Parser::Control),
            (Parser::Control, 0x40..=0x7e) => (true, Parser::Text),
            _ => (false, Parser::Text),
        };
        self.parser = next;
        let Some(last) = self.list.back_mut() else { return false };
        if !belongs || last.end - last.start == MAX_SEQUENCE_BYTES {
            self.parser = Parser::Text;
            return false;
        }
        last.end += 1;
        last.removed += 1;
        self.removed += 1;
        true
    }

    /// Whether the last sequence has not ended yet.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.parser, Parser::Text)
    }

    /// Where the last sequence ends, so far.
    pub(super) fn last_end(&self) -> u64 {
        self.list.back().map_or(0, |last| last.end)
    }

    /// How many bytes of sequences have been seen.
    pub(super) fn removed(&self) -> u64 {
        self.removed
    }

    /// Where in the text the byte stands that is at this place of the text without sequences.
    pub(super) fn place_of(&self, at: u64) -> u64 {
        let before = self.list.partition_point(|sequence| sequence.at <= at);
        let removed = match (before.checked_sub(1), self.list.front()) {
            (Some(last), _) => self.list[last].removed,
            (None, Some(first)) => first.removed - (first.end - first.start),
            (None, None) => self.removed,
        };
        at + removed
    }

    /// The sequences that begin in this part of the text.
    pub(super) fn within(&self, start: u64, end: u64) -> impl Iterator<Item = &Sequence> {
        let first = self.list.partition_point(|sequence| sequence.start < start);
        self.list.range(first..).take_while(move |sequence| sequence.start < end)
    }

    /// Marks the sequences of which this part of the text takes something.
    pub(super) fn take_away(&mut self, start: u64, end: u64) {
        for sequence in self.list.iter_mut().rev().take_while(|sequence| sequence.end > start) {
            sequence.taken |= sequence.start < end;
        }
    }

    /// Forgets the sequences before this place.
    pub(super) fn forget(&mut self, before: u64) {
        while self.list.front().is_some_and(|first| first.end <= before) && (self.list.len() > 1 || !self.is_open()) {
            self.list.pop_front();
        }
    }
}
