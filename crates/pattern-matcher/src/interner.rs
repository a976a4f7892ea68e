//! Distinct components as numbers, so that they are compared and hashed once.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Numbers components from 0 in the order of their first appearance.
pub(crate) struct Interner {
    seed: u64,
    text: Vec<u8>,
    /// Where each component ends in `text`; it begins where the one before ends.
    ends: Vec<u32>,
    /// Open addressing, a power of two in size and at most half full. A slot holds 32 bits of hash above the number
    /// plus one; 0 is free.
    table: Vec<u64>,
}

impl Interner {
    pub(crate) fn new() -> Self {
        // Seeded, so that nobody can choose components that collide.
        let seed = RandomState::new().build_hasher().finish();
        Self { seed, text: Vec::new(), ends: Vec::new(), table: vec![0; 16] }
    }

    /// How many distinct components there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all distinct components together.
    pub(crate) fn text_len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start as usize..self.ends[number] as usize]
    }

    /// The number of a component that was interned before.
    pub(crate) fn find(&self, component: &[u8]) -> Option<u32> {
        let hash = self.hash(component);
        match self.table[self.slot(hash, component)] {
            0 => None,
            entry => Some(entry as u32 - 1),
        }
    }

    pub(crate) fn intern(&mut self, component: &[u8]) -> u32 {
        let hash = self.hash(component);
        let slot = self.slot(hash, component);
        if self.table[slot] != 0 {
            return self.table[slot] as u32 - 1;
        }
        let number = self.ends.len() as u32;
        self.text.extend_from_slice(component);
        self.ends.push(self.text.len() as u32);
        self.table[slot] = u64::from(hash) << 32 | u64::from(number + 1);
        if self.ends.len() * 2 > self.table.len() {
            self.grow();
        }
        number
    }

    /// The slot that holds the component, or the free one where it belongs.
    fn slot(&self, hash: u32, component: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.table[slot];
            if entry == 0 || ((entry >> 32) as u32 == hash && self.get(entry as u32 - 1) == component) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        let mut table = vec![0; mask + 1];
        for entry in self.table.iter().filter(|entry| **entry != 0) {
            let mut slot = (entry >> 32) as usize & mask;
            while table[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            table[slot] = *entry;
        }
        self.table = table;
    }

    /// Eight bytes at a time, each folded in by a full multiplication (as wyhash does).
    fn hash(&self, component: &[u8]) -> u32 {
        let mut hash = self.seed;
        let (chunks, tail) = component.as_chunks::<8>();
        for chunk in chunks {
            hash = fold(hash ^ u64::from_le_bytes(*chunk));
        }
        let mut last = [0; 8];
        last[..tail.len()].copy_from_slice(tail);
        // The length goes in as well: otherwise a NUL at the end would be no difference.
        fold(fold(hash ^ u64::from_le_bytes(last)) ^ component.len() as u64) as u32
    }
}

fn fold(word: u64) -> u64 {
    let product = u128::from(word ^ 0xa076_1d64_78bd_642f) * 0xe703_7ed1_a0b4_28db;
    (product >> 64) as u64 ^ product as u64
}
