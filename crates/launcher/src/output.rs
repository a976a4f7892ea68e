//! Standard streams, where this program itself reads and writes them.

/// Whether a standard stream is there. Closed, its number would be that of the next descriptor.
pub(crate) fn is_open(fd: i32) -> bool {
    // SAFETY: fcntl with integers.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// A reader that goes away is no failure, and must not end this process.
pub(crate) struct Quiet(libc::sighandler_t);

impl Quiet {
    pub(crate) fn begin() -> Self {
        // SAFETY: an ignored signal runs no code.
        Self(unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: what was there before: ignored, or the default.
        unsafe { libc::signal(libc::SIGPIPE, self.0) };
    }
}
