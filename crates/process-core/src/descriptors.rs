//! Which descriptors this process inherited, and which are its own.
//!
//! Node's start marks every descriptor up to 15 (and an unbroken run from 16 on) close-on-exec, so that an exec would
//! lose even stdio. What was inherited must be told from what Node opened. Known for certain: a descriptor without
//! the mark was inherited; Node takes the lowest free numbers, so all below its first event loop were inherited; a
//! file, socket or terminal was inherited, since Node itself opens none. A guess: what looks exactly like one of
//! Node's own (an epoll, eventfd or io_uring descriptor; a pipe with both ends here, as GNU make's jobserver; a
//! read-only /dev/null) and lies above its event loop. There the parent's descriptors are looked at. Where the launcher
//! went before Node, its note says which were inherited, and nothing is guessed.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use libc::c_int;

use crate::start_note::StartNote;

/// What a descriptor refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "the other systems tell fewer kinds apart"))]
enum Kind {
    /// epoll or kqueue: the heart of an event loop.
    Loop,
    /// eventfd or io_uring, which event loops hold.
    Event,
    /// /dev/null, open for reading only.
    Null,
    /// One end of a pipe, by its inode.
    Pipe(u64),
    /// Anything else. Node's start opens no such thing.
    Other,
}

/// One open descriptor as it was found.
#[derive(Clone, Copy, Debug)]
struct Open {
    fd: c_int,
    kind: Kind,
    close_on_exec: bool,
    status: c_int,
}

/// The descriptors that a command gets, with their status flags as they were found.
#[derive(Debug)]
pub struct Descriptors {
    kept: Vec<(c_int, c_int)>,
}

impl Descriptors {
    /// Looks at all descriptors now. Call it before anything of ours is opened, and before JavaScript touches
    /// standard output: libuv makes a pipe there non-blocking, also for everybody else who holds it.
    pub fn capture(note: Option<&StartNote>) -> io::Result<Self> {
        let open = system::list()?;
        let parent = system::Parent::default();
        let parent_holds = |one: &Open| parent.holds(one);
        let guessed = inherited(&open, &parent_holds).map(|one| one.fd).collect::<Vec<_>>();
        let is_kept = |fd: c_int| note.and_then(|note| note.had(fd)).unwrap_or_else(|| guessed.contains(&fd));
        Ok(Self { kept: open.iter().filter(|one| is_kept(one.fd)).map(|one| (one.fd, one.status)).collect() })
    }

    /// Lets the command have one more, as it is now. It must stay open until then.
    pub fn keep(&mut self, fd: c_int) {
        // SAFETY: fcntl with integers.
        self.kept.push((fd, unsafe { libc::fcntl(fd, libc::F_GETFL) }));
    }

    /// These, and one of ours.
    pub(crate) fn and(&self, one: &OwnedFd) -> Self {
        let mut all = Self { kept: self.kept.clone() };
        all.keep(one.as_raw_fd());
        all
    }

    /// Readies all descriptors for an exec: those that are kept lose the mark and get their status flags back, all
    /// others are marked. Answers what [`Changes::undo`] needs.
    pub(crate) fn prepare(&self) -> io::Result<Changes> {
        let mut changes = Changes(Vec::new());
        for one in system::list()? {
            match self.kept.iter().find(|(fd, _)| *fd == one.fd) {
                Some((fd, status)) => {
                    changes.0.push(one);
                    set_close_on_exec(*fd, false);
                    restore_nonblocking(*fd, one.status, *status);
                }
                None if !one.close_on_exec => {
                    changes.0.push(one);
                    set_close_on_exec(one.fd, true);
                }
                None => {}
            }
        }
        Ok(changes)
    }
}

/// Descriptors as they were before [`Descriptors::prepare`].
#[derive(Debug)]
pub(crate) struct Changes(Vec<Open>);

impl Changes {
    /// Gives every descriptor back its mark and its status flags.
    pub(crate) fn undo(self) {
        for one in self.0 {
            set_close_on_exec(one.fd, one.close_on_exec);
            restore_nonblocking(one.fd, !one.status, one.status);
        }
    }
}

