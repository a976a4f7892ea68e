//! The environment of a command to be: what this process was started with, untouched and in order, but for the
//! variables that are set or bound here.

use std::fmt;

use keychain_core::{Result, SecretBytes};

use crate::start;

/// The longest variable, in bytes, with its name, the `=` and the closing NUL: Linux's `MAX_ARG_STRLEN`.
pub const MAX_VARIABLE_BYTES: usize = 131_072;

/// Variables that say for which process others are meant: sockets that systemd passes on, and its watchdog.
#[cfg(unix)]
const MEANT_FOR: [&[u8]; 2] = [b"LISTEN_PID", b"WATCHDOG_PID"];

/// What a reference begins with.
const SCHEME: &[u8] = b"se://";

/// A variable whose value begins with `se://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its place, for [`Environment::bind`].
    pub index: usize,
    /// The variable's name, with what is not UTF-8 replaced: for messages.
    pub name: String,
    /// The reference, with what is not UTF-8 replaced: such a one is never valid.
    pub text: String,
}

/// Why an environment cannot be given to a command. Never holds a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The variable's value holds a NUL byte.
    Nul {
        /// The variable.
        name: String,
    },
    /// The variable is longer than [`MAX_VARIABLE_BYTES`], counted as there.
    TooLong {
        /// The variable.
        name: String,
        /// How long it is.
        bytes: usize,
    },
    /// Arguments and variables together are longer than the system takes.
    TotalTooLong {
        /// How long they are.
        bytes: usize,
        /// The most that the system takes.
        limit: usize,
    },
}

/// One `NAME=value` with its closing NUL.
enum Entry {
    /// As this process found it.
    Found(Vec<u8>),
    /// Set or bound here, and wiped when it goes.
    Changed(SecretBytes),
}

impl Entry {
    fn found(mut bytes: Vec<u8>) -> Self {
        bytes.push(0);
        Self::Found(bytes)
    }

    fn changed(name: &[u8], value: &[u8]) -> Self {
        Self::Changed(SecretBytes::with(name.len() + 1 + value.len() + 1, |bytes| {
            bytes[..name.len()].copy_from_slice(name);
            bytes[name.len()] = b'=';
            bytes[name.len() + 1..][..value.len()].copy_from_slice(value);
        }))
    }

    fn terminated(&self) -> &[u8] {
        match self {
            Self::Found(bytes) => bytes,
            Self::Changed(bytes) => bytes.as_bytes(),
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.terminated()[..self.terminated().len() - 1]
    }

    fn name(&self) -> Option<&[u8]> {
        let bytes = self.bytes();
        // Windows keeps a drive's folder in variables such as `=C:`.
        bytes.iter().skip(1).position(|byte| *byte == b'=').map(|at| &bytes[..=at])
    }

    fn value(&self) -> &[u8] {
        self.name().map_or(&[], |name| &self.bytes()[name.len() + 1..])
    }
}

/// The variables of a command to be, and the process that they were read in. Prints as a count.
pub struct Environment(
    Vec<Entry>,
    #[cfg_attr(windows, allow(dead_code, reason = "nothing is named by a process there"))] u32,
);

impl Environment {
    /// The environment that this process was started with, without the variables that only concern se itself: those
    /// named `SE_…PASSPHRASE…`, and the launcher's note.
    pub fn current() -> Result<Self> {
        start::environment().map(Self::from_strings)
    }

    /// The environment of these strings, each `NAME=value` without its NUL, but for the same variables.
    pub fn from_strings(strings: Vec<Vec<u8>>) -> Self {
        let entries = strings.into_iter().map(Entry::found);
        Self(entries.filter(|entry| !entry.name().is_some_and(is_ours)).collect(), std::process::id())
    }

    /// The environment of these strings, all of them: for a program of our own.
    pub fn unfiltered(strings: Vec<Vec<u8>>) -> Self {
        Self(strings.into_iter().map(Entry::found).collect(), std::process::id())
    }

    /// These variables for a process that has inherited the descriptors of the one that they were read in: what was named
    /// there by `/proc/PID/fd/N`, or meant for that process, is this one's. None: nothing was.
    #[cfg(unix)]
    pub(crate) fn moved_to(&self, process: u32) -> Option<Self> {
        let own = self.1.to_string();
        let left = format!("/proc/{own}/fd/");
        let moved = |entry: &Entry| {
            let (name, value) = (entry.name()?, entry.value());
            if MEANT_FOR.contains(&name) && value == own.as_bytes() {
                return Some(Entry::changed(name, process.to_string().as_bytes()));
            }
            let number = value.strip_prefix(left.as_bytes())?;
            let number = std::str::from_utf8(number).ok()?.parse::<u32>().ok()?;
            Some(Entry::changed(name, format!("/proc/{process}/fd/{number}").as_bytes()))
        };
        if process == self.1 || !self.0.iter().any(|entry| moved(entry).is_some()) {
            return None;
        }
        let same = |entry: &Entry| match entry {
            Entry::Found(bytes) => Entry::Found(bytes.clone()),
            Entry::Changed(bytes) => Entry::Changed(SecretBytes::copy_from(bytes.as_bytes())),
        };
        Some(Self(self.0.iter().map(|entry| moved(entry).unwrap_or_else(|| same(entry))).collect(), process))
    }

