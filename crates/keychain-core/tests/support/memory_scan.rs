//! Looks for bytes in all memory of this process.

use std::fs::{File, read_to_string};
use std::os::unix::fs::FileExt;

const MASK: u8 = 0xa5;

/// A value that nobody has in memory: only its masked form exists until it is written somewhere.
pub(crate) struct Canary(Vec<u8>);

impl Canary {
    pub(crate) fn new(len: usize) -> Self {
        let mut masked = vec![0; len];
        File::open("/dev/urandom").and_then(|mut random| std::io::Read::read_exact(&mut random, &mut masked)).unwrap();
        // No zero in the value, lest a part that was overwritten looks like one that matches.
        masked.iter_mut().filter(|byte| **byte == MASK).for_each(|byte| *byte = 0);
        Self(masked)
    }

    pub(crate) fn write_to(&self, target: &mut [u8]) {
        target.iter_mut().zip(&self.0).for_each(|(target, masked)| *target = masked ^ MASK);
    }

    /// How often 16 bytes of the value, from its start, are found in the memory of this process.
    pub(crate) fn count_in_memory(&self) -> usize {
        let maps = read_to_string("/proc/self/maps").unwrap();
        let memory = File::open("/proc/self/mem").unwrap();
        let needle = &self.0[..16];
        // One page more than is looked at each time, so that nothing is missed across the edge.
        let mut window = vec![0; (64 << 10) + 15];
        let own = window.as_ptr() as u64..window.as_ptr() as u64 + window.len() as u64;
        let mut count = 0;
        for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
            let mut at = start;
            while at < end {
                let len = window.len().min((end - at) as usize);
                // A page may have gone since the list was read.
                if memory.read_exact_at(&mut window[..len], at).is_ok() {
                    let first = needle[0] ^ MASK;
                    let mut from = 0;
                    while let Some(found) = window[from..len].iter().position(|byte| *byte == first) {
                        let offset = from + found;
                        from = offset + 1;
                        let found = window[..len].get(offset..offset + 16);
                        let matches =
                            |bytes: &[u8]| bytes.iter().zip(needle).all(|(byte, masked)| byte ^ MASK == *masked);
                        count += usize::from(!own.contains(&(at + offset as u64)) && found.is_some_and(matches));
                    }
                }
                at += 64 << 10;
            }
        }
        window.fill(0);
        std::hint::black_box(&window);
        count
    }
}
