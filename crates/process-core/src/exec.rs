//! Becoming another program: same process, nothing of ours left.

use std::convert::Infallible;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::ptr;

use keychain_core::{Code, Error, Result};
use libc::{c_char, c_int};

use crate::descriptors::{Changes, Descriptors};
use crate::environment::Environment;
use crate::lookup::candidates;
use crate::start_note::{StartNote, signals_in};
use crate::supervise::Plan;

/// The signals that Node's start leaves ignored, which a command would inherit.
const IGNORED_BY_NODE: [c_int; 2] = [libc::SIGPIPE, libc::SIGXFSZ];

/// What runs a file that is executable but no program, as `execvp` and every shell have it.
const SHELL: &CStr = c"/bin/sh";

/// Becomes the command. Call it on the process's main thread. Returns only when that failed, with everything as it
/// was before.
///
/// The command is looked up on the PATH of `environment`. It gets those variables, and what Node's start destroyed is
/// given back: the descriptors that were kept; the signals, limits and closed streams that the launcher noted, or, where
/// no launcher went before Node, an empty signal mask and the default dispositions of the signals that Node ignores.
/// Working directory, umask and terminal are not touched.
///
/// Failures: nothing of that name → `CommandNotFound`; there, but a folder, not permitted or not a program →
/// `CommandNotExecutable`; too long for the system → `ValueTooLarge`.
pub fn exec(
    arguments: &[Vec<u8>],
    environment: &Environment,
    descriptors: &Descriptors,
    note: Option<&StartNote>,
) -> Error {
    let prepared = match Prepared::new(descriptors, note) {
        Ok(prepared) => prepared,
        Err(error) => {
            return Error::new(Code::Internal, "this process's descriptors cannot be listed").with_source(error);
        }
    };
    let error = execute(arguments, environment);
    prepared.undo();
    error
}

/// Becomes the launcher, which does with the command what the plan says. Returns only when that failed, as [`exec`] does
/// of the launcher itself.
///
/// The launcher gets what [`exec`] would give to the command, and the plan on one descriptor more.
pub fn exec_launcher(
    launcher: &[u8],
    plan: &Plan,
    command: &[Vec<u8>],
    environment: &Environment,
    descriptors: &Descriptors,
    note: Option<&StartNote>,
) -> Error {
    let plan = match plan.to_descriptor() {
        Ok(plan) => plan,
        Err(error) => return error,
    };
    let number = plan.as_raw_fd().to_string();
    let words = [launcher, b"__supervise", number.as_bytes(), b"--"].map(<[u8]>::to_vec);
    let arguments = [&words[..], command].concat();
    exec(&arguments, environment, &descriptors.and(&plan), note)
}

/// Becomes the command as [`exec`] does, with this process's descriptors, signals and mask as they are.
pub fn execute(arguments: &[Vec<u8>], environment: &Environment) -> Error {
    let Some(command) = arguments.first() else { return no_command() };
    // Arguments come from C strings, so none holds a NUL.
    let terminated: Vec<Vec<u8>> = arguments.iter().map(|argument| [argument, &b"\0"[..]].concat()).collect();
    let argv = pointers(terminated.iter().map(Vec::as_slice));
    let moved = environment.moved_to(std::process::id());
    let envp = pointers(moved.as_ref().unwrap_or(environment).terminated());
    let result = search(command, environment, |path| {
        let error = execve(path, &argv, &envp);
        if error.raw_os_error() != Some(libc::ENOEXEC) || !is_text(path) {
            return Err::<Infallible, _>(error);
        }
        let script = [SHELL.to_bytes_with_nul(), path.to_bytes_with_nul()].into_iter();
        let argv = pointers(script.chain(terminated[1..].iter().map(Vec::as_slice)));
        Err(execve(SHELL, &argv, &envp))
    });
    match result {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

/// Whether [`exec`] would find the command and may execute it, as far as that can be known without becoming it. Fails
/// as `exec` does.
pub fn check(arguments: &[Vec<u8>], environment: &Environment) -> Result<()> {
    let Some(command) = arguments.first() else { return Err(no_command()) };
    search(command, environment, |path| {
        // SAFETY: the path ends in NUL.
        if unsafe { libc::access(path.as_ptr(), libc::X_OK) } != 0 {
            return Err(io::Error::last_os_error());
        }
        if is_file(path) { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EACCES)) }
    })
}

fn no_command() -> Error {
    Error::new(Code::InvalidOption, "no command was given")
}

