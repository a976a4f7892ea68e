//! What the launcher notes about its own start for the Node that it becomes, whose start destroys it: a variable, which
//! goes no further than there. One that somebody else set says no more than its setter could have done himself: it chooses
//! signals, a limit and descriptors for a command that gets its environment from the same hand.

use std::io;

use keychain_core::Result;
use libc::c_int;

use crate::{descriptors, harden, start};

/// The variable.
pub const NOTE_VARIABLE: &str = "SE_START";

/// The form of the note.
const VERSION: &str = "1";
/// What a variable may hold is bounded: of more descriptors than this no list is made, and they are guessed as ever.
const MAX_LIST_BYTES: usize = 64 << 10;

/// What a process was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartNote {
    /// Ignored signals, the lowest bit for signal 1.
    pub(crate) ignored: u64,
    /// Blocked signals, likewise.
    pub(crate) blocked: u64,
    /// The soft limit of open files.
    pub(crate) soft_limit: Option<u64>,
    /// The descriptors that were open, as ranges with both ends.
    descriptors: Option<Vec<(c_int, c_int)>>,
}

impl StartNote {
    /// Notes how this process is now. It must have changed nothing, and opened every descriptor close-on-exec. It is
    /// dumpable after this: drop values before.
    pub fn take() -> io::Result<Self> {
        harden::set_dumpable(true)?;
        let (ignored, blocked) = system::signals();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: getrlimit writes to the local only.
        let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
        let descriptors = ranges(&descriptors::inheritable()?);
        // The type of a limit differs between systems.
        #[allow(clippy::unnecessary_cast)]
        let soft_limit = known.then_some(limit.rlim_cur as u64);
        Ok(Self { ignored, blocked, soft_limit, descriptors: Some(descriptors) })
    }

    /// The note that the launcher left for this process, if it went before it. One for another process does not count.
    pub fn of_this_process() -> Result<Option<Self>> {
        let variables = start::environment()?;
        let found = variables.iter().find_map(|variable| {
            let (name, value) = variable.split_at_checked(NOTE_VARIABLE.len())?;
            (name == NOTE_VARIABLE.as_bytes()).then(|| value.strip_prefix(b"="))?
        });
        Ok(found.and_then(|text| Self::parse(std::str::from_utf8(text).ok()?, std::process::id())))
    }

    /// The note as the variable's value, for the process that this one becomes, which is called `name`.
    pub fn to_text(&self, name: &str) -> String {
        let Self { ignored, blocked, soft_limit, descriptors } = self;
        let limit = soft_limit.map_or(String::new(), |limit| limit.to_string());
        let list = descriptors.iter().flatten().map(|(from, to)| match from == to {
            true => from.to_string(),
            false => format!("{from}-{to}"),
        });
        let list = list.collect::<Vec<_>>().join(",");
        let list = if descriptors.is_none() || list.len() > MAX_LIST_BYTES { "?".to_owned() } else { list };
        format!("{VERSION}:{}:{ignored:x}:{blocked:x}:{limit}:{list}:{name}", std::process::id())
    }

    fn parse(text: &str, pid: u32) -> Option<Self> {
        let fields: Vec<&str> = text.split(':').collect();
        let [VERSION, process, ignored, blocked, limit, list, _name] = fields[..] else { return None };
        if process.parse() != Ok(pid) {
            return None;
        }
        let soft_limit = if limit.is_empty() { None } else { Some(limit.parse().ok()?) };
        let ranges = list.split(',').filter(|range| !range.is_empty()).map(|range| {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Some((from.parse().ok()?, to.parse().ok()?))
        });
        let descriptors = if list == "?" { None } else { Some(ranges.collect::<Option<Vec<_>>>()?) };
        Some(Self {
            ignored: u64::from_str_radix(ignored, 16).ok()?,
            blocked: u64::from_str_radix(blocked, 16).ok()?,
            soft_limit,
            descriptors,
        })
    }

    /// Whether a descriptor was open; None where that was not noted.
    pub(crate) fn had(&self, fd: c_int) -> Option<bool> {
        let ranges = self.descriptors.as_ref()?;
        Some(ranges.iter().any(|(from, to)| (*from..=*to).contains(&fd)))
    }
}

/// The signals in a set.
pub(crate) fn signals_in(set: u64) -> impl Iterator<Item = c_int> {
    (0..64).filter(move |at| set >> at & 1 == 1).map(|at| at + 1)
}

/// Sorted numbers as ranges.
fn ranges(numbers: &[c_int]) -> Vec<(c_int, c_int)> {
    let mut ranges: Vec<(c_int, c_int)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *number => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    ranges
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;

    /// Ignored and blocked signals. The C library hides those from us that it uses itself.
    pub(super) fn signals() -> (u64, u64) {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let set = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0)
        };
        (set("SigIgn"), set("SigBlk"))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::mem::MaybeUninit;
    use std::ptr;

    /// Ignored and blocked signals.
    pub(super) fn signals() -> (u64, u64) {
        let (mut ignored, mut blocked) = (0, 0);
        let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: with no new set or action, both calls write the present one to the local.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr()) };
        for signal in 1..32 {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: as above; both locals are valid when zeroed, too.
            unsafe {
                libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
                ignored |= u64::from(action.assume_init_ref().sa_sigaction == libc::SIG_IGN) << (signal - 1);
                blocked |= u64::from(libc::sigismember(mask.as_ptr(), signal) == 1) << (signal - 1);
            }
        }
        (ignored, blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> StartNote {
        let descriptors = Some(vec![(0, 2), (9, 9), (12, 13)]);
        StartNote { ignored: 1 << 63 | 1, blocked: 1 << 9, soft_limit: Some(128), descriptors }
    }

    #[test]
    fn a_note_comes_back_in_the_process_that_it_is_for_and_in_no_other() {
        for (name, note) in [
            ("se", note()),
            ("docker-pass", StartNote { soft_limit: None, descriptors: None, ..note() }),
            ("se", StartNote { descriptors: Some(Vec::new()), ..note() }),
        ] {
            let text = note.to_text(name);
            assert_eq!(StartNote::parse(&text, std::process::id()), Some(note), "{text}");
            assert_eq!(StartNote::parse(&text, std::process::id() + 1), None);
        }
        assert!(note().to_text("se").ends_with(":8000000000000001:200:128:0-2,9,12-13:se"));
    }

    #[test]
    fn what_is_no_note_is_none() {
        for text in
            ["", "1", "2:7:0:0:1:0:se", "1:7:x:0:1:0:se", "1:7:0:0:-1:0:se", "1:7:0:0:1:0-:se", "1:7:0:0:1:a:se"]
        {
            assert_eq!(StartNote::parse(text, 7), None, "{text}");
        }
    }

    #[test]
    fn numbers_become_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 7, 9, 10]), [(0, 2), (7, 7), (9, 10)]);
        assert_eq!(note().had(13), Some(true));
        assert_eq!(note().had(3), Some(false));
        assert_eq!(StartNote::default().had(0), None);
    }

    #[test]
    fn what_is_open_and_inheritable_is_noted() {
        let file = std::fs::File::open("/dev/zero").unwrap();
        let own = std::os::fd::AsRawFd::as_raw_fd(&file);
        let taken = StartNote::take().unwrap();
        assert_eq!(taken.had(own), Some(false));
        assert!(taken.soft_limit.is_some());
        // SAFETY: fcntl with integers, on the test's own descriptor.
        unsafe { libc::fcntl(own, libc::F_SETFD, 0) };
        assert_eq!(StartNote::take().unwrap().had(own), Some(true));
    }
}
