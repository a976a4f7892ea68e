//! The monitor: leads the session of the command's terminal, so that the command is a job like any other in it.
//!
//! A command that led the session itself would be a group without a parent in its session, and could not be stopped
//! (decided as sudo's `use_pty` did, see docs/decisions/2026-11-26-terminal.md). The monitor starts the command, tells
//! this process's parent when it stops and ends, and does what needs somebody inside that session. It keeps no values.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use keychain_core::Result;
use libc::{c_int, pid_t, termios};

use super::child::{self, Command, Ended, Starter, Streams};
use super::descriptors::{keep_only, let_go};
use super::memory::wipe_values;
use super::signals::{self, Inherited, Signals, send};
use super::system_failure;
use super::terminal::{begin_session, give_back_for_another, set_foreground};

/// What the parent tells the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Start the command, or have it go on; in the foreground of its terminal or not.
    Run { in_foreground: bool },
    /// Send this to the command.
    Signal(c_int),
    /// Send this to the command's group, as a terminal does.
    SignalGroup(c_int),
}

/// What the monitor tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The command was stopped by this signal.
    Stopped(c_int),
    /// It has ended. So will the monitor.
    Ended(Ended),
}

impl Order {
    fn to_bytes(self) -> [u8; 5] {
        match self {
            Self::Run { in_foreground } => record(b'r', in_foreground.into()),
            Self::Signal(number) => record(b's', number),
            Self::SignalGroup(number) => record(b'g', number),
        }
    }

    fn from_bytes(bytes: [u8; 5]) -> Option<Self> {
        match fields(bytes) {
            (b'r', in_foreground) => Some(Self::Run { in_foreground: in_foreground != 0 }),
            (b's', number) => Some(Self::Signal(number)),
            (b'g', number) => Some(Self::SignalGroup(number)),
            _ => None,
        }
    }
}

impl Change {
    fn to_bytes(self) -> [u8; 5] {
        match self {
            Self::Stopped(signal) => record(b's', signal),
            Self::Ended(Ended::Exited(status)) => record(b'e', status),
            Self::Ended(Ended::Killed(signal)) => record(b'k', signal),
        }
    }

    fn from_bytes(bytes: [u8; 5]) -> Option<Self> {
        match fields(bytes) {
            (b's', signal) => Some(Self::Stopped(signal)),
            (b'e', status) => Some(Self::Ended(Ended::Exited(status))),
            (b'k', signal) => Some(Self::Ended(Ended::Killed(signal))),
            _ => None,
        }
    }
}

fn record(kind: u8, number: c_int) -> [u8; 5] {
    let [a, b, c, d] = number.to_ne_bytes();
    [kind, a, b, c, d]
}

fn fields([kind, a, b, c, d]: [u8; 5]) -> (u8, c_int) {
    (kind, c_int::from_ne_bytes([a, b, c, d]))
}

/// The parent's hold on a monitor.
pub(super) struct Monitor {
    pid: pid_t,
    link: UnixStream,
}

/// What a monitor is made of.
pub(super) struct Seat<'a> {
    /// The command's end of its terminal.
    pub(super) slave: OwnedFd,
    /// What the command has for its standard streams.
    pub(super) streams: Streams,
    /// The person's terminal, and its settings before it was made raw: for the day that the parent is killed.
    pub(super) user: (RawFd, termios),
    pub(super) command: Command,
    pub(super) inherited: &'a Inherited,
}

impl Monitor {
    /// Makes a monitor, which waits for its first order. Every signal must be blocked.
    pub(super) fn new(seat: Seat<'_>, starter: Starter) -> Result<Self> {
        let (link, other) = UnixStream::pair().map_err(system_failure("socketpair"))?;
        let child = {
            let kept = [seat.slave.as_raw_fd(), seat.user.0, starter.as_raw_fd(), other.as_raw_fd()];
            let streams: Vec<RawFd> = seat.streams.iter().flatten().map(AsRawFd::as_raw_fd).collect();
            move || {
                keep_only(&[&kept[..], &streams].concat());
                watch(seat, starter, other);
            }
        };
        let pid = child::fork(child).map_err(system_failure("fork"))?;
        Ok(Self { pid, link })
    }

    /// The descriptor that is readable when there is a change.
    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.link.as_raw_fd()
    }

    /// Gives an order. A monitor that has gone is found out by [`Monitor::change`].
    pub(super) fn order(&self, order: Order) {
        let _ = (&self.link).write_all(&order.to_bytes());
    }

    /// The next change; waits for it. When the monitor was killed, the command was as well.
    pub(super) fn change(&self) -> Change {
        let mut bytes = [0; 5];
        let read = (&self.link).read_exact(&mut bytes).ok().and_then(|()| Change::from_bytes(bytes));
        read.unwrap_or_else(|| Change::Ended(self.wait()))
    }

    /// Reaps what has ended but for the monitor: orphans, where this is the first process of its namespace.
    pub(super) fn reap_others(&self) {
        loop {
            // SAFETY: a zeroed siginfo_t is valid; the system writes one where a child has ended. None has: its PID stays 0.
            unsafe {
                let mut facts: libc::siginfo_t = std::mem::zeroed();
                let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
                let has_failed = libc::waitid(libc::P_ALL, 0, &raw mut facts, flags) < 0;
                if has_failed || facts.si_pid() == 0 || facts.si_pid() == self.pid {
                    return;
                }
                libc::waitpid(facts.si_pid(), std::ptr::null_mut(), libc::WNOHANG);
            }
        }
    }

    /// Waits until the monitor has ended.
    pub(super) fn wait(&self) -> Ended {
        let mut status = 0;
        // SAFETY: the status is a local.
        while unsafe { libc::waitpid(self.pid, &raw mut status, 0) } < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
        Ended::from_wait(status)
    }
}

