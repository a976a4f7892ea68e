//! The terminal of the person, and the one that the command gets instead.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use libc::{c_int, pid_t, termios, winsize};

use super::descriptors::facts;

/// The terminal of the person: this process's controlling terminal, else the first standard stream that is one. Gets its
/// settings back when it is dropped.
pub(super) struct UserTerminal {
    fd: Rc<OwnedFd>,
    is_controlling: bool,
    /// What it gets back. None: it has it.
    before: Option<termios>,
}

impl UserTerminal {
    /// Finds it, and opens it for us alone: what is non-blocking for us stays as it is for everybody else.
    pub(super) fn find() -> Option<Self> {
        if let Ok(fd) = open(c"/dev/tty", libc::O_RDWR | libc::O_NONBLOCK) {
            return Some(Self { fd: Rc::new(fd), is_controlling: true, before: None });
        }
        let stream = (0..3).find(|fd| is_terminal(*fd))?;
        let mut path = [0; 256];
        // SAFETY: the path has the length that is said, and is terminated where 0 is answered.
        let fd = unsafe {
            match libc::ttyname_r(stream, path.as_mut_ptr(), path.len()) {
                0 => open(CStr::from_ptr(path.as_ptr()), libc::O_RDWR | libc::O_NONBLOCK),
                error => Err(io::Error::from_raw_os_error(error)),
            }
        };
        let fd = fd.or_else(|_| duplicate(stream)).ok()?;
        Some(Self { fd: Rc::new(fd), is_controlling: false, before: None })
    }

    /// Whether a standard stream is this terminal.
    pub(super) fn is(&self, stream: RawFd) -> bool {
        if !is_terminal(stream) {
            return false;
        }
        match self.is_controlling {
            // Only of the controlling terminal can a process ask for the foreground group.
            true => foreground_group(stream).is_some(),
            false => device(stream) == device(self.fd.as_raw_fd()),
        }
    }

    pub(super) fn fd(&self) -> &Rc<OwnedFd> {
        &self.fd
    }

    /// Whether this process may read from it and change it. Of a terminal that controls nobody's group, anybody may.
    pub(super) fn is_ours(&self) -> bool {
        // SAFETY: getpgrp cannot fail.
        !self.is_controlling || foreground_group(self.fd.as_raw_fd()) == Some(unsafe { libc::getpgrp() })
    }

    /// Whether it controls this process's session.
    pub(super) fn is_controlling(&self) -> bool {
        self.is_controlling
    }

    /// Its settings now, or as they were before it was made raw.
    pub(super) fn settings(&self) -> io::Result<termios> {
        self.before.map_or_else(|| settings(self.fd.as_raw_fd()), Ok)
    }

    pub(super) fn size(&self) -> Option<winsize> {
        let mut size = MaybeUninit::zeroed();
        // SAFETY: the system writes one winsize.
        let status = unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) };
        // SAFETY: a zeroed winsize is valid, and so is a written one.
        (status == 0).then(|| unsafe { size.assume_init() })
    }

    /// Has every byte come through as it is: the command's own terminal does with it what a terminal does. `output`: what
    /// is done with what is written, for others who write there; nothing by default. `read_lines` comes first where
    /// what is complete in line mode would be lost: it reads that, and is told the characters that end a line.
    pub(super) fn make_raw(&mut self, output: Option<libc::tcflag_t>, read_lines: impl FnOnce(&[u8])) {
        let Ok(now) = settings(self.fd.as_raw_fd()) else { return };
        let is_in_line_mode = self.before.is_none() && now.c_lflag & libc::ICANON != 0;
        if is_in_line_mode && cfg!(target_os = "linux") {
            // Linux keeps an end of input as a mark, which is a NUL in the other mode; elsewhere the key itself is kept.
            // So that no mark comes while those that are there are read, it is a key like others from here on.
            let mut without_end = now;
            without_end.c_cc[libc::VEOF] = libc::_POSIX_VDISABLE;
            set(self.fd.as_raw_fd(), &without_end);
            read_lines(&line_ends(&now));
        }
        let mut raw = raw_of(self.before.as_ref().unwrap_or(&now));
        raw.c_oflag = output.unwrap_or(raw.c_oflag);
        if self.before.is_none() || raw.c_oflag != now.c_oflag {
            set(self.fd.as_raw_fd(), &raw);
        }
        self.before = self.before.or(Some(now));
    }

    pub(super) fn is_raw(&self) -> bool {
        self.before.is_some()
    }

    /// Whether it makes `\r\n` of `\n` now.
    pub(super) fn makes_line_ends(&self) -> bool {
        let both = libc::OPOST | libc::ONLCR;
        settings(self.fd.as_raw_fd()).is_ok_and(|now| now.c_oflag & both == both)
    }

    /// Gives it its settings back, where it is ours: else somebody else has set it for another program.
    pub(super) fn give_back(&mut self) {
        if let Some(before) = self.before.take().filter(|_| self.is_ours()) {
            set(self.fd.as_raw_fd(), &before);
        }
    }
}

