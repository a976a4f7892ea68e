//! Standard streams, where this program itself reads and writes them.

/// Whether a standard stream is there. Closed, its number would be that of the next descriptor.
pub(crate) fn is_open(fd: i32) -> bool {
    // SAFETY: fcntl with integers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// A reader that goes away is no failure, and a file that may not become larger is one to be told: neither must end this
/// process.
pub(crate) struct Quiet([(libc::c_int, libc::sighandler_t); 2]);

impl Quiet {
    pub(crate) fn begin() -> Self {
        // SAFETY: an ignored signal runs no code.
        Self([libc::SIGPIPE, libc::SIGXFSZ].map(|signal| (signal, unsafe { libc::signal(signal, libc::SIG_IGN) })))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        for (signal, before) in self.0 {
            // SAFETY: what was there before: ignored, or the default.
            unsafe { libc::signal(signal, before) };
        }
    }
}
