//! A command that shares this process's group and terminal: what the terminal does to one, it does to both.

use keychain_core::Result;
use libc::{c_int, pid_t};

use super::child::{self, Command, Ended};
use super::descriptors::let_go;
use super::memory::wipe_start;
use super::signals::{self, Arrived, Inherited, Signals, send};
use super::system_failure;

/// A command that runs.
pub(super) struct Job {
    pid: pid_t,
    signals: Signals,
}

impl Job {
    /// Starts the command. Every signal must be blocked; they no longer are when it runs.
    pub(super) fn start(command: Command, inherited: &Inherited) -> Result<Self> {
        let signals = Signals::catch(inherited).map_err(system_failure("pipe"))?;
        let (waiting, mut starter) = child::start().map_err(system_failure("pipe"))?;
        // SAFETY: getpid cannot fail.
        let parent = unsafe { libc::getpid() };
        let become_command = || starter.become_command(&command, &Default::default(), inherited, parent);
        let pid = child::fork(become_command).map_err(system_failure("fork"))?;
        drop((command, starter));
        signals::unblock();
        waiting.wait()?;
        // Standard error is for what is to be told at the end.
        let_go(&[2]);
        wipe_start();
        Ok(Self { pid, signals })
    }

    /// Is its parent until it has ended.
    pub(super) fn run(self) -> Ended {
        loop {
            self.wait_for_signal();
            for signal in self.signals.all() {
                self.forward(signal);
            }
            while let Some(status) = child::change_of(self.pid) {
                match libc::WIFSTOPPED(status) {
                    true => stop(libc::WSTOPSIG(status)),
                    false => return Ended::from_wait(status),
                }
            }
        }
    }

    fn wait_for_signal(&self) {
        let mut ready = libc::pollfd { fd: self.signals.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, alive during the call. Interrupted or not: a signal has arrived.
        unsafe { libc::poll(&raw mut ready, 1, -1) };
    }

    /// What the terminal sent, it sent to the command as well; and the command does not get its own signals back.
    fn forward(&self, Arrived { number, sender }: Arrived) {
        if sender.is_some_and(|sender| sender != self.pid) {
            send(self.pid, number);
        }
    }
}

/// Stops this process as the command was stopped, for whoever waits for it. Returns when it goes on.
fn stop(signal: c_int) {
    signals::reset(signal);
    // SAFETY: getpid cannot fail.
    send(unsafe { libc::getpid() }, signal);
    if !matches!(signal, libc::SIGSTOP | libc::SIGTTIN | libc::SIGTTOU) {
        signals::catch(signal);
    }
}
