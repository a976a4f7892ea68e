//! The automaton of Aho and Corasick over all forms: one step a byte, whatever the text and the forms are.
//!
//! Forms are long and few, so states lie in chains: the one that a form's next byte leads to is mostly the next one by
//! number, and only where forms part is there an entry in a table. A state takes 13 bytes.

use super::wiped::Wiped;

/// A state: the longest end of the text that a form begins with. Zero: nothing.
pub(super) type State = u32;

pub(super) const ROOT: State = 0;

/// The byte after this state in [`Automaton::next`] leads to the next state by number.
const CHAIN: u32 = 1;
/// Other bytes lead elsewhere, as the table says.
const BRANCH: u32 = 2;
const FLAG_BITS: u32 = 2;

#[derive(Clone, Copy, Default)]
struct Node {
    /// Where a byte that leads nowhere is tried again: the longest proper end of this state that is a state.
    fail: State,
    /// The state of the longest form that ends here; zero where none does.
    last: State,
    /// Length and flags.
    depth: u32,
}

pub(super) struct Automaton {
    nodes: Vec<Node>,
    next: Wiped,
    root: Box<[State; 256]>,
    table: Table,
    /// State and value of each form, by state.
    forms: Vec<(State, u32)>,
}

impl Automaton {
    /// Takes the forms one after the other: see [`Builder`].
    pub(super) fn builder() -> Builder {
        Builder::new()
    }

    /// The state after one more byte.
    #[inline]
    pub(super) fn step(&self, mut state: State, byte: u8) -> State {
        let next = self.next.as_slice();
        while state != ROOT {
            let node = &self.nodes[state as usize];
            if node.depth & CHAIN != 0 && next[state as usize] == byte {
                return state + 1;
            }
            if node.depth & BRANCH != 0
                && let Some(target) = self.table.get(state, byte)
            {
                return target;
            }
            state = node.fail;
        }
        self.root[byte as usize]
    }

    /// How many bytes of the text's end belong to a form that may go on.
    #[inline]
    pub(super) fn depth(&self, state: State) -> usize {
        (self.nodes[state as usize].depth >> FLAG_BITS) as usize
    }

    /// The longest form that ends in this state.
    #[inline]
    pub(super) fn last(&self, state: State) -> Option<State> {
        let last = self.nodes[state as usize].last;
        (last != ROOT).then_some(last)
    }

    /// The same state, or the next shorter one that a form goes on from.
    #[inline]
    pub(super) fn open(&self, state: State) -> State {
        let node = &self.nodes[state as usize];
        if node.depth & (CHAIN | BRANCH) == 0 { node.fail } else { state }
    }

    /// The value that a form is one of.
    pub(super) fn value_of(&self, form: State) -> u32 {
        self.forms.binary_search_by_key(&form, |(state, _)| *state).map_or(0, |at| self.forms[at].1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The length of the shortest form.
    pub(super) fn shortest(&self) -> usize {
        self.forms.iter().map(|(state, _)| self.depth(*state)).min().unwrap_or(0)
    }

    /// All beginnings of forms that have this length, each once.
    pub(super) fn beginnings(&self, length: usize, see: &mut dyn FnMut(&[u8])) {
        let mut path = Wiped::with_capacity(length);
        self.walk(ROOT, length, &mut path, see);
    }

    fn walk(&self, state: State, length: usize, path: &mut Wiped, see: &mut dyn FnMut(&[u8])) {
        if path.len() == length {
            return see(path.as_slice());
        }
        let mut down = |byte: u8, target: State, path: &mut Wiped| {
            let used = path.len();
            path.push(byte);
            self.walk(target, length, path, see);
            path.cut(used);
        };
        if state == ROOT {
            for (byte, target) in self.root.iter().enumerate().filter(|(_, target)| **target != ROOT) {
                down(byte as u8, *target, path);
            }
            return;
        }
        let flags = self.nodes[state as usize].depth;
        if flags & CHAIN != 0 {
            down(self.next.as_slice()[state as usize], state + 1, path);
        }
        if flags & BRANCH != 0 {
            for byte in 0..=255 {
                if let Some(target) = self.table.get(state, byte) {
                    down(byte, target, path);
                }
            }
        }
    }
}

/// Where forms part: state and byte to state. Open addressing; at most half full.
struct Table {
    slots: Vec<(u64, State)>,
    used: usize,
}

impl Table {
    const EMPTY: u64 = 0;

    fn new(capacity: usize) -> Self {
        Self { slots: vec![(Self::EMPTY, ROOT); capacity], used: 0 }
    }

    /// The root has its own table, so that no key is zero.
    fn key(state: State, byte: u8) -> u64 {
        (u64::from(state) << 8) | u64::from(byte)
    }

    /// The slot of a key, or the one where it belongs.
    #[inline]
    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.slots[at].0 != key && self.slots[at].0 != Self::EMPTY {
            at = (at + 1) & mask;
        }
        at
    }

    #[inline]
    fn get(&self, state: State, byte: u8) -> Option<State> {
        let (_, target) = self.slots[self.slot(Self::key(state, byte))];
        (target != ROOT).then_some(target)
    }

    fn insert(&mut self, state: State, byte: u8, target: State) {
        if self.used * 2 >= self.slots.len() {
            let larger = vec![(Self::EMPTY, ROOT); self.slots.len() * 2];
            let mut old = std::mem::replace(&mut self.slots, larger);
            for (key, target) in old.iter().filter(|(key, _)| *key != Self::EMPTY) {
                let at = self.slot(*key);
                self.slots[at] = (*key, *target);
            }
            wipe(&mut old);
        }
        let key = Self::key(state, byte);
        let at = self.slot(key);
        self.slots[at] = (key, target);
        self.used += 1;
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        wipe(&mut self.slots);
    }
}

fn wipe(slots: &mut [(u64, State)]) {
    for (key, target) in slots {
        zeroize::Zeroize::zeroize(key);
        zeroize::Zeroize::zeroize(target);
    }
}

/// Takes forms in, and makes the automaton of them.
pub(super) struct Builder {
    made: Automaton,
    /// Where forms part: state, byte and target, in the order in which they came.
    edges: Vec<(State, u8, State)>,
}

impl Builder {
    fn new() -> Self {
        let mut next = Wiped::with_capacity(4096);
        next.push(0);
        let made = Automaton {
            nodes: vec![Node::default()],
            next,
            root: Box::new([ROOT; 256]),
            table: Table::new(64),
            forms: Vec::new(),
        };
        Self { made, edges: Vec::new() }
    }