/// Tries the places where the command may be until an attempt succeeds, or fails for good.
fn search<T>(command: &[u8], environment: &Environment, mut attempt: impl FnMut(&CStr) -> io::Result<T>) -> Result<T> {
    let mut refused = None;
    let mut failure = None;
    for place in candidates(command, environment.get("PATH")) {
        let searched = !command.contains(&b'/');
        let Ok(path) = CString::new(place.clone()) else { continue };
        let error = match attempt(&path) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ESTALE | libc::ETIMEDOUT) => {}
            // A folder of that name is passed over on the PATH, as bash does.
            Some(libc::EACCES) if searched && !is_file(&path) => {}
            Some(libc::EACCES) if searched => refused = refused.or(Some((place, error))),
            _ => {
                failure = Some((place, error));
                break;
            }
        }
    }
    let name = String::from_utf8_lossy(command).into_owned();
    Err(match failure.or(refused) {
        None => not_found(&name, command),
        Some((_, error)) if error.raw_os_error() == Some(libc::E2BIG) => {
            Error::new(Code::ValueTooLarge, "arguments and environment are longer than the system takes")
                .with_hint("give the command fewer or shorter variables")
                .with_source(error)
        }
        Some((place, error)) => {
            let place = String::from_utf8_lossy(&place).into_owned();
            let (reason, hint) = if Path::new(&place).is_dir() {
                ("it is a folder".to_owned(), Some("name a program in it"))
            } else {
                let hint = "chmod +x makes a program of it; or name its interpreter before it";
                (reason(&error), (error.raw_os_error() == Some(libc::EACCES)).then_some(hint))
            };
            let told = Error::new(Code::CommandNotExecutable, format!("{place} cannot be executed: {reason}"))
                .with_detail("command", name)
                .with_detail("path", place)
                .with_source(error);
            match hint {
                Some(hint) => told.with_hint(hint),
                None => told,
            }
        }
    })
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EACCES) => "permission denied".into(),
        Some(libc::ENOEXEC) => "it is not a program for this machine".into(),
        Some(libc::ETXTBSY) => "it is open for writing".into(),
        Some(libc::ELOOP) => "too many symbolic links".into(),
        _ => error.to_string(),
    }
}

fn not_found(name: &str, command: &[u8]) -> Error {
    let error = Error::new(Code::CommandNotFound, format!("command not found: {name}")).with_detail("command", name);
    if matches!(command, b"auto" | b"always" | b"never") {
        return error.with_hint(format!("did you mean --mask={name}?"));
    }
    if !command.contains(&b'/') {
        return error.with_hint("commands are looked up on the PATH that the command itself will have");
    }
    // The kernel answers "no such file" for a program whose interpreter is missing, too.
    match Path::new(OsStr::from_bytes(command)).exists() {
        true => error.with_hint("the file is there: the interpreter that its first line or its header names is not"),
        false => error,
    }
}

/// A NULL-terminated vector of pointers to NUL-terminated strings, which must outlive it.
fn pointers<'a>(strings: impl Iterator<Item = &'a [u8]>) -> Vec<*const c_char> {
    strings.map(|string| string.as_ptr().cast()).chain([ptr::null()]).collect()
}

