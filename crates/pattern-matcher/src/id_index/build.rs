//! Making an index: components are numbered as they come, then renumbered in the order of their bytes, the ids are
//! sorted as sequences of numbers, and the trie is written in one pass over the sorted ids.

use super::{Components, Group, IdIndex, Nodes};
use crate::grammar;
use crate::interner::Interner;
use std::fmt;

/// Takes the ids of an [`IdIndex`] one by one.
pub struct IdIndexBuilder {
    interner: Interner,
    /// The components of all ids, one after the other.
    components: Vec<u32>,
    /// Where each id ends in `components`.
    ends: Vec<u32>,
}

/// A text that cannot be indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRow {
    /// Its position among those that were added.
    pub row: usize,
    /// Offset, in bytes, of the first byte that is wrong; nothing when the text is an id and the index is full: it holds
    /// less than 2^32 components in all.
    pub at: Option<usize>,
}

impl IdIndexBuilder {
    /// Begins an index.
    pub fn new() -> Self {
        Self { interner: Interner::new(), components: Vec::new(), ends: Vec::new() }
    }

    /// Adds an id; its row number is how many were added before.
    ///
    /// # Errors
    /// The text is not an id, and was not added.
    pub fn add(&mut self, id: &str) -> Result<(), InvalidRow> {
        if let Some(at) = grammar::first_wrong_in_id(id.as_bytes()) {
            return Err(InvalidRow { row: self.ends.len(), at: Some(at) });
        }
        // One number is left over for the root, and one to stand behind the last.
        if self.components.len().max(self.interner.text_len()) + id.len() > u32::MAX as usize - 2 {
            return Err(InvalidRow { row: self.ends.len(), at: None });
        }
        let interner = &mut self.interner;
        self.components.extend(id.as_bytes().split(|byte| *byte == b'/').map(|component| interner.intern(component)));
        self.ends.push(self.components.len() as u32);
        Ok(())
    }

    /// How many ids were added.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no id was added.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Builds the index.
    pub fn finish(self) -> IdIndex {
        let Self { interner, components: mut sequences, ends } = self;
        let mut components = sorted(&interner, &mut sequences);
        drop(interner);
        let sequence = |row: usize| {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            &sequences[start as usize..ends[row] as usize]
        };
        let rows = order(ends.len(), sequence);
        let (mut nodes, depths) = trie(
            components.len(),
            ends.len(),
            (0..ends.len()).map(|n| sequence(rows.get(n).map_or(n, |row| *row as usize))),
        );
        (components.group_starts, components.groups, nodes.carriers) = carriers(components.len(), &nodes, &depths);
        IdIndex { components, nodes, rows, len: ends.len() }
    }
}

impl Default for IdIndexBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Sorts the components, and renumbers the sequences accordingly.
fn sorted(interner: &Interner, sequences: &mut [u32]) -> Components {
    let mut order: Vec<u32> = (0..interner.len() as u32).collect();
    order.sort_unstable_by_key(|number| interner.get(*number));
    let mut text = Vec::with_capacity(interner.text_len());
    let mut ends = Vec::with_capacity(order.len());
    let mut renumbered = vec![0; order.len()];
    for (number, old) in (0..).zip(order) {
        text.extend_from_slice(interner.get(old));
        ends.push(text.len() as u32);
        renumbered[old as usize] = number;
    }
    for component in sequences {
        *component = renumbered[*component as usize];
    }
    Components { text, ends, group_starts: Vec::new(), groups: Vec::new() }
}

