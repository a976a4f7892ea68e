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

#[derive(Clone, Copy)]
enum Parser {
    Text,
    Escape,
    Control,
    Intermediate,
}

impl Parser {
    /// What follows on a byte, and whether it belongs to the sequence.
    fn step(self, byte: u8) -> (Self, bool) {
        match (self, byte) {
            (Self::Escape, b'[') => (Self::Control, true),
            (Self::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (Self::Text, false),
            (Self::Escape | Self::Intermediate, 0x20..=0x2f) => (Self::Intermediate, true),
            (Self::Escape | Self::Intermediate, 0x30..=0x7e) => (Self::Text, true),
            (Self::Control, 0x20..=0x3f) => (Self::Control, true),
            (Self::Control, 0x40..=0x7e) => (Self::Text, true),
            _ => (Self::Text, false),
        }
    }
}

/// The length of the sequence that this text begins with, where it begins with one and all of it is there.
pub(super) fn whole_sequence(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&ESC) {
        return None;
    }
    let mut parser = Parser::Escape;
    for (length, byte) in text.iter().enumerate().skip(1) {
        let (next, belongs) = parser.step(*byte);
        match (next, belongs) {
            (_, false) => return Some(length),
            (Parser::Text, true) => return Some(length + 1),
            _ if length + 1 == MAX_SEQUENCE_BYTES as usize => return Some(length + 1),
            _ => parser = next,
        }
    }
    None
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

    /// Takes a whole sequence in, which begins at this place.
    pub(super) fn add(&mut self, place: u64, length: usize) {
        let at = place - self.removed;
        self.removed += length as u64;
        self.parser = Parser::Text;
        self.list.push_back(Sequence {
            start: place,
            end: place + length as u64,
            taken: false,
            at,
            removed: self.removed,
        });
    }

    /// Takes the byte at this place in. Whether it belongs to a sequence.
    pub(super) fn take(&mut self, byte: u8, place: u64) -> bool {
        if byte == ESC {
            self.add(place, 1);
            self.parser = Parser::Escape;
            return true;
        }
        let (next, belongs) = self.parser.step(byte);
        self.parser = next;
        let Some(last) = self.list.back_mut().filter(|_| belongs) else { return false };
        last.end += 1;
        last.removed += 1;
        self.removed += 1;
        if last.end - last.start == MAX_SEQUENCE_BYTES {
            self.parser = Parser::Text;
        }
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

    /// Where the last sequence ends, if it begins at this place or later.
    pub(super) fn last_from(&self, start: u64) -> Option<u64> {
        self.list.back().filter(|last| last.start >= start).map(|last| last.end)
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
