//! Answering a pattern: its blocks from left to right, each as the set of nodes at which it can end.

use super::IdIndex;
use crate::pattern::{Pattern, Token};
use std::borrow::Cow;
use std::ops::Range;

/// A component that a block wants, or any.
type Wanted = Option<u32>;

/// Where ids lie in the order of the tree.
pub(super) enum Found<'a> {
    /// In these ranges: ascending, apart, none empty.
    In(Vec<Range<u32>>),
    /// At these nodes.
    At(Vec<Level<'a>>),
    /// At the children of these nodes.
    AtChildren(Vec<Level<'a>>),
}

/// Nodes of one depth, ascending.
pub(super) struct Level<'a> {
    depth: u32,
    nodes: Cow<'a, [u32]>,
}

/// A node that a block follows.
struct Top {
    node: u32,
    end: u32,
    depth: u32,
}

/// The nodes that a block follows, in order, none above another; and how it follows.
struct Tops {
    nodes: Vec<Top>,
    /// The smallest depth among them.
    highest: u32,
    /// From the first node below the first to the end of the last one's subtree.
    range: Range<u32>,
    /// How many components lie between a top and the block, at least; nothing if the block follows at once.
    gap: Option<u32>,
}

impl IdIndex {
    /// How many ids the pattern matches.
    pub(super) fn count_found(&self, pattern: &Pattern) -> usize {
        let at = |node: u32| (self.nodes.first_id[node as usize + 1] - self.nodes.first_id[node as usize]) as usize;
        match self.find(pattern) {
            Found::In(ranges) => ranges.iter().map(ExactSizeIterator::len).sum(),
            Found::At(levels) => levels.iter().flat_map(|level| level.nodes.iter()).map(|node| at(*node)).sum(),
            Found::AtChildren(levels) => {
                levels.iter().flat_map(|level| level.nodes.iter()).flat_map(|node| self.children(*node)).map(at).sum()
            }
        }
    }

    /// Calls `each` with where the ids that the pattern matches lie in the order of the tree: in ranges that are ascending,
    /// apart, and not empty.
    pub(super) fn each_range(&self, pattern: &Pattern, each: impl FnMut(Range<u32>)) {
        let at = |node: u32| self.nodes.first_id[node as usize]..self.nodes.first_id[node as usize + 1];
        let (levels, of_children) = match self.find(pattern) {
            Found::In(ranges) => return ranges.into_iter().for_each(each),
            Found::At(levels) => (levels, false),
            Found::AtChildren(levels) => (levels, true),
        };
        let mut joined = Joined::new(each);
        if let [level] = &levels[..] {
            self.each_node(level, of_children, |node| joined.push(at(node)));
        } else {
            let mut all: Vec<u32> = Vec::with_capacity(levels.iter().map(|level| level.nodes.len()).sum());
            levels.iter().for_each(|level| self.each_node(level, of_children, |node| all.push(node)));
            // Levels are ascending each: such runs are what a stable sort is quick at.
            all.sort();
            all.into_iter().for_each(|node| joined.push(at(node)));
        }
        joined.end();
    }

    fn each_node(&self, level: &Level<'_>, of_children: bool, each: impl FnMut(u32)) {
        if of_children {
            level.nodes.iter().flat_map(|node| self.children(*node)).for_each(each);
        } else {
            level.nodes.iter().copied().for_each(each);
        }
    }

