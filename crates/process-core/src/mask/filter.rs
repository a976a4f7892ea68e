//! Finds where in a text a form may begin, at a fraction of what the automaton takes.
//!
//! Each form begins with `window` bytes, at most 8. A text that holds them holds one of their blocks of `block` bytes at every
//! `stride`-th place, so only the blocks at every `stride`-th place are looked at; where one is known, the places before it
//! from which a form may begin are looked at as a whole. Both tables are sets of hashes: they may take a place for a
//! beginning that is none, and never overlook one.

use zeroize::Zeroize;

use super::automaton::Automaton;

/// Longest beginning that is looked at.
const LONGEST_WINDOW: usize = 8;

pub(super) struct Filter {
    window: usize,
    block: usize,
    stride: usize,
    /// For each hash of a block, at which places of a beginning it stands: one bit each.
    blocks: Vec<u8>,
    block_shift: u32,
    /// Hashes of beginnings, one bit each.
    beginnings: Vec<u64>,
    beginning_shift: u32,
}

impl Filter {
    pub(super) fn new(automaton: &Automaton) -> Self {
        let window = automaton.shortest().min(LONGEST_WINDOW);
        // Blocks of four bytes tell apart more, blocks of three leave a longer stride where the beginnings are short.
        let block = if window >= 7 { 4 } else { 3 };
        let stride = window + 1 - block;
        let mut count = 0_usize;
        automaton.beginnings(window, &mut |_| count += 1);
        let block_bits = (count * stride * 32).next_power_of_two().ilog2().clamp(12, 17);
        let beginning_bits = (count * 64).next_power_of_two().ilog2().clamp(12, 24);
        let mut filter = Self {
            window,
            block,
            stride,
            blocks: vec![0; 1 << block_bits],
            block_shift: 32 - block_bits,
            beginnings: vec![0; 1 << (beginning_bits - 6)],
            beginning_shift: 64 - beginning_bits,
        };
        automaton.beginnings(window, &mut |beginning| {
            let mut padded = [0; LONGEST_WINDOW + 4];
            padded[..window].copy_from_slice(beginning);
            for place in 0..stride {
                let slot = filter.block_slot(&padded[place..]);
                filter.blocks[slot] |= 1 << place;
            }
            let slot = filter.beginning_slot(&padded);
            filter.beginnings[slot >> 6] |= 1 << (slot & 63);
            padded.zeroize();
        });
        filter
    }

    /// How many bytes of a form must be there to tell that it may begin.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// The first place from `from` on where a form may begin; where the text is too short to tell, the first such place.
    pub(super) fn find(&self, text: &[u8], from: usize) -> usize {
        match (self.stride, self.block) {
            (5, 4) => self.scan::<5, 4>(text, from),
            (4, 4) => self.scan::<4, 4>(text, from),
            (4, 3) => self.scan::<4, 3>(text, from),
            _ => self.scan::<3, 3>(text, from),
        }
    }

    #[inline]
    fn scan<const STRIDE: usize, const BLOCK: usize>(&self, text: &[u8], from: usize) -> usize {
        let mut at = from + STRIDE - 1;
        loop {
            // Four blocks at once, until one is known: most texts have none.
            while let Some(blocks) = text.get(at..at + 3 * STRIDE + 4) {
                let slot = |place: usize| self.slot_of::<BLOCK>(&blocks[place * STRIDE..]);
                let slots = [slot(0), slot(1), slot(2), slot(3)];
                if slots.iter().fold(0, |known, slot| known | self.blocks[*slot]) != 0 {
                    break;
                }
                at += 4 * STRIDE;
            }
            let Some(block) = text.get(at..at + 4) else { return at + 1 - STRIDE };
            let mut places = self.blocks[self.slot_of::<BLOCK>(block)];
            while places != 0 {
                // The highest bit is the earliest place where a form may begin.
                let place = 7 - places.leading_zeros() as usize;
                let start = at - place;
                match text.get(start..start + LONGEST_WINDOW) {
                    Some(beginning) if !self.is_beginning(beginning) => places &= !(1 << place),
                    _ => return start,
                }
            }
            at += STRIDE;
        }
    }

    #[inline]
    fn is_beginning(&self, bytes: &[u8]) -> bool {
        let slot = self.beginning_slot(bytes);
        self.beginnings[slot >> 6] & (1 << (slot & 63)) != 0
    }

    fn block_slot(&self, bytes: &[u8]) -> usize {
        if self.block == 4 { self.slot_of::<4>(bytes) } else { self.slot_of::<3>(bytes) }
    }

    #[inline(always)]
    fn slot_of<const BLOCK: usize>(&self, bytes: &[u8]) -> usize {
        let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let word = if BLOCK == 3 { word & 0x00ff_ffff } else { word };
        (word.wrapping_mul(0x9e37_79b1) >> self.block_shift) as usize
    }

    #[inline]
    fn beginning_slot(&self, bytes: &[u8]) -> usize {
        let word = u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]);
        let word = word << (8 * (LONGEST_WINDOW - self.window));
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.beginning_shift) as usize
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        self.blocks.zeroize();
        self.beginnings.zeroize();
    }
}