    /// The variables whose value begins with `se://`, in order, duplicates included.
    pub fn references(&self) -> Vec<Reference> {
        let entries = self.0.iter().enumerate().filter(|(_, entry)| entry.value().starts_with(SCHEME));
        entries
            .map(|(index, entry)| Reference {
                index,
                name: String::from_utf8_lossy(entry.name().unwrap_or_default()).into_owned(),
                text: String::from_utf8_lossy(entry.value()).into_owned(),
            })
            .collect()
    }

    /// Sets a variable: in its place where it is there (further entries of the same name go), else at the end.
    /// One that concerns se itself is not set.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        if is_ours(name.as_bytes()) {
            return;
        }
        let entry = || Entry::changed(name.as_bytes(), value);
        let mut found = false;
        self.0.retain_mut(|present| {
            if !present.name().is_some_and(|present| same_name(present, name.as_bytes())) {
                return true;
            }
            let first = !found;
            if first {
                *present = entry();
                found = true;
            }
            first
        });
        if !found {
            self.0.push(entry());
        }
    }

    /// Replaces the value of the variable at this place (from [`Environment::references`]) and keeps its name.
    /// Nothing happens when there is no such place.
    pub fn bind(&mut self, index: usize, value: &[u8]) {
        if let Some(entry) = self.0.get_mut(index) {
            let bound = entry.name().map(|name| Entry::changed(name, value));
            if let Some(bound) = bound {
                *entry = bound;
            }
        }
    }

    /// Whether a variable of this name is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The value of the first variable of this name, as `getenv` finds it.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let named = |entry: &&Entry| entry.name().is_some_and(|present| same_name(present, name.as_bytes()));
        self.0.iter().find(named).map(Entry::value)
    }

    /// Whether a variable of this name never reaches a command.
    pub fn withholds(name: &[u8]) -> bool {
        is_ours(name)
    }

    /// The variables that were set or bound, in order: name and value.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let changed = self.0.iter().filter(|entry| matches!(entry, Entry::Changed(_)));
        changed.filter_map(|entry| Some((entry.name()?, entry.value())))
    }

    /// All entries, each `NAME=value` with its closing NUL.
    #[cfg(unix)]
    pub(crate) fn terminated(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Entry::terminated)
    }

    /// All that keeps these variables, together with these arguments, from being given to a command.
    pub fn problems(&self, arguments: &[Vec<u8>]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, value) in self.changed() {
            let bytes = name.len() + value.len() + 2;
            let name = || String::from_utf8_lossy(name).into_owned();
            if value.contains(&0) {
                problems.push(Problem::Nul { name: name() });
            }
            if bytes > MAX_VARIABLE_BYTES {
                problems.push(Problem::TooLong { name: name(), bytes });
            }
        }
        if let Some(limit) = total_limit().filter(|_| problems.is_empty()) {
            let pointer = size_of::<usize>();
            let variables: usize = self.0.iter().map(|entry| entry.terminated().len() + pointer).sum();
            let bytes = variables + arguments.iter().map(|argument| argument.len() + 1 + pointer).sum::<usize>();
            if bytes > limit {
                problems.push(Problem::TotalTooLong { bytes, limit });
            }
        }
        problems
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} variables]", self.0.len())
    }
}

/// Whether the variable never reaches a command: one of those that open our own store, or the launcher's note
/// ([`crate::NOTE_VARIABLE`]).
fn is_ours(name: &[u8]) -> bool {
    let upper = name.to_ascii_uppercase();
    let name: &[u8] = if cfg!(windows) { &upper } else { name };
    name == b"SE_START" || name.starts_with(b"SE_") && name.windows(10).any(|part| part == b"PASSPHRASE")
}

fn same_name(one: &[u8], other: &[u8]) -> bool {
    if cfg!(windows) { one.eq_ignore_ascii_case(other) } else { one == other }
}

/// The most bytes that arguments and variables may take together with their pointers, where the system says so:
/// a quarter of the stack's limit, at most 6 MiB, at least 128 KiB (Linux, fs/exec.c, `bprm_stack_limits`).
#[cfg(target_os = "linux")]
fn total_limit() -> Option<usize> {
    let mut stack = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit writes to the local only.
    let status = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut stack) };
    let quarter = usize::try_from(stack.rlim_cur / 4).unwrap_or(usize::MAX);
    (status == 0).then(|| quarter.clamp(128 << 10, 6 << 20))
}

/// The most bytes that arguments and variables may take together, where the system says so.
#[cfg(all(unix, not(target_os = "linux")))]
fn total_limit() -> Option<usize> {
    // SAFETY: sysconf takes no pointer.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).ok()
}

