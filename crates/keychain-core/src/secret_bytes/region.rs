//! Pages of memory straight from the system: locked and kept out of core dumps where it allows.

use std::io;
use std::ptr::NonNull;

/// Whole pages, zeroed by the system when given out. Who used them wipes them.
pub(super) struct Region {
    start: NonNull<u8>,
    len: usize,
    /// Whether the pages stay out of swap.
    pub(super) locked: bool,
    /// Whether the pages stay out of core dumps.
    pub(super) excluded_from_core: bool,
}

// SAFETY: a region is plain memory that belongs to nobody else; nothing about it is tied to a thread.
unsafe impl Send for Region {}

impl Region {
    /// Takes pages for at least `len` bytes, which must not be zero. Locking them may fail, and is reported only.
    pub(super) fn new(len: usize) -> io::Result<Self> {
        let len = len.next_multiple_of(system::PAGE);
        let start = system::map(len)?;
        // SAFETY: the pages were just mapped, with this length.
        let (locked, excluded_from_core) = unsafe { (system::lock(start, len), system::exclude(start, len)) };
        Ok(Self { start, len, locked, excluded_from_core })
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the pages are ours, mapped with this length, and nothing points into them after the last owner.
        unsafe { system::unmap(self.start, self.len) };
    }
}

/// Zeroes memory, even when nobody reads it afterwards.
///
/// # Safety
/// The bytes must be valid for writes, and no other thread may use them at the same time.
pub(super) unsafe fn wipe(start: NonNull<u8>, len: usize) {
    // SAFETY: as the caller promises.
    unsafe { start.as_ptr().write_bytes(0, len) };
    // The optimiser must take it that somebody looks at what the pointer points to, and cannot leave the write out.
    std::hint::black_box(start.as_ptr());
}

#[cfg(unix)]
mod system {
    use std::ptr::{NonNull, null_mut};

    use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous, munmap};

    /// A multiple of the usual page sizes, 4 and 16 KiB; where pages are longer, the system rounds up by itself.
    pub(super) const PAGE: usize = 16 << 10;

    pub(super) fn map(len: usize) -> std::io::Result<NonNull<u8>> {
        // SAFETY: a new private mapping at an address of the system's choice touches no memory of anyone.
        let start = unsafe { mmap_anonymous(null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }?;
        NonNull::new(start.cast()).ok_or_else(|| std::io::ErrorKind::OutOfMemory.into())
    }

    /// # Safety
    /// The pages must be mapped.
    pub(super) unsafe fn lock(start: NonNull<u8>, len: usize) -> bool {
        // SAFETY: locking changes neither content nor validity of the pages.
        unsafe { mlock(start.as_ptr().cast(), len) }.is_ok()
    }

    /// # Safety
    /// The pages must be mapped.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) unsafe fn exclude(start: NonNull<u8>, len: usize) -> bool {
        // SAFETY: this advice changes neither content nor validity of the pages.
        unsafe { rustix::mm::madvise(start.as_ptr().cast(), len, rustix::mm::Advice::LinuxDontDump) }.is_ok()
    }

    /// # Safety
    /// None: there is no such call here.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) unsafe fn exclude(_start: NonNull<u8>, _len: usize) -> bool {
        false
    }

    /// # Safety
    /// The pages must come from `map` with this length, and nothing may point into them any more.
    pub(super) unsafe fn unmap(start: NonNull<u8>, len: usize) {
        // SAFETY: as the caller promises. Unmapping unlocks. Failure would leave wiped pages, which harms nobody.
        let _ = unsafe { munmap(start.as_ptr().cast(), len) };
    }
}

#[cfg(windows)]
mod system {
    use std::ptr::{NonNull, null};

    use windows_sys::Win32::System::Memory::{
        MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree, VirtualLock,
    };

    /// A multiple of the page size (4 KiB).
    pub(super) const PAGE: usize = 16 << 10;

    pub(super) fn map(len: usize) -> std::io::Result<NonNull<u8>> {
        // SAFETY: new pages at an address of the system's choice touch no memory of anyone.
        let start = unsafe { VirtualAlloc(null(), len, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE) };
        NonNull::new(start.cast()).ok_or_else(std::io::Error::last_os_error)
    }

    /// # Safety
    /// The pages must be mapped.
    pub(super) unsafe fn lock(start: NonNull<u8>, len: usize) -> bool {
        // SAFETY: locking changes neither content nor validity of the pages.
        unsafe { VirtualLock(start.as_ptr().cast(), len) != 0 }
    }

    /// # Safety
    /// None: there is no such call here.
    pub(super) unsafe fn exclude(_start: NonNull<u8>, _len: usize) -> bool {
        false
    }

    /// # Safety
    /// The pages must come from `map`, and nothing may point into them any more.
    pub(super) unsafe fn unmap(start: NonNull<u8>, _len: usize) {
        // SAFETY: as the caller promises. Freeing unlocks. Failure would leave wiped pages, which harms nobody.
        unsafe { VirtualFree(start.as_ptr().cast(), 0, MEM_RELEASE) };
    }
}
