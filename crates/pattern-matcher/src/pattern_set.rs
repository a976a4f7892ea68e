//! Many patterns against one id at a time: a trie of components, walked with the set of all nodes that are alive.

use crate::grammar;
use crate::interner::Interner;
use crate::pattern::{Pattern, Token};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A set of compiled patterns that tells which of them match an id.
///
/// A lookup takes time linear in the id times the number of trie nodes that are alive at once: for ordinary patterns a
/// few hash lookups a component, however many patterns there are; at worst pattern text × id, as one by one.
pub struct PatternSet {
    patterns: usize,
    components: Interner,
    nodes: Vec<Node>,
    edges: HashMap<u64, u32, BuildHasherDefault<EdgeHasher>>,
    /// Row numbers of the patterns that end at each node, node after node.
    rows: Vec<u32>,
}

/// Node 0 is the root, which is nobody's child: so 0 says that there is none.
#[derive(Clone, Copy, Default)]
struct Node {
    /// The child behind `*`.
    one: u32,
    /// The child behind `**`; that child stays alive from then on.
    rest: u32,
    is_rest: bool,
    has_edges: bool,
    rows_start: u32,
    rows_end: u32,
}

impl PatternSet {
    /// Compiles patterns; the row number of each is its position.
    pub fn compile<'a>(patterns: impl IntoIterator<Item = &'a Pattern>) -> Self {
        let mut set = Self {
            patterns: 0,
            components: Interner::new(),
            nodes: vec![Node::default()],
            edges: HashMap::default(),
            rows: Vec::new(),
        };
        let mut ends: Vec<(u32, u32)> = Vec::new();
        for pattern in patterns {
            let mut at = 0;
            for token in pattern.tokens() {
                at = set.child(at, pattern, *token);
            }
            ends.push((at, set.patterns as u32));
            set.patterns += 1;
        }
        ends.sort_unstable();
        for &(node, _) in &ends {
            set.nodes[node as usize].rows_end += 1;
        }
        let mut start = 0;
        for node in &mut set.nodes {
            (node.rows_start, node.rows_end) = (start, start + node.rows_end);
            start = node.rows_end;
        }
        set.rows = ends.into_iter().map(|(_, row)| row).collect();
        set
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.patterns
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.patterns == 0
    }

    /// Row numbers of the patterns that match the id, ascending. None match a text that is not an id.
    pub fn matches(&self, id: &str) -> Vec<u32> {
        let mut found = Vec::new();
        Matcher::new(self).matches_into(id, &mut found);
        found
    }

    /// All pairs of an id's position and the row number of a pattern that matches it, in ascending order.
    pub fn match_many<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Vec<(u32, u32)> {
        let mut matcher = Matcher::new(self);
        let (mut pairs, mut found) = (Vec::new(), Vec::new());
        for (position, id) in (0..).zip(ids) {
            found.clear();
            matcher.matches_into(id, &mut found);
            pairs.extend(found.iter().map(|row| (position, *row)));
        }
        pairs
    }

    fn child(&mut self, parent: u32, pattern: &Pattern, token: Token) -> u32 {
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[parent as usize];
        let child = match token {
            Token::One => &mut node.one,
            Token::Rest => &mut node.rest,
            Token::Literal { .. } => {
                node.has_edges = true;
                let component = self.components.intern(pattern.literal(token).as_bytes());
                self.edges.entry(edge(parent, component)).or_default()
            }
        };
        if *child != 0 {
            return *child;
        }
        *child = next;
        self.nodes.push(Node { is_rest: token == Token::Rest, ..Node::default() });
        next
    }
}

/// Looks ids up in a [`PatternSet`], keeping the memory that a lookup needs from one to the next.
pub struct Matcher<S> {
    set: S,
    alive: Vec<u32>,
    next: Vec<u32>,
    /// The step at which each node was last made alive, so that it is once.
    seen: Vec<u64>,
    step: u64,
}

impl<S: std::borrow::Borrow<PatternSet>> Matcher<S> {
    /// Takes a set, by reference or for good.
    pub fn new(set: S) -> Self {
        let nodes = set.borrow().nodes.len();
        Self { set, alive: Vec::new(), next: Vec::new(), seen: vec![0; nodes], step: 0 }
    }

    /// The set.
    pub fn set(&self) -> &PatternSet {
        self.set.borrow()
    }

    /// Appends the row numbers of the patterns that match the id, ascending.
    pub fn matches_into(&mut self, id: &str, found: &mut Vec<u32>) {
        let set = self.set.borrow();
        let (nodes, start) = (&set.nodes, found.len());
        self.step += 1;
        self.alive.clear();
        revive(nodes, &mut self.alive, &mut self.seen, self.step, 0);
        for component in id.as_bytes().split(|byte| *byte == b'/') {
            let number = set.components.find(component);
            self.step += 1;
            self.next.clear();
            for &at in &self.alive {
                let node = &nodes[at as usize];
                let mut revive = |child| revive(nodes, &mut self.next, &mut self.seen, self.step, child);
                if node.is_rest {
                    revive(at);
                }
                if node.one != 0 {
                    revive(node.one);
                }
                if node.has_edges
                    && let Some(child) = number.and_then(|number| set.edges.get(&edge(at, number)))
                {
                    revive(*child);
                }
            }
            std::mem::swap(&mut self.alive, &mut self.next);
            if self.alive.is_empty() {
                return;
            }
        }
        for &at in &self.alive {
            let node = &nodes[at as usize];
            found.extend_from_slice(&set.rows[node.rows_start as usize..node.rows_end as usize]);
        }
        if found.len() > start {
            // Wildcards let anything through, so a hit is checked; misses, the most, cost nothing.
            if grammar::first_wrong_in_id(id.as_bytes()).is_some() {
                found.truncate(start);
            }
            found[start..].sort_unstable();
        }
    }
}

/// Makes a node alive, and with it the one behind `**`, which may take nothing.
fn revive(nodes: &[Node], alive: &mut Vec<u32>, seen: &mut [u64], step: u64, node: u32) {
    for at in [node, nodes[node as usize].rest] {
        // The root is seen first of all, so a 0 that says "none" is passed over.
        if seen[at as usize] != step && (at != 0 || node == 0) {
            seen[at as usize] = step;
            alive.push(at);
        }
    }
}

fn edge(parent: u32, component: u32) -> u64 {
    u64::from(parent) << 32 | u64::from(component)
}

/// Spreads the two numbers of an edge. They are ours, not a caller's, so nobody can make them collide on purpose.
#[derive(Default)]
struct EdgeHasher(u64);

impl Hasher for EdgeHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, edge: u64) {
        let product = u128::from(self.0 ^ edge ^ 0xa076_1d64_78bd_642f) * 0xe703_7ed1_a0b4_28db;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