/// The descriptors that are not close-on-exec, sorted.
pub(crate) fn inheritable() -> io::Result<Vec<c_int>> {
    Ok(system::list()?.into_iter().filter(|one| !one.close_on_exec).map(|one| one.fd).collect())
}

/// Marks every descriptor above 2 close-on-exec, those that this process was started with as well.
pub fn close_on_exec() -> io::Result<()> {
    for one in system::list()? {
        if one.fd > 2 && !one.close_on_exec {
            set_close_on_exec(one.fd, true);
        }
    }
    Ok(())
}

/// The open descriptors: each number, and whether an exec closes it. None where they cannot be listed.
pub(crate) fn open_descriptors() -> Vec<(c_int, bool)> {
    system::list().unwrap_or_default().into_iter().map(|one| (one.fd, one.close_on_exec)).collect()
}

/// The numbers in a folder of descriptors. That of the listing itself is among them, and closed again: none may be looked at
/// before all are there.
fn numbers(folder: &str) -> io::Result<Vec<c_int>> {
    Ok(fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
}

fn set_close_on_exec(fd: c_int, on: bool) {
    // SAFETY: fcntl with integers; a descriptor that has gone is an error that matters to nobody.
    unsafe { libc::fcntl(fd, libc::F_SETFD, if on { libc::FD_CLOEXEC } else { 0 }) };
}

fn restore_nonblocking(fd: c_int, now: c_int, wanted: c_int) {
    if (now ^ wanted) & libc::O_NONBLOCK != 0 {
        // SAFETY: fcntl with integers. The other flags are those that the descriptor was found with.
        unsafe { libc::fcntl(fd, libc::F_SETFL, wanted) };
    }
}

/// The inherited ones among the open descriptors, which come sorted by number.
fn inherited<'a>(open: &'a [Open], parent_holds: &'a dyn Fn(&Open) -> bool) -> impl Iterator<Item = &'a Open> {
    let first_loop = open.iter().find(|one| one.kind == Kind::Loop && one.close_on_exec && one.fd > 2);
    let first_loop = first_loop.map_or(c_int::MAX, |one| one.fd);
    let suspect = move |one: &Open| one.close_on_exec && one.fd > first_loop;
    let mut lock_pipe = None;
    open.iter().filter(move |one| {
        if one.fd <= 2 || !one.close_on_exec || one.fd < first_loop {
            return true;
        }
        match one.kind {
            Kind::Loop | Kind::Event => false,
            Kind::Other => true,
            Kind::Null => parent_holds(one),
            Kind::Pipe(inode) => {
                let ends: Vec<_> = open.iter().filter(|end| end.kind == one.kind).collect();
                let [reader, writer] = ends[..] else { return true };
                if !suspect(reader) || !suspect(writer) || parent_holds(one) {
                    return true;
                }
                match (reader.status & libc::O_NONBLOCK != 0, writer.status & libc::O_NONBLOCK != 0) {
                    // The pipe that each event loop gets its signals by.
                    (true, true) => false,
                    // The one pipe that libuv uses as a lock between them: made right after the first loop.
                    (false, false) => *lock_pipe.get_or_insert(inode) != inode,
                    _ => true,
                }
            }
        }
    })
}

#[cfg(target_os = "linux")]
mod system {
    use std::cell::OnceCell;
    use std::collections::HashSet;
    use std::ffi::OsStr;
    use std::fs;
    use std::io;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::{Kind, Open};

    pub(super) fn list() -> io::Result<Vec<Open>> {
        let mut open: Vec<Open> = super::numbers("/proc/self/fd")?.into_iter().filter_map(describe).collect();
        open.sort_unstable_by_key(|one| one.fd);
        Ok(open)
    }

    fn describe(fd: i32) -> Option<Open> {
        // SAFETY: fcntl with integers.
        let (flags, status) = unsafe { (libc::fcntl(fd, libc::F_GETFD), libc::fcntl(fd, libc::F_GETFL)) };
        if flags < 0 || status < 0 {
            return None;
        }
        let target = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let kind = kind(target.as_os_str(), status);
        Some(Open { fd, kind, close_on_exec: flags & libc::FD_CLOEXEC != 0, status })
    }

    fn kind(target: &OsStr, status: i32) -> Kind {
        match target.as_bytes() {
            b"anon_inode:[eventpoll]" => Kind::Loop,
            b"anon_inode:[eventfd]" | b"anon_inode:[io_uring]" => Kind::Event,
            b"/dev/null" if status & libc::O_ACCMODE == libc::O_RDONLY => Kind::Null,
            target => pipe_inode(target).map_or(Kind::Other, Kind::Pipe),
        }
    }

    fn pipe_inode(target: &[u8]) -> Option<u64> {
        let inode = target.strip_prefix(b"pipe:[")?.strip_suffix(b"]")?;
        std::str::from_utf8(inode).ok()?.parse().ok()
    }

    /// The parent's descriptors, looked at when first asked for: there may be thousands.
    #[derive(Default)]
    pub(super) struct Parent(OnceCell<HashSet<u64>>);

    impl Parent {
        /// Whether the parent holds the same thing: that pipe at all, or /dev/null under the same number and for us to
        /// inherit (a shell keeps its own copies of what it redirects, marked, from 10 on).
        pub(super) fn holds(&self, one: &Open) -> bool {
            // SAFETY: getppid cannot fail.
            let parent = format!("/proc/{}", unsafe { libc::getppid() });
            match one.kind {
                Kind::Pipe(inode) => self.0.get_or_init(|| pipes(&parent)).contains(&inode),
                _ => {
                    let target = fs::read_link(format!("{parent}/fd/{}", one.fd));
                    target.is_ok_and(|target| target == Path::new("/dev/null")) && !is_marked(&parent, one.fd)
                }
            }
        }
    }

    fn is_marked(process: &str, fd: i32) -> bool {
        let facts = fs::read_to_string(format!("{process}/fdinfo/{fd}")).unwrap_or_default();
        let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
        flags.is_none_or(|flags| flags & libc::O_CLOEXEC != 0)
    }

    fn pipes(process: &str) -> HashSet<u64> {
        let entries = fs::read_dir(format!("{process}/fd")).into_iter().flatten();
        entries.filter_map(|entry| pipe_inode(fs::read_link(entry.ok()?.path()).ok()?.as_os_str().as_bytes())).collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::mem::MaybeUninit;

    use super::{Kind, Open};

    pub(super) fn list() -> io::Result<Vec<Open>> {
        let mut open: Vec<Open> = super::numbers("/dev/fd")?.into_iter().filter_map(describe).collect();
        open.sort_unstable_by_key(|one| one.fd);
        // Nothing tells which two ends belong together: a writer is taken to belong to the reader before it.
        let mut reader = 0;
        for one in &mut open {
            if let Kind::Pipe(inode) = &mut one.kind {
                if one.status & libc::O_ACCMODE == libc::O_RDONLY {
                    reader = *inode;
                }
                *inode = reader;
            }
        }
        Ok(open)
    }

    fn describe(fd: i32) -> Option<Open> {
        // SAFETY: fcntl with integers.
        let (flags, status) = unsafe { (libc::fcntl(fd, libc::F_GETFD), libc::fcntl(fd, libc::F_GETFL)) };
        let mut facts = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: fstat writes a whole stat where it answers 0.
        if flags < 0 || status < 0 || unsafe { libc::fstat(fd, facts.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: written above.
        let facts = unsafe { facts.assume_init() };
        // fstat describes a kqueue as a nameless FIFO, or as nothing at all.
        let kind = match facts.st_mode & libc::S_IFMT {
            0 => Kind::Loop,
            libc::S_IFIFO if facts.st_ino == 0 => Kind::Loop,
            libc::S_IFIFO => Kind::Pipe(facts.st_ino),
            _ => Kind::Other,
        };
        Some(Open { fd, kind, close_on_exec: flags & libc::FD_CLOEXEC != 0, status })
    }

    /// Another process's descriptors are not looked at here.
    #[derive(Default)]
    pub(super) struct Parent();

    impl Parent {
        pub(super) fn holds(&self, _one: &Open) -> bool {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NB: c_int = libc::O_NONBLOCK;

    fn marked(fd: c_int, kind: Kind, status: c_int) -> Open {
        Open { fd, kind, close_on_exec: true, status }
    }

    /// What Node 20 holds when these numbers are taken already: each in the lowest free place.
    fn node_with(taken: &[Open]) -> Vec<Open> {
        let own = [
            (Kind::Loop, 0),
            (Kind::Pipe(1), 0),
            (Kind::Pipe(1), 0),
            (Kind::Pipe(2), NB),
            (Kind::Pipe(2), NB),
            (Kind::Null, 0),
            (Kind::Event, NB),
            (Kind::Loop, 0),
            (Kind::Pipe(3), NB),
            (Kind::Pipe(3), NB),
            (Kind::Event, NB),
        ];
        let mut open = taken.to_vec();
        open.extend((0..3).map(|fd| marked(fd, Kind::Other, 0)));
        for (kind, status) in own {
            let free = (3..).find(|fd| open.iter().all(|one| one.fd != *fd)).unwrap();
            open.push(marked(free, kind, status));
        }
        open.sort_unstable_by_key(|one| one.fd);
        open
    }

    fn kept(taken: &[Open], parent: &[c_int]) -> Vec<c_int> {
        let open = node_with(taken);
        let parent_holds = |one: &Open| parent.contains(&one.fd);
        inherited(&open, &parent_holds).map(|one| one.fd).filter(|fd| *fd > 2).collect()
    }

    #[test]
    fn a_bare_node_has_inherited_nothing() {
        assert!(kept(&[], &[]).is_empty());
    }

    #[test]
    fn files_and_sockets_are_inherited_wherever_they_are() {
        let files = [3, 9, 12, 15].map(|fd| marked(fd, Kind::Other, 0));
        assert_eq!(kept(&files, &[]), [3, 9, 12, 15]);
    }

    #[test]
    fn all_below_the_first_event_loop_are_inherited_whatever_they_are() {
        let taken = [
            marked(3, Kind::Null, 0),
            marked(4, Kind::Pipe(90), 0),
            marked(5, Kind::Pipe(90), 0),
            marked(6, Kind::Event, NB),
        ];
        assert_eq!(kept(&taken, &[]), [3, 4, 5, 6]);
    }

    #[test]
    fn what_is_not_marked_is_inherited() {
        let open = Open { close_on_exec: false, ..marked(40, Kind::Event, 0) };
        assert_eq!(kept(&[open], &[]), [40]);
    }

    #[test]
    fn one_end_of_a_pipe_is_inherited() {
        assert_eq!(kept(&[marked(9, Kind::Pipe(90), 0), marked(11, Kind::Pipe(91), NB)], &[]), [9, 11]);
    }

    #[test]
    fn both_ends_of_a_pipe_are_inherited_when_the_parent_holds_it() {
        let jobserver = [marked(4, Kind::Pipe(90), 0), marked(5, Kind::Pipe(90), 0)];
        assert_eq!(kept(&jobserver, &[4, 5]), [4, 5]);
    }

    #[test]
    fn both_ends_of_a_pipe_are_inherited_when_only_one_blocks() {
        let jobserver = [marked(4, Kind::Pipe(90), NB), marked(5, Kind::Pipe(90), 0)];
        assert_eq!(kept(&jobserver, &[]), [4, 5]);
    }

    #[test]
    fn at_most_one_blocking_pipe_is_taken_for_the_lock() {
        let pipes = [12, 13, 14, 15].map(|fd| marked(fd, Kind::Pipe(if fd < 14 { 90 } else { 91 }), 0));
        assert_eq!(kept(&pipes, &[]), [12, 13, 14, 15]);
    }

    #[test]
    fn dev_null_is_inherited_when_the_parent_holds_it() {
        assert_eq!(kept(&[marked(9, Kind::Null, 0)], &[9]), [9]);
    }
}