impl Drop for UserTerminal {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Gives a terminal the settings that it had before [`UserTerminal::make_raw`], in place of a process that was killed.
/// Whoever has set it otherwise since then is not disturbed.
pub(super) fn give_back_for_another(fd: RawFd, before: &termios) {
    let raw = raw_of(before);
    let is_raw = |now: &termios| (now.c_iflag, now.c_lflag, now.c_cflag) == (raw.c_iflag, raw.c_lflag, raw.c_cflag);
    if settings(fd).is_ok_and(|now| is_raw(&now)) {
        set(fd, before);
    }
}

fn raw_of(settings: &termios) -> termios {
    let mut raw = *settings;
    // SAFETY: changes the local.
    unsafe { libc::cfmakeraw(&raw mut raw) };
    raw.c_cflag = settings.c_cflag;
    raw.c_cc[libc::VMIN] = 1;
    raw.c_cc[libc::VTIME] = 0;
    raw
}

pub(super) fn settings(fd: RawFd) -> io::Result<termios> {
    let mut settings = MaybeUninit::zeroed();
    // SAFETY: the system writes one termios where it answers 0.
    unsafe {
        match libc::tcgetattr(fd, settings.as_mut_ptr()) {
            0 => Ok(settings.assume_init()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Without waiting for output: what is written already was processed as it was written. A terminal that has gone needs
/// no settings.
fn set(fd: RawFd, settings: &termios) {
    // SAFETY: reads one termios.
    while unsafe { libc::tcsetattr(fd, libc::TCSANOW, settings) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// The command's terminal.
pub(super) struct Pty {
    /// Our end.
    pub(super) master: OwnedFd,
    /// The command's end.
    pub(super) slave: OwnedFd,
}

impl Pty {
    /// Makes one that looks like the other.
    pub(super) fn like(terminal: &UserTerminal) -> io::Result<Self> {
        let pty = Self::open()?;
        if let Ok(mut settings) = terminal.settings() {
            if !terminal.is_ours() {
                leave_editing(&mut settings);
            }
            set(pty.slave.as_raw_fd(), &settings);
        }
        if let Some(size) = terminal.size() {
            set_size(pty.master.as_raw_fd(), &size);
        }
        super::signals::set_nonblocking(pty.master.as_raw_fd());
        Ok(pty)
    }

    fn open() -> io::Result<Self> {
        // SAFETY: a descriptor that is answered is ours; the name is read before the next call.
        unsafe {
            let master = owned(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY))?;
            libc::fcntl(master.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
            if libc::grantpt(master.as_raw_fd()) != 0 || libc::unlockpt(master.as_raw_fd()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let name = libc::ptsname(master.as_raw_fd());
            if name.is_null() {
                return Err(io::Error::last_os_error());
            }
            let slave = open(CStr::from_ptr(name), libc::O_RDWR)?;
            Ok(Self { master, slave })
        }
    }
}

/// Makes of the settings of a program that reads key by key, as a shell that edits a line, some for lines that are shown. A
/// command in the background may look at its settings, and set what it made of them when it is in the foreground: a prompt
/// for a password, of which no Enter would be the end.
fn leave_editing(settings: &mut termios) {
    if settings.c_lflag & libc::ICANON == 0 {
        settings.c_lflag |= libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN;
        settings.c_iflag |= libc::ICRNL;
        settings.c_iflag &= !(libc::INLCR | libc::IGNCR);
    }
}

/// The characters that end a line, but for the end of input, which is not one of them.
fn line_ends(settings: &termios) -> Vec<u8> {
    let others = [libc::VEOL, libc::VEOL2].map(|index| settings.c_cc[index]);
    std::iter::once(b'\n').chain(others.into_iter().filter(|end| *end != libc::_POSIX_VDISABLE)).collect()
}

/// The key that is an end of input there.
pub(super) fn end_of_input(fd: RawFd) -> u8 {
    /// Ctrl-D.
    const USUAL: u8 = 4;
    let key = settings(fd).map_or(libc::_POSIX_VDISABLE, |settings| settings.c_cc[libc::VEOF]);
    if key == libc::_POSIX_VDISABLE { USUAL } else { key }
}

/// Gives a terminal the settings of the person's, unless it has others by now than those that it was given.
pub(super) fn adopt_settings(fd: RawFd, given: &termios, user: &UserTerminal) {
    if settings(fd).is_ok_and(|now| are_equal(&now, given))
        && let Ok(wanted) = user.settings()
    {
        set(fd, &wanted);
    }
}

fn are_equal(one: &termios, other: &termios) -> bool {
    let flags = |of: &termios| (of.c_iflag, of.c_oflag, of.c_cflag, of.c_lflag, of.c_cc);
    flags(one) == flags(other)
}

/// What a terminal does with what is written.
pub(super) fn output_flags(fd: RawFd) -> Option<libc::tcflag_t> {
    settings(fd).ok().map(|settings| settings.c_oflag)
}

/// Gives a terminal a size; what runs in its foreground is told by the system.
pub(super) fn set_size(fd: RawFd, size: &winsize) {
    // SAFETY: reads one winsize.
    unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, std::ptr::from_ref(size)) };
}

/// Begins a session with this terminal.
pub(super) fn begin_session(fd: RawFd) -> io::Result<()> {
    // SAFETY: both calls take integers.
    match unsafe { libc::setsid() < 0 || libc::ioctl(fd, libc::TIOCSCTTY as _, 0) < 0 } {
        false => Ok(()),
        true => Err(io::Error::last_os_error()),
    }
}

/// Puts a group in the foreground of its terminal.
pub(super) fn set_foreground(fd: RawFd, group: pid_t) {
    // SAFETY: tcsetpgrp takes integers. A group that has gone needs no terminal.
    unsafe { libc::tcsetpgrp(fd, group) };
}

fn foreground_group(fd: RawFd) -> Option<pid_t> {
    // SAFETY: tcgetpgrp takes an integer.
    Some(unsafe { libc::tcgetpgrp(fd) }).filter(|group| *group >= 0)
}

pub(super) fn is_terminal(fd: RawFd) -> bool {
    // SAFETY: isatty takes an integer.
    unsafe { libc::isatty(fd) == 1 }
}

fn device(fd: RawFd) -> Option<libc::dev_t> {
    facts(fd).map(|facts| facts.st_rdev)
}

/// Opens a terminal, which does not become the controlling one.
fn open(path: &CStr, flags: c_int) -> io::Result<OwnedFd> {
    // SAFETY: the path ends in NUL; a descriptor that is answered is ours.
    unsafe { owned(libc::open(path.as_ptr(), flags | libc::O_NOCTTY | libc::O_CLOEXEC)) }
}

/// Another number for the same descriptor, closed by an exec.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl takes integers; a descriptor that is answered is ours.
    unsafe { owned(libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3)) }
}

/// # Safety
/// The descriptor, where it is one, belongs to nobody else.
pub(super) unsafe fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    match fd {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the caller says so.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}