/// The rows in ascending order of their sequences, equal ones by row; empty when they are so already.
fn order<'a>(rows: usize, sequence: impl Fn(usize) -> &'a [u32]) -> Vec<u32> {
    if (1..rows).all(|row| sequence(row - 1) <= sequence(row)) {
        return Vec::new();
    }
    // The first two components as one number decide most comparisons without a look at the sequence. A missing one
    // sorts first.
    let key = |row: usize| match *sequence(row) {
        [first, second, ..] => u64::from(first) << 32 | (u64::from(second) + 1),
        [first] => u64::from(first) << 32,
        [] => 0,
    };
    let mut keyed: Vec<(u64, u32)> = (0..rows).map(|row| (key(row), row as u32)).collect();
    keyed.sort_unstable_by(|(a, left), (b, right)| {
        a.cmp(b).then_with(|| sequence(*left as usize).cmp(sequence(*right as usize))).then(left.cmp(right))
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Writes the trie of sequences that come in ascending order, and the depth of each node.
fn trie<'a>(components: usize, ids: usize, sequences: impl Iterator<Item = &'a [u32]>) -> (Nodes, Vec<u32>) {
    let mut nodes = Nodes {
        component: Vec::with_capacity(ids + 1),
        parent: Vec::with_capacity(ids + 1),
        end: Vec::with_capacity(ids + 1),
        first_id: Vec::with_capacity(ids + 2),
        carriers: Vec::new(),
    };
    let mut depths = Vec::with_capacity(ids + 1);
    let mut push = |component: u32, parent: u32, depth: usize, id: u32| {
        let node = nodes.component.len() as u32;
        nodes.component.push(component);
        nodes.parent.push(parent);
        nodes.end.push(0);
        nodes.first_id.push(id);
        depths.push(depth as u32);
        node
    };
    // The nodes from the root to the id before.
    let mut path = vec![push(components as u32, 0, 0, 0)];
    let mut before: &[u32] = &[];
    for (id, sequence) in (0..).zip(sequences) {
        let common = before.iter().zip(sequence).take_while(|(a, b)| a == b).count();
        path.truncate(common + 1);
        for component in &sequence[common..] {
            path.push(push(*component, path[path.len() - 1], path.len(), id));
        }
        before = sequence;
    }
    nodes.first_id.push(ids as u32);
    // A subtree ends where the last of its children's does.
    let count = nodes.component.len();
    for node in (0..count).rev() {
        let end = nodes.end[node].max(node as u32 + 1);
        nodes.end[node] = end;
        let parent = nodes.parent[node] as usize;
        nodes.end[parent] = nodes.end[parent].max(end);
    }
    (nodes, depths)
}

/// Sorts all nodes but the root by component, then depth, then order: the groups' starts, the groups, the nodes.
fn carriers(components: usize, nodes: &Nodes, depths: &[u32]) -> (Vec<u32>, Vec<Group>, Vec<u32>) {
    let deepest = depths.iter().max().map_or(0, |depth| *depth as usize);
    let by_depth = sort_stably(1..nodes.component.len() as u32, deepest + 1, |node| depths[node as usize]);
    let carriers = sort_stably(by_depth.iter().copied(), components, |node| nodes.component[node as usize]);
    drop(by_depth);
    let mut group_starts = Vec::with_capacity(components + 1);
    let mut groups: Vec<Group> = Vec::new();
    let mut before = None;
    for (start, node) in (0..).zip(&carriers) {
        let (component, depth) = (nodes.component[*node as usize], depths[*node as usize]);
        if before != Some((component, depth)) {
            if before.is_none_or(|(before, _)| before != component) {
                group_starts.push(groups.len() as u32);
            }
            groups.push(Group { depth, start });
        }
        before = Some((component, depth));
    }
    group_starts.push(groups.len() as u32);
    groups.push(Group { depth: 0, start: carriers.len() as u32 });
    groups.shrink_to_fit();
    (group_starts, groups, carriers)
}

/// A counting sort by a key below `keys`.
fn sort_stably(nodes: impl Iterator<Item = u32> + Clone, keys: usize, key: impl Fn(u32) -> u32) -> Vec<u32> {
    let mut starts = vec![0; keys + 1];
    for node in nodes.clone() {
        starts[key(node) as usize + 1] += 1;
    }
    for n in 1..starts.len() {
        starts[n] += starts[n - 1];
    }
    let mut sorted = vec![0; starts[keys]];
    for node in nodes {
        let start = &mut starts[key(node) as usize];
        sorted[*start] = node;
        *start += 1;
    }
    sorted
}

impl fmt::Display for InvalidRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "row {} is not an id: wrong at offset {at}", self.row),
            None => write!(f, "the index is full at row {}", self.row),
        }
    }
}

impl std::error::Error for InvalidRow {}
