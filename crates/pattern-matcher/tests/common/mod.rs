//! What the implementation is compared with: definitions rather than algorithms, written without any of its code.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::{BTreeSet, HashSet};

/// A component that no generated pattern names.
pub(crate) const FRESH: &str = "z";

/// The definition of a match, component by component.
pub(crate) fn matches(pattern: &str, id: &str) -> bool {
    fn rest(pattern: &[&str], id: &[&str]) -> bool {
        match pattern {
            [] => id.is_empty(),
            ["**", after @ ..] => (0..=id.len()).any(|taken| rest(after, &id[taken..])),
            [first, after @ ..] => id
                .split_first()
                .is_some_and(|(component, others)| (*first == "*" || first == component) && rest(after, others)),
        }
    }
    rest(&pattern.split('/').collect::<Vec<_>>(), &id.split('/').collect::<Vec<_>>())
}

/// Whether every id that `inner` matches is matched by `outer`: all states that both can be in together are visited.
pub(crate) fn includes(outer: &str, inner: &str) -> bool {
    !states(outer, inner).into_iter().any(|(outer, inner)| inner && !outer)
}

/// Whether some id is matched by both.
pub(crate) fn overlaps(a: &str, b: &str) -> bool {
    states(a, b).into_iter().any(|(a, b)| a && b)
}

/// For each pair of states that some id leads to: whether each of the two patterns matches such an id.
fn states(a: &str, b: &str) -> HashSet<(bool, bool)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (a.split('/').collect(), b.split('/').collect());
    // All components that neither pattern names behave alike, so one stands for them.
    let letters: BTreeSet<&str> =
        a.iter().chain(&b).copied().filter(|token| !token.contains('*')).chain([FRESH]).collect();
    let (mut seen, mut found) = (HashSet::new(), HashSet::new());
    let mut open = vec![(closed(&a, 1), closed(&b, 1))];
    while let Some((in_a, in_b)) = open.pop() {
        for letter in &letters {
            let next = (step(&a, in_a, letter), step(&b, in_b, letter));
            if seen.insert(next) {
                found.insert((next.0 >> a.len() & 1 == 1, next.1 >> b.len() & 1 == 1));
                open.push(next);
            }
        }
    }
    found
}

/// Bit n says that the first n tokens are behind us. A `**` can be passed for nothing.
fn closed(tokens: &[&str], states: u64) -> u64 {
    (0..tokens.len())
        .fold(states, |states, n| if tokens[n] == "**" { states | (states >> n & 1) << (n + 1) } else { states })
}

fn step(tokens: &[&str], states: u64, letter: &str) -> u64 {
    let next = (0..tokens.len()).filter(|n| states >> n & 1 == 1).fold(0, |next, n| match tokens[n] {
        "**" => next | 1 << n,
        token if token == "*" || token == letter => next | 1 << (n + 1),
        _ => next,
    });
    closed(tokens, next)
}

/// All sequences of up to `longest` of the components.
pub(crate) fn all(components: &[&str], longest: usize) -> Vec<String> {
    let mut found: Vec<String> = components.iter().map(ToString::to_string).collect();
    let mut from = 0;
    for _ in 1..longest {
        let to = found.len();
        for n in from..to {
            found.extend(components.iter().map(|component| format!("{}/{component}", found[n])).collect::<Vec<_>>());
        }
        from = to;
    }
    found
}

/// The order of an index's answers: by components, then by row.
pub(crate) fn in_tree_order(ids: &[String], mut rows: Vec<u32>) -> Vec<u32> {
    rows.sort_by_key(|row| (ids[*row as usize].split('/').collect::<Vec<_>>(), *row));
    rows
}

/// A small generator (xorshift64*), so that a failure can be repeated from its seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub(crate) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    pub(crate) fn path(&mut self, from: &[&str], longest: usize) -> String {
        (0..=self.below(longest)).map(|_| self.pick(from)).collect::<Vec<_>>().join("/")
    }

    /// A pattern over `a`, `b` and wildcards, in changing proportions.
    pub(crate) fn pattern(&mut self, longest: usize) -> String {
        let from: &[&str] = match self.below(4) {
            0 => &["a", "b", "*", "**"],
            1 => &["a", "a", "a", "b", "**", "*"],
            2 => &["a", "*", "**"],
            _ => &["a", "b", "a", "b", "**"],
        };
        self.path(from, longest)
    }
}
