//! One pattern: its grammar, its normal form, and matching it against one id.

use crate::grammar;
use std::fmt;

/// A pattern: an id in which a whole component may be `*` (exactly one component) or `**` (zero or more), at most
/// [`MAX_BYTES`](crate::MAX_BYTES) long.
///
/// Two patterns are equal (`==`) when they are written alike; `a.includes(b) && b.includes(a)` tells whether they match
/// the same ids, as `**` and `*/**` do.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    text: Box<str>,
    tokens: Box<[Token]>,
}

/// One component of a pattern in normal form.
///
/// Each run of wildcards is turned around so that it says how many components it wants at least: `**/*/**/*` becomes
/// `* * **`. Thus a run holds at most one `Rest`, as its last token, and what follows a `Rest` is a literal or the end.
/// A pattern of nothing but `**` becomes `* **`, since no id is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// This very component: the bytes from `start` to `end` of the pattern's text.
    Literal { start: u16, end: u16 },
    /// Any one component.
    One,
    /// Zero or more components.
    Rest,
}

/// A pattern cut at its gaps. The head begins the id; behind each gap of at least `min` components comes a block, and
/// the last block ends the id. A head that a gap follows ends with a literal and a block begins with one, unless empty.
pub(crate) struct Shape<'a> {
    pub(crate) head: &'a [Token],
    pub(crate) gaps: Vec<Gap<'a>>,
}

pub(crate) struct Gap<'a> {
    pub(crate) min: usize,
    pub(crate) block: &'a [Token],
}

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern {
    /// Offset, in bytes, of the first byte that is wrong; the text's length where it ends too early.
    pub at: usize,
}

impl Pattern {
    /// Takes a text that follows the grammar of a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        match grammar::first_wrong_in_pattern(text.as_bytes()) {
            Some(at) => Err(InvalidPattern { at }),
            None => Ok(Self { text: text.into(), tokens: normalise(text) }),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern matches the id. A text that is not an id is matched by no pattern.
    ///
    /// Takes time linear in pattern × id at worst, and allocates nothing.
    pub fn matches(&self, id: &str) -> bool {
        // What the pattern spells out is valid already, so only a hit by a wildcard needs to be checked.
        self.follows(id.as_bytes()) && (self.is_literal() || grammar::first_wrong_in_id(id.as_bytes()).is_none())
    }

    /// Whether the pattern is an id: it has no wildcard, and matches itself alone.
    pub fn is_literal(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Literal { .. }))
    }

    /// Matches components from left to right. On a mismatch only the last `Rest` takes one component more: what an
    /// earlier one would take can be left to it, so nothing is tried twice from the same place.
    fn follows(&self, id: &[u8]) -> bool {
        let (mut token, mut at) = (0, 0);
        let mut retry = None;
        // `at` is one beyond the end when the id has no further component.
        while at <= id.len() {
            let end = component_end(id, at);
            let matched = match self.tokens.get(token) {
                Some(Token::Rest) => {
                    token += 1;
                    if token == self.tokens.len() {
                        return true;
                    }
                    retry = Some((token, at));
                    continue;
                }
                Some(Token::One) => true,
                Some(literal) => self.literal(*literal).as_bytes() == &id[at..end],
                None => false,
            };
            if matched {
                (token, at) = (token + 1, end + 1);
            } else if let Some((after, from)) = &mut retry {
                *from = component_end(id, *from) + 1;
                (token, at) = (*after, *from);
            } else {
                return false;
            }
        }
        matches!(self.tokens[token..], [] | [Token::Rest])
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The component that a literal token spells; nothing for a wildcard.
    pub(crate) fn literal(&self, token: Token) -> &str {
        match token {
            Token::Literal { start, end } => &self.text[start.into()..end.into()],
            Token::One | Token::Rest => "",
        }
    }

    pub(crate) fn shape(&self) -> Shape<'_> {
        let mut parts = self.tokens.split(|token| *token == Token::Rest);
        let mut head = parts.next().unwrap_or_default();
        let mut gaps: Vec<Gap<'_>> = Vec::new();
        for block in parts {
            // The wildcards before a `Rest` say how much the gap wants.
            let before = gaps.last_mut().map_or(&mut head, |gap| &mut gap.block);
            let min = before.iter().rev().take_while(|token| **token == Token::One).count();
            *before = &before[..before.len() - min];
            gaps.push(Gap { min, block });
        }
        Shape { head, gaps }
    }
}

fn component_end(id: &[u8], from: usize) -> usize {
    id[from..].iter().position(|byte| *byte == b'/').map_or(id.len(), |length| from + length)
}

fn normalise(text: &str) -> Box<[Token]> {
    let mut tokens = Vec::new();
    let mut rest = false;
    let mut start = 0;
    for component in text.split('/') {
        let end = start + component.len();
        match component {
            "*" => tokens.push(Token::One),
            "**" => rest = true,
            _ => {
                if std::mem::take(&mut rest) {
                    tokens.push(Token::Rest);
                }
                // The grammar's limit keeps offsets below 2^16.
                tokens.push(Token::Literal { start: start as u16, end: end as u16 });
            }
        }
        start = end + 1;
    }
    if rest {
        if tokens.is_empty() {
            tokens.push(Token::One);
        }
        tokens.push(Token::Rest);
    }
    tokens.into()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a pattern: wrong at offset {}", self.at)
    }
}

impl std::error::Error for InvalidPattern {}
