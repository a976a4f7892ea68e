//! Secrets as files in memory, which a command inherits.

/// Files that are there as long as this is, and with the command when that has got them. Linux alone has such files.
#[derive(Default)]
pub(crate) struct MemoryFiles(#[cfg(target_os = "linux")] Vec<process_core::MemoryFile>);

#[cfg(target_os = "linux")]
impl MemoryFiles {
    /// Puts a value into a file, and answers with its path in this process.
    pub(crate) fn add(&mut self, value: &[u8]) -> Option<String> {
        let _quiet = crate::output::Quiet::begin();
        let access = process_core::Access::new(0o400, None).ok()?;
        let file = process_core::MemoryFile::create(value, access).ok()?;
        let path = file.path(std::process::id());
        self.0.push(file);
        Some(path)
    }

    /// Lets the programs that come next have them.
    pub(crate) fn pass_on(&self) {
        for file in &self.0 {
            // SAFETY: an open descriptor and integers.
            unsafe { libc::fcntl(file.descriptor(), libc::F_SETFD, 0) };
        }
    }

    /// Leaves them to the parent of a command, which closes what the command inherits.
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }
}

#[cfg(not(target_os = "linux"))]
impl MemoryFiles {
    pub(crate) fn add(&mut self, _value: &[u8]) -> Option<String> {
        None
    }

    pub(crate) fn pass_on(&self) {}

    pub(crate) fn leave(self) {}
}
