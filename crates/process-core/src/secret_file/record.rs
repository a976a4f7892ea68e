//! What is told about files beside them: where they are and how they are known again, never what is in them. Whoever
//! removes a file after a crash reads it here, and removes nothing else. A path that ends in `/` is that of a folder, which
//! goes with all that is in it.
//!
//! A record is a file of its own in the user's runtime folder. The process that made it holds a lock on it, which ends
//! with the process, however that ends, and which no fork of it shares.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::access::own_user;
use super::folder::remove_all;
use crate::output::random_name;

/// How a file is known again: nothing else that lies at its path is taken for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    user: u32,
    /// When it was made, in nanoseconds; 0 where the file system does not keep it, or the C library does not tell.
    made: u128,
}

impl PartialEq for Identity {
    /// The launcher, which is linked with musl, makes the note, and the addon may read it: a time counts where both have one.
    fn eq(&self, other: &Self) -> bool {
        let facts = |one: &Self| (one.device, one.inode, one.user);
        facts(self) == facts(other) && (self.made == other.made || self.made == 0 || other.made == 0)
    }
}

impl Identity {
    pub(super) fn of(facts: &fs::Metadata) -> Self {
        let made = facts.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        Self {
            device: facts.dev(),
            inode: facts.ino(),
            user: facts.uid(),
            made: made.map_or(0, |made| made.as_nanos()),
        }
    }

    /// The same file after it was given to this user.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn given_to(self, user: u32) -> Self {
        Self { user, ..self }
    }
}

/// A record that this process holds.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    file: File,
}

impl Record {
    /// Makes a record in this folder, which is made where it is missing, for this user alone.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        loop {
            let path = folder.join(random_name()?);
            let options = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).clone();
            let mut file = options.open(&path)?;
            lock(&file, libc::F_SETLKW)?;
            // Before it was locked, a sweep may have taken it for one that was left.
            if file.metadata()?.nlink() > 0 {
                file.write_all(header().as_bytes())?;
                return Ok(Self { path, file });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a file, before its name appears.
    pub(super) fn add(&mut self, path: &Path, identity: Identity) -> io::Result<()> {
        self.add_line(identity, path, "")
    }

    /// Adds a folder, before there is anything in it.
    pub(super) fn add_folder(&mut self, path: &Path, identity: Identity) -> io::Result<()> {
        self.add_line(identity, path, "/")
    }

    fn add_line(&mut self, identity: Identity, path: &Path, mark: &str) -> io::Result<()> {
        let Identity { device, inode, user, made } = identity;
        // In one piece: a line is there or is not. A path of ours has no line end.
        self.file.write_all(format!("{device} {inode} {user} {made} {}{mark}\n", path.display()).as_bytes())
    }

    /// Takes over a record from the process that made it. `wait`: when that has ended. None: it has not, or has removed
    /// everything itself.
    pub(super) fn take_over(path: &Path, wait: bool) -> io::Result<Option<Self>> {
        let options = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).clone();
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let facts = file.metadata()?;
        if !facts.is_file() || facts.uid() != own_user() {
            return Ok(None);
        }
        match lock(&file, if wait { libc::F_SETLKW } else { libc::F_SETLK }) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => return Ok(None),
            locked => locked?,
        }
        let is_there = file.metadata()?.nlink() > 0;
        Ok(is_there.then(|| Self { path: path.to_owned(), file }))
    }

    /// Removes all files that are told here, then the record. What cannot be removed keeps the record, for the next time.
    /// A file that is no record stays as it is.
    pub(super) fn clear(mut self) -> io::Result<()> {
        let mut text = String::new();
        self.file.read_to_string(&mut text)?;
        // Its maker may have been killed before the first line.
        if !text.is_empty() && !text.starts_with(VERSION) {
            return Ok(());
        }
        // A line that was cut off is of a file whose name never appeared.
        let lines = text.strip_prefix(&header()).into_iter().flat_map(|lines| lines.split_inclusive('\n'));
        let all = lines.filter_map(|line| parse(line.strip_suffix('\n')?));
        let removed: Vec<_> = all.map(|(path, identity)| remove_either(path, identity)).collect();
        removed.into_iter().collect::<io::Result<()>>()?;
        self.close()
    }

    /// Removes the record: its files are gone.
    pub(super) fn close(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    /// Removes the record, and with it every right to remove what is told in it: that stays from now on.
    pub(super) fn forget(self) {
        // Without a line, whoever finds it removes nothing but the record.
        let _ = self.file.set_len(0);
        let _ = self.close();
    }
}

