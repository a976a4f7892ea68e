//! Where values live: small ones share pages, since the memory a process may lock is scarce; others have their own.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::region::{Region, wipe};

/// Slots come in powers of two from here …
const SMALLEST_SLOT: usize = 32;
/// … up to here. Longer values get pages of their own.
const LARGEST_SLOT: usize = 4 << 10;
const CLASSES: usize = (LARGEST_SLOT / SMALLEST_SLOT).ilog2() as usize + 1;
/// What a slab of slots takes: as little as a region can.
const SLAB_BYTES: usize = 16 << 10;

static POOL: Mutex<Pool> = Mutex::new(Pool { next: 0, slabs: BTreeMap::new(), open: [const { Vec::new() }; CLASSES] });

/// Every region in use, so that all values can be wiped.
struct Pool {
    next: u64,
    slabs: BTreeMap<u64, Slab>,
    /// For each class of slots, the slabs that have a free one.
    open: [Vec<u64>; CLASSES],
}

/// A region divided into slots of one size; an own region is a slab with one slot.
struct Slab {
    region: Region,
    /// Offsets of the free slots. Free slots are zeroed.
    free: Vec<u32>,
    slots: usize,
}

/// A place for one value: zeroed memory that is nobody else's until it is given back.
pub(super) struct Place {
    pub(super) start: NonNull<u8>,
    slab: u64,
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn class_of(len: usize) -> Option<usize> {
    (len <= LARGEST_SLOT).then(|| (len.next_power_of_two().max(SMALLEST_SLOT) / SMALLEST_SLOT).ilog2() as usize)
}

impl Pool {
    fn add(&mut self, len: usize, free: Vec<u32>, slots: usize) -> std::io::Result<u64> {
        let region = Region::new(len)?;
        let key = self.next;
        self.next += 1;
        self.slabs.insert(key, Slab { region, free, slots });
        Ok(key)
    }

    fn take(&mut self, len: usize) -> std::io::Result<Place> {
        let Some(class) = class_of(len) else {
            let key = self.add(len, Vec::new(), 1)?;
            return Ok(Place { start: self.slabs[&key].region.start(), slab: key });
        };
        let slot = SMALLEST_SLOT << class;
        let key = match self.open[class].last() {
            Some(&key) => key,
            None => {
                let free: Vec<u32> = (0..SLAB_BYTES as u32).step_by(slot).rev().collect();
                let slots = free.len();
                let key = self.add(SLAB_BYTES, free, slots)?;
                self.open[class].push(key);
                key
            }
        };
        let slab = self.slabs.get_mut(&key).expect("an open slab exists");
        let offset = slab.free.pop().expect("an open slab has a free slot");
        // SAFETY: offsets of slots lie inside their region.
        let start = unsafe { slab.region.start().add(offset as usize) };
        if slab.free.is_empty() {
            self.open[class].pop();
        }
        Ok(Place { start, slab: key })
    }

    fn give_back(&mut self, place: &Place, len: usize) {
        let slab = self.slabs.get_mut(&place.slab).expect("a place belongs to a slab");
        let Some(class) = class_of(len) else {
            self.slabs.remove(&place.slab);
            return;
        };
        slab.free.push((place.start.addr().get() - slab.region.start().addr().get()) as u32);
        let (free, slots) = (slab.free.len(), slab.slots);
        if free == 1 {
            self.open[class].push(place.slab);
        } else if free == slots && self.open[class].len() > 1 {
            // One slab with room stays, so that a value made and dropped again and again costs no system call.
            self.open[class].retain(|key| *key != place.slab);
            self.slabs.remove(&place.slab);
        }
    }
}

/// Takes a zeroed place for `len` bytes, which must not be zero.
///
/// # Panics
/// When the system has no memory left.
pub(super) fn take(len: usize) -> Place {
    match pool().take(len) {
        Ok(place) => place,
        Err(error) => panic!("no memory for a value of {len} bytes: {error}"),
    }
}

/// Wipes a place and gives it back.
///
/// # Safety
/// The place must come from `take` with this length, and nobody may use it any more.
pub(super) unsafe fn give_back(place: &Place, len: usize) {
    // SAFETY: as the caller promises.
    unsafe { wipe(place.start, len) };
    pool().give_back(place, len);
}

/// Zeroes every place in use, and says whether it could.
///
/// # Safety
/// No other thread may use a value at the same time.
pub(super) unsafe fn wipe_all() -> bool {
    let pool = match POOL.try_lock() {
        Ok(pool) => pool,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // A thread that the system stopped in the middle, as Windows does at exit, keeps its lock for ever.
        Err(TryLockError::WouldBlock) => return false,
    };
    for slab in pool.slabs.values() {
        // SAFETY: the region is mapped while its slab exists; no one uses it, as the caller promises.
        unsafe { wipe(slab.region.start(), slab.region.len()) };
    }
    true
}

/// What the system granted for the slab of this place, and how many bytes of all are not locked.
pub(super) fn protection_of(place: &Place) -> (bool, bool, usize) {
    let pool = pool();
    let unlocked = pool.slabs.values().filter(|slab| !slab.region.locked).map(|slab| slab.region.len()).sum();
    let region = &pool.slabs[&place.slab].region;
    (region.locked, region.excluded_from_core, unlocked)
}
