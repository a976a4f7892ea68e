//! What the processes around a command do not keep open: who waits for the end of a pipe would wait for them.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};

use crate::descriptors::open_descriptors;

/// Closes what the command has inherited as well, and puts nothing in the place of the standard streams; but for those in
/// `kept`. What is marked close-on-exec is ours, and stays.
pub(super) fn let_go(kept: &[RawFd]) {
    let inherited = open_descriptors().into_iter().filter(|(_, is_marked)| !is_marked).map(|(fd, _)| fd);
    let nothing = File::options().read(true).write(true).open("/dev/null");
    for fd in inherited.filter(|fd| !kept.contains(fd)) {
        // SAFETY: the standard streams and what came with this process's start are in no object of ours.
        unsafe {
            match &nothing {
                Ok(nothing) if fd <= 2 => libc::dup2(nothing.as_raw_fd(), fd),
                _ => libc::close(fd),
            };
        }
    }
}

/// Puts something in the place of standard streams that are closed, so that nothing of ours gets their numbers. The command
/// finds them closed.
pub(super) fn hold_places() {
    for fd in 0..3 {
        // SAFETY: both calls take integers and a constant. The lowest free number is given, so the place is filled.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) < 0 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
            }
        }
    }
}

/// Closes what is marked close-on-exec, but for those in `kept`. Only for a fork, which does not use what else it got of
/// its original, and ends without dropping it.
pub(super) fn keep_only(kept: &[RawFd]) {
    for (fd, is_marked) in open_descriptors() {
        if is_marked && !kept.contains(&fd) {
            // SAFETY: the caller uses none of these any more.
            unsafe { libc::close(fd) };
        }
    }
}

/// What the system knows of what is behind a descriptor. None: nothing is.
pub(super) fn facts(fd: RawFd) -> Option<libc::stat> {
    let mut facts = MaybeUninit::uninit();
    // SAFETY: the system writes a whole structure where it answers 0.
    unsafe { (libc::fstat(fd, facts.as_mut_ptr()) == 0).then(|| facts.assume_init()) }
}

/// The kind of file, as `S_IFMT` has it.
pub(super) fn kind_of(facts: &libc::stat) -> libc::mode_t {
    facts.st_mode & libc::S_IFMT
}

/// The kind of file that is behind a descriptor; 0 where nothing is.
pub(super) fn file_kind(fd: RawFd) -> libc::mode_t {
    facts(fd).map_or(0, |facts| kind_of(&facts))
}
