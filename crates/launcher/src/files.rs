//! Files that are read whole, as long as they are files: what a pipe holds is there only once, and JavaScript's.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

/// What was read, whose it is and who may write it.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) uid: u32,
    pub(crate) mode: u32,
}

/// The text of a file; `Some(None)` when nothing is there. None: anything but a file of UTF-8 that can be read.
pub(crate) fn read(path: &str) -> Option<Option<Text>> {
    match fs::metadata(path) {
        Ok(facts) if facts.is_file() => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Some(None),
        _ => return None,
    }
    // Another may have taken its place: a pipe is opened without waiting then, and left alone.
    let mut file: File =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).ok()?;
    let facts = file.metadata().ok()?;
    if !facts.is_file() {
        return None;
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    Some(Some(Text { text, uid: facts.uid(), mode: facts.mode() }))
}
