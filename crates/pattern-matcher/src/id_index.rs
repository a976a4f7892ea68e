//! Many ids against one pattern at a time.
//!
//! The ids are kept as a trie of numbered components whose nodes lie in depth-first order in plain arrays: the subtree
//! of a node is one range of nodes and one range of rows. Beside it, each component lists the nodes that carry it, by
//! depth. So a pattern is answered from its rarest component, and never by looking at each id.

mod build;
mod query;

pub use build::{IdIndexBuilder, InvalidRow};

use crate::Pattern;

/// An index of ids that counts and lists those that a pattern matches.
///
/// A row number is an id's position in what the index was made from; an id that came twice has two rows. The order of
/// an answer is that of the tree: an id before those below it, those before the next sibling, siblings in the order of
/// their bytes, equal ids by row number. (It is the order of the bytes if `/` sorted before all others.)
pub struct IdIndex {
    components: Components,
    /// In depth-first order, siblings ascending. Node 0 is the root, at depth 0, which carries no component.
    nodes: Nodes,
    /// The row number of each id in the order of the tree; empty when that is how they came.
    rows: Vec<u32>,
    /// How many ids there are.
    len: usize,
}

/// The distinct components in the order of their bytes.
struct Components {
    text: Vec<u8>,
    ends: Vec<u32>,
    /// Where the groups of each component begin in `groups`, and where the last one's end.
    group_starts: Vec<u32>,
    /// The nodes that carry a component at one depth begin at `start` in `Nodes::carriers`.
    groups: Vec<Group>,
}

#[derive(Clone, Copy)]
struct Group {
    depth: u32,
    start: u32,
}

struct Nodes {
    component: Vec<u32>,
    parent: Vec<u32>,
    /// The node behind the subtree.
    end: Vec<u32>,
    /// The position, in the order of the tree, of the first id at or below the node. Ids that end at the node come
    /// first, so they lie between this and the next node's. One more entry than nodes.
    first_id: Vec<u32>,
    /// All nodes but the root, by component, then depth, then order.
    carriers: Vec<u32>,
}

impl IdIndex {
    /// Indexes ids; the row number of each is its position.
    ///
    /// # Errors
    /// The first text that is not an id, with its row number.
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidRow> {
        let mut builder = IdIndexBuilder::new();
        for id in ids {
            builder.add(id)?;
        }
        Ok(builder.finish())
    }

    /// How many ids there are, equal ones included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no id.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many ids the pattern matches.
    pub fn count(&self, pattern: &Pattern) -> usize {
        self.count_found(pattern)
    }

    /// Row numbers of the ids that the pattern matches, in the order of the tree.
    pub fn rows(&self, pattern: &Pattern) -> Vec<u32> {
        let mut rows = Vec::new();
        self.each_range(pattern, |range| rows.extend(range));
        if !self.rows.is_empty() {
            // In a loop of its own, so that the processor waits for many of these far reads at once.
            rows.iter_mut().for_each(|row| *row = self.rows[*row as usize]);
        }
        rows
    }

    /// Calls `each` with the ids that the pattern matches, in the order of the tree.
    pub fn for_each(&self, pattern: &Pattern, mut each: impl FnMut(&str)) {
        let mut id = Vec::new();
        self.each_range(pattern, |range| {
            // The last node that begins at or before the position is the one that the id ends at.
            let mut node = self.nodes.first_id.partition_point(|first| *first <= range.start) - 1;
            for position in range {
                while self.nodes.first_id[node + 1] <= position {
                    node += 1;
                }
                self.spell(node, &mut id);
                each(std::str::from_utf8(&id).expect("ids are ASCII"));
            }
        });
    }

    /// Bytes of memory that the index holds.
    pub fn heap_bytes(&self) -> usize {
        let Components { text, ends, group_starts, groups } = &self.components;
        let Nodes { component, parent, end, first_id, carriers } = &self.nodes;
        let words: usize = [ends, group_starts, component, parent, end, first_id, carriers, &self.rows]
            .map(|array| size_of_val(array.as_slice()))
            .iter()
            .sum();
        text.len() + size_of_val(groups.as_slice()) + words
    }

    fn spell(&self, node: usize, id: &mut Vec<u8>) {
        // Backwards, since a node knows its parent.
        id.clear();
        let mut at = node;
        while at != 0 {
            id.extend(self.components.get(self.nodes.component[at]).iter().rev());
            id.push(b'/');
            at = self.nodes.parent[at] as usize;
        }
        id.pop();
        id.reverse();
    }
}

impl Components {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start as usize..self.ends[number] as usize]
    }

    fn find(&self, component: &[u8]) -> Option<u32> {
        let mut range = 0..self.len() as u32;
        while range.start < range.end {
            let middle = range.start + (range.end - range.start) / 2;
            match self.get(middle).cmp(component) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => range.start = middle + 1,
                std::cmp::Ordering::Greater => range.end = middle,
            }
        }
        None
    }
}