fn execve(path: &CStr, argv: &[*const c_char], envp: &[*const c_char]) -> io::Error {
    // SAFETY: path and every string behind the two vectors end in NUL, both vectors in NULL, and all are alive.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

fn is_file(path: &CStr) -> bool {
    let kind = std::fs::metadata(OsStr::from_bytes(path.to_bytes())).map(|facts| facts.file_type());
    kind.is_ok_and(|kind| !kind.is_dir() && !kind.is_block_device())
}

/// Whether a shell would take the file for a script: no NUL before the end of its first line (as bash looks).
fn is_text(path: &CStr) -> bool {
    let mut start = [0; 80];
    let file = File::open(OsStr::from_bytes(path.to_bytes()));
    let Ok(len) = file.and_then(|mut file| file.read(&mut start)) else { return false };
    let line = start[..len].split(|byte| *byte == b'\n').next().unwrap_or_default();
    !line.contains(&0)
}

/// This process, ready for an exec.
struct Prepared {
    descriptors: Changes,
    mask: libc::sigset_t,
    dispositions: Vec<(c_int, libc::sigaction)>,
    limit: Option<libc::rlimit>,
}

impl Prepared {
    fn new(descriptors: &Descriptors, note: Option<&StartNote>) -> io::Result<Self> {
        let descriptors = descriptors.prepare()?;
        let (ignored, blocked) = note.map_or((0, 0), |note| (note.ignored, note.blocked));
        let by_default = IGNORED_BY_NODE.map(|signal| (signal, set_disposition(signal, None)));
        let dispositions = signals_in(ignored).map(|signal| (signal, set_disposition(signal, Some(&ignoring()))));
        let dispositions = by_default.into_iter().chain(dispositions).collect();
        // SAFETY: both sets are local; sigemptyset initialises the first, pthread_sigmask writes the second. A signal that
        // the C library keeps for itself is refused, and stays out.
        let mask = unsafe {
            let mut wanted = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigemptyset(&raw mut wanted);
            for signal in signals_in(blocked) {
                libc::sigaddset(&raw mut wanted, signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const wanted, &raw mut before);
            before
        };
        let limit = note.and_then(|note| note.soft_limit).and_then(set_soft_limit);
        Ok(Self { descriptors, mask, dispositions, limit })
    }

    fn undo(self) {
        if let Some(limit) = self.limit {
            // SAFETY: setrlimit reads the local only.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        }
        // SAFETY: the mask is the one that pthread_sigmask wrote.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
        for (signal, before) in self.dispositions.into_iter().rev() {
            set_disposition(signal, Some(&before));
        }
        self.descriptors.undo();
    }
}

/// Sets the soft limit of open files, where it may be so, and answers the limits before.
fn set_soft_limit(soft: u64) -> Option<libc::rlimit> {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a pointer to a local.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) != 0 {
            return None;
        }
        let wanted = libc::rlimit { rlim_cur: libc::rlim_t::try_from(soft).ok()?.min(before.rlim_max), ..before };
        (libc::setrlimit(libc::RLIMIT_NOFILE, &raw const wanted) == 0).then_some(before)
    }
}

/// The disposition of an ignored signal.
fn ignoring() -> libc::sigaction {
    // SAFETY: a zeroed sigaction is SIG_DFL with an empty mask.
    let mut ignoring: libc::sigaction = unsafe { std::mem::zeroed() };
    ignoring.sa_sigaction = libc::SIG_IGN;
    ignoring
}

/// Sets a signal's disposition (the default without `wanted`) and answers the one before.
fn set_disposition(signal: c_int, wanted: Option<&libc::sigaction>) -> libc::sigaction {
    // SAFETY: a zeroed sigaction is SIG_DFL with an empty mask; the system writes the one before over the other.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        let mut before = default;
        libc::sigaction(signal, wanted.unwrap_or(&default), &raw mut before);
        before
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::*;

    /// Descriptors and dispositions belong to the process: who changes them does so alone.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(words: &[&str], path: &str) -> Error {
        let arguments: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let environment = Environment::from_strings(vec![format!("PATH={path}").into_bytes()]);
        let alone = alone();
        let error = exec(&arguments, &environment, &Descriptors::capture(None).unwrap(), None);
        drop(alone);
        let foreseen = check(&arguments, &environment).unwrap_err();
        assert_eq!((foreseen.code(), foreseen.to_string()), (error.code(), error.to_string()));
        error
    }

    #[test]
    fn a_command_that_can_be_executed_is_found_without_becoming_it() {
        let environment = Environment::from_strings(vec![b"PATH=/etc:/bin".to_vec()]);
        for command in ["sh", "/bin/sh"] {
            check(&[command.into()], &environment).unwrap();
        }
    }

    #[test]
    fn a_command_that_is_nowhere_is_not_found() {
        let error = failed(&["no-such-command"], "/no/such/folder:/etc/passwd:/dev/null");
        assert_eq!(error.code(), Code::CommandNotFound);
        assert_eq!(error.to_string(), "command not found: no-such-command");
        assert_eq!(failed(&[], "/bin").code(), Code::InvalidOption);
        assert_eq!(failed(&[""], "/bin").code(), Code::CommandNotFound);
        assert_eq!(failed(&["always"], "/bin").hint(), Some("did you mean --mask=always?"));
    }

    #[test]
    fn a_folder_is_not_a_command() {
        assert_eq!(failed(&["/etc"], "").to_string(), "/etc cannot be executed: it is a folder");
        assert_eq!(failed(&["etc"], "/").code(), Code::CommandNotFound);
    }

    #[test]
    fn a_file_that_may_not_be_executed_is_told_from_one_that_is_not_there() {
        let error = failed(&["passwd"], "/no/such/folder:/etc");
        assert_eq!(error.code(), Code::CommandNotExecutable);
        assert_eq!(error.to_string(), "/etc/passwd cannot be executed: permission denied");
        assert!(error.hint().is_some_and(|hint| hint.contains("chmod +x")));
    }

    #[test]
    fn a_failure_gives_back_what_was_changed() {
        let _alone = alone();
        let file = fs::File::open("/dev/zero").unwrap();
        let fd = file.as_raw_fd();
        let descriptors = Descriptors::capture(None).unwrap();
        // SAFETY: the test's own descriptor, and a look at a disposition.
        let state = || unsafe {
            let mut disposition: libc::sigaction = std::mem::zeroed();
            libc::sigaction(libc::SIGPIPE, ptr::null(), &raw mut disposition);
            (disposition.sa_sigaction, libc::fcntl(fd, libc::F_GETFD), libc::fcntl(fd, libc::F_GETFL))
        };
        let flags = state().2;
        // SAFETY: as above; this is what libuv does.
        unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) };
        let before = state();
        assert_eq!((before.0, before.1), (libc::SIG_IGN, libc::FD_CLOEXEC));
        let prepared = Prepared::new(&descriptors, None).unwrap();
        assert_eq!(state(), (libc::SIG_DFL, 0, flags));
        prepared.undo();
        assert_eq!(state(), before);
    }
}