/// Everything that the monitor does.
fn watch(seat: Seat<'_>, mut starter: Starter, link: UnixStream) {
    let Seat { slave, streams, user, command, inherited } = seat;
    let begun = begin_session(slave.as_raw_fd()).and_then(|()| Signals::of_children());
    let signals = match begun.map_err(system_failure("a session for the command")) {
        Ok(signals) => signals,
        Err(error) => return starter.failed(&error),
    };
    let Some(Order::Run { in_foreground }) = next_order(&link) else { return };
    let parent = own_pid();
    let forked = child::fork(|| {
        let command = &command;
        let own = own_pid();
        // SAFETY: setpgid takes integers. The copy is new, so it may.
        unsafe { libc::setpgid(own, own) };
        if in_foreground {
            set_foreground(slave.as_raw_fd(), own);
        }
        starter.become_command(command, &streams, inherited, parent);
    });
    let pid = match forked.map_err(system_failure("fork")) {
        Ok(pid) => pid,
        Err(error) => return starter.failed(&error),
    };
    // Here as well: an order to its group may come before it has done so itself.
    // SAFETY: setpgid takes integers. A copy that has become the command already did it.
    unsafe { libc::setpgid(pid, pid) };
    drop((starter, streams, command));
    wipe_values();
    let_go(&[user.0]);
    signals::unblock();
    Watched { pid, slave, link, user }.run(&signals);
}

struct Watched {
    pid: pid_t,
    slave: OwnedFd,
    link: UnixStream,
    user: (RawFd, termios),
}

impl Watched {
    fn run(mut self, signals: &Signals) {
        loop {
            let mut ready = [signals.as_raw_fd(), self.link.as_raw_fd()].map(|fd| libc::pollfd {
                fd,
                events: libc::POLLIN,
                revents: 0,
            });
            // SAFETY: two pollfds, alive during the call. Interrupted: then both are looked at for nothing.
            if unsafe { libc::poll(ready.as_mut_ptr(), 2, -1) } < 0 {
                continue;
            }
            signals.all().for_each(drop);
            while let Some(status) = child::change_of(self.pid) {
                if libc::WIFSTOPPED(status) {
                    self.tell(Change::Stopped(libc::WSTOPSIG(status)));
                    continue;
                }
                return self.end(Ended::from_wait(status));
            }
            if ready[1].revents != 0 {
                match next_order(&self.link) {
                    Some(order) => self.obey(order),
                    None => return self.hang_up(),
                }
            }
        }
    }

    fn tell(&mut self, change: Change) {
        // A parent that has gone is found out by the next order.
        let _ = self.link.write_all(&change.to_bytes());
    }

    fn obey(&self, order: Order) {
        match order {
            Order::Run { in_foreground } => {
                set_foreground(self.slave.as_raw_fd(), if in_foreground { self.pid } else { own_pid() });
                send(-self.pid, libc::SIGCONT);
            }
            Order::Signal(number) => send(self.pid, number),
            Order::SignalGroup(number) => send(-self.pid, number),
        }
    }

    /// Lets go of the terminal before it tells: what the command wrote has then an end that can be found.
    fn end(self, ended: Ended) {
        drop(self.slave);
        let _ = (&self.link).write_all(&Change::Ended(ended).to_bytes());
    }

    /// The parent was killed: so is the command, and what it left on its terminal is hung up.
    fn hang_up(self) {
        give_back_for_another(self.user.0, &self.user.1);
        send(-self.pid, libc::SIGHUP);
        send(-self.pid, libc::SIGCONT);
        send(self.pid, libc::SIGKILL);
    }
}

fn next_order(mut link: &UnixStream) -> Option<Order> {
    let mut bytes = [0; 5];
    link.read_exact(&mut bytes).ok().and_then(|()| Order::from_bytes(bytes))
}

fn own_pid() -> pid_t {
    // SAFETY: getpid cannot fail.
    unsafe { libc::getpid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_arrives() {
        for order in [
            Order::Run { in_foreground: true },
            Order::Run { in_foreground: false },
            Order::Signal(15),
            Order::SignalGroup(2),
        ] {
            assert_eq!(Order::from_bytes(order.to_bytes()), Some(order));
        }
        for change in [Change::Stopped(20), Change::Ended(Ended::Exited(255)), Change::Ended(Ended::Killed(9))] {
            assert_eq!(Change::from_bytes(change.to_bytes()), Some(change));
        }
        assert_eq!(Order::from_bytes(*b"x0000"), None);
        assert_eq!(Change::from_bytes(*b"x0000"), None);
    }
}
