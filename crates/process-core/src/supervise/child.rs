//! Starting the command below its parent, and what is told when that fails.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use keychain_core::{Code, Error, Result};
use libc::{c_int, pid_t};

use super::signals::{Inherited, send};
use crate::environment::Environment;
use crate::exec::execute;

/// A command to be started.
#[derive(Debug)]
pub struct Command {
    /// Its name and its arguments.
    pub arguments: Vec<Vec<u8>>,
    /// All of its variables.
    pub environment: Environment,
}

/// What the command has for its standard streams. None: what this process has.
pub(super) type Streams = [Option<OwnedFd>; 3];

/// How a command has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(c_int),
    /// By this signal.
    Killed(c_int),
}

impl Ended {
    pub(super) fn from_wait(status: c_int) -> Self {
        match libc::WIFSIGNALED(status) {
            true => Self::Killed(libc::WTERMSIG(status)),
            false => Self::Exited(libc::WEXITSTATUS(status)),
        }
    }
}

/// Forks. The child never returns: it does what it is told, and ends.
pub(super) fn fork(child: impl FnOnce()) -> io::Result<pid_t> {
    // SAFETY: this process has one thread, so that its copy can go on as it did.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            child();
            // SAFETY: ends this copy at once; what the original has at its end is not run twice.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(pid),
    }
}

/// The next change of state of a child. Whatever else has ended is reaped: where this is the first process of its
/// namespace, those are orphans.
pub(super) fn change_of(pid: pid_t) -> Option<c_int> {
    loop {
        let mut status = 0;
        // SAFETY: the status is a local.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::WUNTRACED) } {
            0 => return None,
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return None,
            changed if changed == pid => return Some(status),
            _ => {}
        }
    }
}

/// Who waits for a start: the reader of a pipe that an exec closes.
pub(super) struct Waiting(io::PipeReader);

/// Who starts: tells why that failed.
pub(super) struct Starter(io::PipeWriter);

/// Makes the two ends. Whoever only passes the starter on to a fork drops it then.
pub(super) fn start() -> io::Result<(Waiting, Starter)> {
    io::pipe().map(|(read, write)| (Waiting(read), Starter(write)))
}

impl Waiting {
    /// Waits until the command has started, or failed to: then with the same failure as `exec`.
    pub(super) fn wait(mut self) -> Result<()> {
        let mut told = Vec::new();
        // A failure to read is one of a pipe of ours with both ends in order: none.
        let _ = self.0.read_to_end(&mut told);
        let Some((code, text)) = told.split_first() else { return Ok(()) };
        let text = String::from_utf8_lossy(text);
        let (message, hint) = text.split_once('\0').unwrap_or((&text, ""));
        let error = Error::new(Code::ALL.get(usize::from(*code)).copied().unwrap_or(Code::Internal), message);
        Err(if hint.is_empty() { error } else { error.with_hint(hint) })
    }
}

impl Starter {
    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Tells why it failed.
    pub(super) fn failed(&mut self, error: &Error) {
        let code = Code::ALL.iter().position(|code| *code == error.code()).unwrap_or(usize::MAX);
        let told = [&[u8::try_from(code).unwrap_or(u8::MAX)], error.to_string().as_bytes(), b"\0"].concat();
        let _ = self.0.write_all(&[&told, error.hint().unwrap_or_default().as_bytes()].concat());
    }

    /// Becomes the command, or tells why that failed. Only for a fork, and its last act.
    ///
    /// The command ends when `parent`, which made the fork, is killed (Linux): as it would if it were that process itself.
    pub(super) fn become_command(
        &mut self,
        command: &Command,
        streams: &Streams,
        inherited: &Inherited,
        parent: pid_t,
    ) {
        for (fd, stream) in (0..).zip(streams) {
            if let Some(stream) = stream {
                // SAFETY: dup2 takes integers; the new descriptor is not marked close-on-exec.
                unsafe { libc::dup2(stream.as_raw_fd(), fd) };
            }
        }
        end_with(parent);
        inherited.restore();
        self.failed(&execute(&command.arguments, &command.environment));
    }
}

#[cfg(target_os = "linux")]
fn end_with(parent: pid_t) {
    // SAFETY: both calls take integers. The parent may have gone before it could be asked for.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
        if libc::getppid() != parent {
            send(libc::getpid(), libc::SIGKILL);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn end_with(_parent: pid_t) {}

/// Ends this process as the command ended: with its status, or by the same signal, without a core.
pub fn end_as(ended: Ended) -> ! {
    let signal = match ended {
        Ended::Exited(status) => std::process::exit(status),
        Ended::Killed(signal) => signal,
    };
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: setrlimit reads a local, all others take integers.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        super::signals::reset(signal);
        super::signals::unblock();
        send(libc::getpid(), signal);
        libc::_exit(128 + signal)
    }
}