/// Removes a file, or the folder that a path with a `/` at its end is of.
fn remove_either(path: &str, identity: Identity) -> io::Result<()> {
    match path.strip_suffix('/') {
        Some(folder) => remove_folder(Path::new(folder), identity),
        None => remove(Path::new(path), identity),
    }
}

/// Removes a folder with all that is in it, wiped, where it is still this one.
fn remove_folder(path: &Path, identity: Identity) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_dir() && Identity::of(&facts) == identity => remove_all(path),
        Err(error) if !is_absence(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether nothing is there. Nothing can be at a path that is too long.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

/// Removes a file, wiped, where it is still this one.
pub(super) fn remove(path: &Path, identity: Identity) -> io::Result<()> {
    let is_it = |facts: &fs::Metadata| facts.is_file() && Identity::of(facts) == identity;
    match fs::symlink_metadata(path) {
        Err(error) if is_absence(&error) => return Ok(()),
        Err(error) => return Err(error),
        Ok(facts) if !is_it(&facts) => return Ok(()),
        Ok(_) => {}
    }
    // Removed below whether or not it can be wiped first.
    let _ = wipe(path, is_it);
    match fs::symlink_metadata(path) {
        Ok(facts) if is_it(&facts) => fs::remove_file(path),
        _ => Ok(()),
    }
}

fn wipe(path: &Path, is_it: impl Fn(&fs::Metadata) -> bool) -> io::Result<()> {
    let open = |options: &mut OpenOptions| options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    // Its owner may read it at least, and then give himself the right to write.
    let reader = open(OpenOptions::new().read(true))?;
    if !is_it(&reader.metadata()?) {
        return Ok(());
    }
    reader.set_permissions(fs::Permissions::from_mode(0o600))?;
    let mut writer = open(OpenOptions::new().write(true))?;
    match is_it(&writer.metadata()?) {
        true => overwrite(&mut writer),
        false => Ok(()),
    }
}

/// Overwrites a file. Its length stays: who reads it in memory of his own (`mmap`) would end otherwise.
pub(super) fn overwrite(file: &mut File) -> io::Result<()> {
    let len = file.metadata()?.len();
    file.rewind()?;
    io::copy(&mut io::repeat(0).take(len), file).map(drop)
}

/// What a record begins with.
const VERSION: &str = "se-files 1 ";

/// The first line: the version, and the start of the system that the files belong to. Of another start nothing in memory
/// is left.
fn header() -> String {
    let start = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{VERSION}{}\n", start.trim_end())
}

fn parse(line: &str) -> Option<(&str, Identity)> {
    let mut fields = line.splitn(5, ' ');
    let mut field = || fields.next();
    let identity = Identity {
        device: field()?.parse().ok()?,
        inode: field()?.parse().ok()?,
        user: field()?.parse().ok()?,
        made: field()?.parse().ok()?,
    };
    Some((field()?, identity))
}

/// Takes the lock of a whole file, for this process alone: not for what it forks.
fn lock(file: &File, command: libc::c_int) -> io::Result<()> {
    // SAFETY: plain data, valid zeroed; an open descriptor.
    unsafe {
        let mut whole: libc::flock = std::mem::zeroed();
        whole.l_type = libc::F_WRLCK as _;
        whole.l_whence = libc::SEEK_SET as _;
        loop {
            if libc::fcntl(file.as_raw_fd(), command, &raw const whole) == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}
