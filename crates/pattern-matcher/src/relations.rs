//! How two patterns relate as sets of ids. The alphabet of components is unbounded, so one component that neither
//! pattern names (a *fresh* one) stands for whatever a wildcard may take; that is what makes both answers polynomial.

use crate::pattern::{Gap, Pattern, Shape, Token};

impl Pattern {
    /// Whether every id that `other` matches is matched by this pattern too. Time linear in the product of the lengths.
    pub fn includes(&self, other: &Self) -> bool {
        let covers = |mine: Token, theirs: Token| match (mine, theirs) {
            (_, Token::Rest) => false,
            (Token::One, _) => true,
            (_, Token::One) => false,
            _ => self.literal(mine) == other.literal(theirs),
        };
        walk(&self.shape(), other.tokens(), covers)
    }

    /// Whether some id is matched by both patterns. Time linear in the product of the lengths.
    pub fn overlaps(&self, other: &Self) -> bool {
        let agree = |mine: Token, theirs: Token| match (mine, theirs) {
            (Token::Literal { .. }, Token::Literal { .. }) => self.literal(mine) == other.literal(theirs),
            _ => true,
        };
        let (mine, theirs) = (self.tokens(), other.tokens());
        match (has_gap(mine), has_gap(theirs)) {
            // Both can stretch: write what one wants in the middle while the other is in its gap. Only the parts that
            // begin and end the id can contradict each other.
            (true, true) => {
                let fixed = |token: &&Token| **token != Token::Rest;
                let begins = mine.iter().take_while(fixed).zip(theirs.iter().take_while(fixed));
                let ends = mine.iter().rev().take_while(fixed).zip(theirs.iter().rev().take_while(fixed));
                begins.chain(ends).all(|(mine, theirs)| agree(*mine, *theirs))
            }
            (_, false) => walk(&self.shape(), theirs, agree),
            (false, true) => walk(&other.shape(), mine, |theirs, mine| agree(mine, theirs)),
        }
    }
}

fn has_gap(tokens: &[Token]) -> bool {
    tokens.contains(&Token::Rest)
}

/// Lays the tokens over the shape from left to right, each block as early as it fits: a block placed earlier never
/// spoils a later one.
///
/// A `Rest` among the tokens means that *every* length it can take must fit, and `fits` refuses it. Inside the head or
/// the last block it is hopeless, since it can push a fresh component under a literal. Elsewhere the worst it can do is
/// either nothing at all, where a gap of the shape still wants components, or to be so long that no block spans it.
fn walk(shape: &Shape<'_>, tokens: &[Token], fits: impl Fn(Token, Token) -> bool) -> bool {
    let lies_on = |block: &[Token], tokens: &[Token]| block.iter().zip(tokens).all(|(a, b)| fits(*a, *b));
    let Some((Gap { block: tail, .. }, _)) = shape.gaps.split_last() else {
        return shape.head.len() == tokens.len() && lies_on(shape.head, tokens);
    };
    if shape.head.len() + tail.len() > tokens.len() {
        return false;
    }
    let (begin, rest) = tokens.split_at(shape.head.len());
    let (mut middle, end) = rest.split_at(rest.len() - tail.len());
    if !lies_on(shape.head, begin) || !lies_on(tail, end) {
        return false;
    }
    for (n, gap) in shape.gaps.iter().enumerate() {
        let mut wanted = gap.min;
        while wanted > 0 {
            let Some((first, others)) = middle.split_first() else { return false };
            wanted -= usize::from(*first != Token::Rest);
            middle = others;
        }
        if n + 1 < shape.gaps.len() {
            let length = gap.block.len();
            let Some(at) = middle.windows(length).position(|window| lies_on(gap.block, window)) else { return false };
            middle = &middle[at + length..];
        }
    }
    true
}