/// Windows bounds one variable (32,767 characters) and reports that itself.
#[cfg(windows)]
fn total_limit() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[&[u8]]) -> Environment {
        Environment::from_strings(entries.iter().map(|entry| entry.to_vec()).collect())
    }

    fn entries(environment: &Environment) -> Vec<Vec<u8>> {
        environment.0.iter().map(|entry| entry.bytes().to_vec()).collect()
    }

    #[test]
    fn what_is_not_changed_stays_in_order_byte_for_byte() {
        let all: &[&[u8]] = &[b"B=2", b"A=\xff\xfe", b"", b"B=3", b"no equals sign", b"=C:=C:\\", b"A=", b"X==="];
        assert_eq!(entries(&environment(all)), all);
    }

    #[test]
    fn references_are_found_in_bytes_and_only_at_the_beginning() {
        let found = environment(&[
            b"A=se://a/b",
            b"B=pg://u:se://a/b@h",
            b"C=SE://a",
            b"D= se://a",
            b"A=se://second",
            b"\xffN=se://\xff",
            b"se://a",
        ])
        .references();
        let found: Vec<_> = found.iter().map(|one| (one.index, one.name.as_str(), one.text.as_str())).collect();
        assert_eq!(found, [(0, "A", "se://a/b"), (4, "A", "se://second"), (5, "\u{fffd}N", "se://\u{fffd}")]);
    }

    #[test]
    fn bind_replaces_the_value_in_its_place() {
        let mut all = environment(&[b"Z=1", b"A=se://a", b"A=se://b", b"M=2"]);
        all.bind(1, b"x=\0\xff");
        all.bind(99, b"nowhere");
        assert_eq!(entries(&all), [&b"Z=1"[..], b"A=x=\0\xff", b"A=se://b", b"M=2"]);
        assert_eq!(all.changed().collect::<Vec<_>>(), [(&b"A"[..], &b"x=\0\xff"[..])]);
    }

    #[test]
    fn set_takes_the_first_place_and_removes_duplicates() {
        let mut all = environment(&[b"Z=1", b"A=1", b"M=2", b"A=2"]);
        all.set("A", b"new");
        all.set("NEW", b"");
        assert_eq!(entries(&all), [&b"Z=1"[..], b"A=new", b"M=2", b"NEW="]);
        assert!(all.has("NEW") && !all.has("A=new") && !all.has(""));
    }

    #[test]
    fn what_concerns_se_itself_never_comes_along() {
        let mut all = environment(&[
            b"SE_PASSPHRASE=x",
            b"SE_OLD_PASSPHRASE_FILE=x",
            b"SE_STORE=file",
            b"PASSPHRASE=x",
            b"SE_START=1",
        ]);
        all.set("SE_PASSPHRASE", b"x");
        assert_eq!(entries(&all), [&b"SE_STORE=file"[..], b"PASSPHRASE=x"]);
    }

    #[test]
    fn a_variable_is_as_long_as_the_system_takes_and_no_longer() {
        let mut all = environment(&[]);
        all.set("A", &vec![b'x'; MAX_VARIABLE_BYTES - 3]);
        assert_eq!(all.problems(&[]), []);
        all.set("A", &vec![b'x'; MAX_VARIABLE_BYTES - 2]);
        assert_eq!(all.problems(&[]), [Problem::TooLong { name: "A".into(), bytes: MAX_VARIABLE_BYTES + 1 }]);
        all.set("A", b"a\0b");
        assert_eq!(all.problems(&[]), [Problem::Nul { name: "A".into() }]);
    }

    #[cfg(unix)]
    #[test]
    fn the_total_is_held_against_what_the_system_takes() {
        let mut all = environment(&[]);
        for index in 0..60 {
            all.set(&format!("A{index}"), &vec![b'x'; 120_000]);
        }
        assert!(matches!(all.problems(&[])[..], [Problem::TotalTooLong { bytes, limit }] if bytes > limit));
    }

    #[cfg(unix)]
    #[test]
    fn descriptors_of_the_process_that_is_left_are_those_of_the_next() {
        let own = std::process::id();
        let path = format!("/proc/{own}/fd/");
        let strings = [
            format!("A={path}3"),
            format!("B={path}x"),
            format!("C={path}3/x"),
            format!("D=x{path}3"),
            "E=/proc/1/fd/3".into(),
            format!("LISTEN_PID={own}"),
            "WATCHDOG_PID=1".into(),
            format!("PID={own}"),
        ];
        let all = Environment::from_strings(strings.iter().map(|text| text.clone().into_bytes()).collect());
        assert!(all.moved_to(own).is_none());
        let mut expected: Vec<_> = strings.map(String::into_bytes).into();
        expected[0] = b"A=/proc/9/fd/3".to_vec();
        expected[5] = b"LISTEN_PID=9".to_vec();
        assert_eq!(entries(&all.moved_to(9).unwrap()), expected);
        assert!(environment(&[b"A=/proc/1/fd/3"]).moved_to(9).is_none());
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", environment(&[b"A=hidden"])), "[1 variables]");
    }
}