    fn find(&self, pattern: &Pattern) -> Found<'_> {
        self.try_find(pattern).unwrap_or(Found::In(Vec::new()))
    }

    /// Nothing as soon as a component is carried by no id at all.
    fn try_find(&self, pattern: &Pattern) -> Option<Found<'_>> {
        let shape = pattern.shape();
        let wanted = |block: &[Token]| -> Option<Vec<Wanted>> {
            let number = |token: &Token| match token {
                Token::Literal { .. } => self.components.find(pattern.literal(*token).as_bytes()).map(Some),
                Token::One | Token::Rest => Some(None),
            };
            block.iter().map(number).collect()
        };
        let mut head = wanted(shape.head)?;
        let mut blocks =
            shape.gaps.iter().map(|gap| Some((gap.min as u32, wanted(gap.block)?))).collect::<Option<Vec<_>>>()?;
        // A wildcard at the very end asks for children, of which no list is needed.
        let last = blocks.last_mut().map_or(&mut head, |(_, block)| block);
        let of_children = last.pop_if(|wanted| wanted.is_none()).is_some();
        // Go down as far as the components are given: what follows is looked for in that subtree alone.
        let given = head.iter().take_while(|wanted| wanted.is_some()).count();
        let (mut node, mut depth) = (0, 0);
        for component in head[..given].iter().flatten() {
            depth += 1;
            node = self.child(node, self.carriers(*component, depth))?;
        }
        let top = Top { node, end: self.nodes.end[node as usize], depth };
        let mut levels = self.block(&Tops::new(vec![top], None), &head[given..]);
        for (min, block) in blocks {
            let tops = Tops::new(self.topmost(levels), Some(min));
            if block.is_empty() {
                // Only the last block can be.
                return Some(Found::In(self.below(tops.nodes, min)));
            }
            levels = self.block(&tops, &block);
        }
        Some(if of_children { Found::AtChildren(levels) } else { Found::At(levels) })
    }

    /// The nodes at which a block below the tops can end. A block behind a gap wants some component.
    fn block(&self, tops: &Tops, block: &[Wanted]) -> Vec<Level<'_>> {
        let Some(anchor) = self.anchor(tops, block) else {
            let level = |top: &Top| Level { depth: top.depth, nodes: Cow::Owned(vec![top.node]) };
            return tops.nodes.iter().map(|top| self.descend(level(top), block)).collect();
        };
        // Towards the top, what may be anything need not be looked at.
        let first = block.iter().position(Option::is_some).unwrap_or(anchor);
        let above = &block[first..anchor];
        let mut levels = Vec::new();
        for (depth, carriers) in self.candidates(tops, block, anchor) {
            let nodes = if tops.nodes.len() == 1 && above.is_empty() {
                // A single top is the highest: the candidates have been judged by it.
                Cow::Borrowed(carriers)
            } else {
                let mut next = 0;
                let follows = |node: &u32| {
                    next += gallop(&tops.nodes[next..], |top| top.end <= *node);
                    let top = tops.nodes.get(next);
                    top.is_some_and(|top| top.node < *node && tops.allow(top.depth, depth, anchor))
                        && self.rises(*node, above)
                };
                Cow::Owned(carriers.iter().copied().filter(follows).collect())
            };
            levels.push(self.descend(Level { depth, nodes }, &block[anchor + 1..]));
        }
        levels.retain(|level| !level.nodes.is_empty());
        levels
    }

    /// Which component of the block to begin with: the last one, whose carriers need only a look upwards, or an earlier
    /// one when all that hangs below its carriers is less.
    fn anchor(&self, tops: &Tops, block: &[Wanted]) -> Option<usize> {
        let count = |at| self.candidates(tops, block, at).map(|(_, carriers)| carriers.len()).sum::<usize>();
        let mut anchors = (0..block.len()).rev().filter(|at| block[*at].is_some());
        let mut best = anchors.next()?;
        let mut cost = count(best);
        for at in anchors {
            let mut sum = count(at);
            for &node in self.candidates(tops, block, at).flat_map(|(_, carriers)| carriers) {
                if sum >= cost {
                    break;
                }
                sum += (self.nodes.end[node as usize] - node) as usize;
            }
            if sum < cost {
                (best, cost) = (at, sum);
            }
        }
        Some(best)
    }

    /// The carriers of the component at a place of the block, by depth, as far as depth and range can tell.
    fn candidates<'a>(&'a self, tops: &Tops, block: &[Wanted], at: usize) -> impl Iterator<Item = (u32, &'a [u32])> {
        let groups = block[at].map(|component| self.groups(component, 0..u32::MAX)).into_iter().flatten();
        groups
            .filter(move |(depth, _)| tops.allow(tops.highest, *depth, at))
            .map(move |(depth, carriers)| (depth, between(carriers, tops.range.clone())))
    }

    /// Whether the nodes above carry what is wanted, read towards the root.
    fn rises(&self, node: u32, wanted: &[Wanted]) -> bool {
        let mut node = node as usize;
        wanted.iter().rev().all(|wanted| {
            node = self.nodes.parent[node] as usize;
            wanted.is_none_or(|component| self.nodes.component[node] == component)
        })
    }

    /// The nodes that what is wanted leads to, downwards.
    fn descend<'a>(&self, level: Level<'a>, wanted: &[Wanted]) -> Level<'a> {
        wanted.iter().fold(level, |Level { depth, nodes }, wanted| {
            let depth = depth + 1;
            let nodes = match wanted {
                None => nodes.iter().flat_map(|node| self.children(*node)).collect(),
                Some(component) => {
                    let mut carriers = self.carriers(*component, depth);
                    let below = |node: &u32| {
                        carriers = &carriers[gallop(carriers, |carrier| carrier <= node)..];
                        self.child(*node, carriers)
                    };
                    nodes.iter().filter_map(below).collect()
                }
            };
            Level { depth, nodes: Cow::Owned(nodes) }
        })
    }

    fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        let end = self.nodes.end[node as usize];
        let mut child = node + 1;
        std::iter::from_fn(move || {
            let this = child;
            (this < end).then(|| {
                child = self.nodes.end[this as usize];
                this
            })
        })
    }

    /// The child of the node among the carriers of one component at the children's depth.
    fn child(&self, node: u32, carriers: &[u32]) -> Option<u32> {
        let next = carriers.get(gallop(carriers, |carrier| *carrier <= node));
        next.copied().filter(|child| *child < self.nodes.end[node as usize])
    }

    /// The nodes that have no other of them above, in order.
    fn topmost(&self, levels: Vec<Level<'_>>) -> Vec<Top> {
        let mut all: Vec<u64> = Vec::with_capacity(levels.iter().map(|level| level.nodes.len()).sum());
        for Level { depth, nodes } in &levels {
            all.extend(nodes.iter().map(|node| u64::from(*node) << 32 | u64::from(*depth)));
        }
        // Levels are ascending each: such runs are what a stable sort is quick at.
        all.sort();
        let mut behind = 0;
        let top = |packed: u64| {
            let (node, depth) = ((packed >> 32) as u32, packed as u32);
            (node >= behind).then(|| {
                behind = self.nodes.end[node as usize];
                Top { node, end: behind, depth }
            })
        };
        all.into_iter().filter_map(top).collect()
    }

    /// The ids that are at least so many components longer than the tops.
    fn below(&self, tops: Vec<Top>, min: u32) -> Vec<Range<u32>> {
        let mut nodes: Vec<u32> = tops.into_iter().map(|top| top.node).collect();
        for _ in 1..min {
            nodes = nodes.into_iter().flat_map(|node| self.children(node)).collect();
        }
        let first = &self.nodes.first_id;
        let own = u32::from(min > 0);
        let mut ranges = Vec::new();
        let mut joined = Joined::new(|range| ranges.push(range));
        for node in nodes {
            let end = self.nodes.end[node as usize];
            joined.push(first[(node + own) as usize]..first[end as usize]);
        }
        joined.end();
        ranges
    }

    /// The nodes at one depth that carry a component.
    fn carriers(&self, component: u32, depth: u32) -> &[u32] {
        self.groups(component, depth..depth + 1).next().map_or(&[], |(_, carriers)| carriers)
    }

    /// The nodes that carry a component, by depth.
    fn groups(&self, component: u32, depths: Range<u32>) -> impl Iterator<Item = (u32, &[u32])> {
        let starts = &self.components.group_starts[component as usize..component as usize + 2];
        let groups = &self.components.groups[..];
        let (from, to) = (starts[0] as usize, starts[1] as usize);
        let skipped = groups[from..to].partition_point(|group| group.depth < depths.start);
        // The entry behind the last group says where that one ends.
        (from + skipped..to).map_while(move |n| {
            let range = groups[n].start as usize..groups[n + 1].start as usize;
            depths.contains(&groups[n].depth).then(|| (groups[n].depth, &self.nodes.carriers[range]))
        })
    }
}

