//! The terminal on Unix: echo off, keys read one by one, signals obeyed with the terminal put right first.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keychain_core::{Code, Error, Result, SecretBytes};
use libc::c_int;

use super::{dismissed, several_lines, too_long};
use crate::typed_line::{Key, Keys, TypedLine};

/// The signals before whose effect the terminal must be put right, and the one after which it must be readied again.
const SIGNALS: [c_int; 6] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGHUP, libc::SIGTSTP, libc::SIGCONT];

/// Where the handler writes the signals' numbers. Guarded by [`ONE_AT_A_TIME`].
static SIGNAL_PIPE: AtomicI32 = AtomicI32::new(-1);

/// Guards the terminal's settings and the signals' dispositions: one prompt at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The process's terminal, ours alone until it is dropped.
pub(super) struct Terminal {
    file: File,
    _turn: MutexGuard<'static, ()>,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let file = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        Ok(Self { file, _turn: turn })
    }

    /// Writes a line for the person. That the terminal has gone shows at the next read.
    pub(super) fn say(&mut self, text: &str) {
        let _ = self.file.write_all(text.as_bytes());
    }

    /// Asks for one line.
    pub(super) fn ask(&mut self, text: &str) -> Result<SecretBytes> {
        let mut line = TypedLine::new();
        loop {
            let quiet = Quiet::new(&self.file).map_err(failed)?;
            self.say(text);
            let end = self.read_line(&mut line, &quiet, text);
            self.say("\n");
            drop(quiet);
            match end.map_err(failed)? {
                End::Line => return Ok(line.value()),
                End::GaveUp => return Err(dismissed()),
                End::TooLong => return Err(too_long()),
                End::Signal(signal) => {
                    // SAFETY: kill takes integers; the signal now has the effect that it had before the prompt.
                    unsafe { libc::kill(libc::getpid(), signal) };
                    if signal != libc::SIGTSTP {
                        return Err(dismissed());
                    }
                    line = TypedLine::new();
                }
            }
        }
    }

    /// Refuses what else was entered at once: the rest of a paste must neither be lost nor reach a shell.
    pub(super) fn expect_nothing_more(&mut self) -> Result<()> {
        let mut waiting: c_int = 0;
        // SAFETY: FIONREAD writes one int.
        unsafe { libc::ioctl(self.file.as_raw_fd(), libc::FIONREAD, &raw mut waiting) };
        if waiting == 0 {
            return Ok(());
        }
        // SAFETY: tcflush takes integers.
        unsafe { libc::tcflush(self.file.as_raw_fd(), libc::TCIFLUSH) };
        Err(several_lines())
    }

    fn read_line(&mut self, line: &mut TypedLine, quiet: &Quiet, text: &str) -> io::Result<End> {
        loop {
            let mut ready = [&self.file as &dyn AsRawFd, &quiet.signals.read].map(|source| libc::pollfd {
                fd: source.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: two pollfds, alive during the call.
            if unsafe { libc::poll(ready.as_mut_ptr(), 2, -1) } < 0 {
                match io::Error::last_os_error() {
                    error if error.kind() == io::ErrorKind::Interrupted => continue,
                    error => return Err(error),
                }
            }
            let mut byte = [0];
            if ready[1].revents != 0 {
                (&quiet.signals.read).read_exact(&mut byte)?;
                match c_int::from(byte[0]) {
                    libc::SIGCONT => {
                        quiet.apply()?;
                        self.say(text);
                    }
                    signal => return Ok(End::Signal(signal)),
                }
                continue;
            }
            match self.file.read(&mut byte) {
                Ok(0) => return Ok(End::GaveUp),
                Ok(_) => match line.take(byte[0], quiet.keys) {
                    Key::More => {}
                    Key::Done => return Ok(End::Line),
                    Key::GaveUp => return Ok(End::GaveUp),
                    Key::TooLong => return Ok(End::TooLong),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn failed(error: io::Error) -> Error {
    Error::new(Code::InteractionRequired, "the terminal cannot be read").with_source(error)
}

enum End {
    Line,
    GaveUp,
    TooLong,
    Signal(c_int),
}

/// The terminal without echo, and signals caught, until it is dropped.
struct Quiet {
    fd: c_int,
    before: libc::termios,
    keys: Keys,
    signals: Signals,
}

impl Quiet {
    fn new(file: &File) -> io::Result<Self> {
        let fd = file.as_raw_fd();
        let mut before = MaybeUninit::uninit();
        // SAFETY: tcgetattr writes a whole termios where it answers 0.
        if unsafe { libc::tcgetattr(fd, before.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: written above.
        let before: libc::termios = unsafe { before.assume_init() };
        let keys =
            Keys { erase: before.c_cc[libc::VERASE], kill: before.c_cc[libc::VKILL], end: before.c_cc[libc::VEOF] };
        let quiet = Self { fd, before, keys, signals: Signals::catch()? };
        quiet.apply()?;
        Ok(quiet)
    }

    /// No echo, and no line mode, in which the system would cut a line at 4,095 bytes.
    fn apply(&self) -> io::Result<()> {
        let mut settings = self.before;
        settings.c_lflag &= !(libc::ECHO | libc::ECHONL | libc::ICANON);
        settings.c_cc[libc::VMIN] = 1;
        settings.c_cc[libc::VTIME] = 0;
        set_terminal(self.fd, &settings)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that has gone needs no settings.
        let _ = set_terminal(self.fd, &self.before);
    }
}

/// Does so once what was written has left; input that waits is kept.
fn set_terminal(fd: c_int, settings: &libc::termios) -> io::Result<()> {
    // SAFETY: the settings are whole and alive.
    while unsafe { libc::tcsetattr(fd, libc::TCSADRAIN, settings) } != 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

/// Signals that arrive as bytes in a pipe, until it is dropped. Signals that the process ignores stay ignored.
struct Signals {
    read: File,
    _write: OwnedFd,
    before: Vec<(c_int, libc::sigaction)>,
}

impl Signals {
    fn catch() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: pipe writes two descriptors, which are ours from then on.
        let (read, write) = unsafe {
            if libc::pipe(ends.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            for end in ends {
                libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            libc::fcntl(ends[1], libc::F_SETFL, libc::O_NONBLOCK);
            (File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
        };
        SIGNAL_PIPE.store(write.as_raw_fd(), Ordering::SeqCst);
        // SAFETY: the handler only writes a byte; zeroed sigactions are valid, and the system fills `before`.
        let before = SIGNALS.into_iter().filter_map(|signal| unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, ptr::null(), &raw mut before);
            if before.sa_sigaction == libc::SIG_IGN {
                return None;
            }
            let mut caught: libc::sigaction = std::mem::zeroed();
            caught.sa_sigaction = on_signal as *const () as libc::sighandler_t;
            caught.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const caught, ptr::null_mut());
            Some((signal, before))
        });
        Ok(Self { before: before.collect(), read, _write: write })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: this is what the system said was in force.
            unsafe { libc::sigaction(*signal, before, ptr::null_mut()) };
        }
        SIGNAL_PIPE.store(-1, Ordering::SeqCst);
    }
}

extern "C" fn on_signal(signal: c_int) {
    let byte = signal.to_ne_bytes()[if cfg!(target_endian = "little") { 0 } else { 3 }];
    let fd = SIGNAL_PIPE.load(Ordering::SeqCst);
    // SAFETY: write is allowed in a handler. A full pipe or a closed one (-1) loses a signal that is repeated anyway;
    // errno is the interrupted thread's and kept.
    unsafe {
        let errno = errno_location();
        let kept = *errno;
        libc::write(fd, (&raw const byte).cast(), 1);
        *errno = kept;
    }
}

fn errno_location() -> *mut c_int {
    // SAFETY: both answer with the calling thread's own errno.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::__errno_location()
    }
    // SAFETY: as above.
    #[cfg(not(target_os = "linux"))]
    unsafe {
        libc::__error()
    }
}
