//! Gives memory that was freed back to the system.

/// Gives the pages that the allocator keeps for later back to the system (glibc's `malloc_trim`). Other allocators do so by
/// themselves, and nothing happens. Takes about a millisecond.
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes an integer, and its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::trim_memory;

    fn resident_bytes() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10
    }

    #[test]
    fn freed_memory_below_what_is_still_used_goes_back_to_the_system() {
        const BLOCK_BYTES: usize = 1 << 10;
        const BYTES: usize = 64 << 20;
        let blocks: Vec<Box<[u8]>> = (0..BYTES / BLOCK_BYTES).map(|_| vec![1; BLOCK_BYTES].into()).collect();
        // The last block lies behind them: what is freed by itself is the end of the memory alone.
        let last = vec![1_u8; BLOCK_BYTES];
        drop(blocks);
        let before = resident_bytes();
        trim_memory();
        assert!(resident_bytes() + BYTES / 2 < before);
        drop(last);
    }
}