impl Tops {
    fn new(nodes: Vec<Top>, gap: Option<u32>) -> Self {
        let highest = nodes.iter().map(|top| top.depth).min().unwrap_or_default();
        let range = nodes.first().map_or(0, |top| top.node + 1)..nodes.last().map_or(0, |top| top.end);
        Self { nodes, highest, range, gap }
    }

    /// Whether a block whose component number `at` lies at `depth` may follow a top at its depth.
    fn allow(&self, top: u32, depth: u32, at: usize) -> bool {
        let between = depth.checked_sub(top + at as u32 + 1);
        between.is_some_and(|between| self.gap.map_or(between == 0, |min| between >= min))
    }
}

/// The part of an ascending list that lies in the range.
fn between(nodes: &[u32], range: Range<u32>) -> &[u32] {
    let from = nodes.partition_point(|node| *node < range.start);
    let to = nodes.partition_point(|node| *node < range.end);
    &nodes[from..to.max(from)]
}

/// As `partition_point`, quick where the point is near the start.
fn gallop<T>(items: &[T], holds: impl Fn(&T) -> bool) -> usize {
    let mut bound = 1;
    while bound <= items.len() && holds(&items[bound - 1]) {
        bound *= 2;
    }
    let from = bound / 2;
    from + items[from..items.len().min(bound)].partition_point(holds)
}

/// Leaves out empty ranges and joins those that touch.
struct Joined<F> {
    last: Range<u32>,
    each: F,
}

impl<F: FnMut(Range<u32>)> Joined<F> {
    fn new(each: F) -> Self {
        Self { last: 0..0, each }
    }

    fn push(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        if self.last.end == range.start && !self.last.is_empty() {
            self.last.end = range.end;
        } else {
            self.flush();
            self.last = range;
        }
    }

    fn flush(&mut self) {
        if !self.last.is_empty() {
            (self.each)(self.last.clone());
        }
    }

    fn end(mut self) {
        self.flush();
    }
}