    /// Adds a form of a value. The same form of another value keeps the first one's.
    pub(super) fn add(&mut self, form: &[u8], value: u32) {
        let made = &mut self.made;
        let mut state = ROOT;
        let mut rest = form;
        while let Some((byte, after)) = rest.split_first() {
            let depth = made.nodes[state as usize].depth;
            let target = match state {
                ROOT => made.root[*byte as usize],
                _ if depth & CHAIN != 0 && made.next.as_slice()[state as usize] == *byte => state + 1,
                _ if depth & BRANCH != 0 => made.table.get(state, *byte).unwrap_or(ROOT),
                _ => ROOT,
            };
            if target == ROOT {
                break;
            }
            (state, rest) = (target, after);
        }
        if let Some((byte, after)) = rest.split_first() {
            state = self.part(state, *byte);
            self.chain(state, after);
            state += after.len() as u32;
        }
        if form.is_empty() || self.made.nodes[state as usize].last != ROOT {
            return;
        }
        self.made.nodes[state as usize].last = state;
        self.made.forms.push((state, value));
    }

    fn new_state(&mut self, depth: u32) -> State {
        self.made.nodes.push(Node { depth: depth << FLAG_BITS, ..Node::default() });
        self.made.next.push(0);
        self.made.nodes.len() as State - 1
    }

    /// A new state after this one. The last one made has nothing behind it yet, and gets a chain.
    fn part(&mut self, state: State, byte: u8) -> State {
        let depth = self.made.depth(state) as u32;
        if state != ROOT && state as usize + 1 == self.made.nodes.len() {
            self.chain(state, &[byte]);
            return state + 1;
        }
        let target = self.new_state(depth + 1);
        if state == ROOT {
            self.made.root[byte as usize] = target;
        } else {
            self.made.nodes[state as usize].depth |= BRANCH;
            self.made.table.insert(state, byte, target);
        }
        self.edges.push((state, byte, target));
        target
    }

    /// New states after the last one made.
    fn chain(&mut self, state: State, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let first = self.made.depth(state) as u32 + 1;
        self.made.nodes[state as usize].depth |= CHAIN;
        self.made.next.set(state as usize, bytes[0]);
        let count = bytes.len() as u32;
        self.made.nodes.extend((0..count).map(|at| Node {
            depth: ((first + at) << FLAG_BITS) | if at + 1 < count { CHAIN } else { 0 },
            ..Node::default()
        }));
        self.made.next.extend(&bytes[1..]);
        self.made.next.push(0);
    }

    /// Finds where each state goes when a byte leads nowhere, level by level.
    pub(super) fn finish(mut self) -> Automaton {
        self.edges.sort_unstable();
        let made = &mut self.made;
        let mut level: Vec<State> = made.root.iter().copied().filter(|state| *state != ROOT).collect();
        let mut below = Vec::new();
        while !level.is_empty() {
            for &state in &level {
                let Node { fail, depth, .. } = made.nodes[state as usize];
                if depth & CHAIN != 0 {
                    made.enter(state + 1, fail, made.next.as_slice()[state as usize]);
                    below.push(state + 1);
                }
                if depth & BRANCH != 0 {
                    let first = self.edges.partition_point(|(from, ..)| *from < state);
                    for &(_, byte, target) in self.edges[first..].iter().take_while(|(from, ..)| *from == state) {
                        made.enter(target, fail, byte);
                        below.push(target);
                    }
                }
            }
            std::mem::swap(&mut level, &mut below);
            below.clear();
        }
        made.forms.sort_unstable();
        for (from, byte, target) in &mut self.edges {
            zeroize::Zeroize::zeroize(from);
            zeroize::Zeroize::zeroize(byte);
            zeroize::Zeroize::zeroize(target);
        }
        self.made
    }
}

impl Automaton {
    /// Sets what a state inherits from the shorter ones: `fail` is that of the state before it.
    fn enter(&mut self, state: State, fail: State, byte: u8) {
        let shorter = self.step(fail, byte);
        let (fail, last) = (self.open(shorter), self.nodes[shorter as usize].last);
        let node = &mut self.nodes[state as usize];
        node.fail = fail;
        if node.last == ROOT {
            node.last = last;
        }
    }
}
