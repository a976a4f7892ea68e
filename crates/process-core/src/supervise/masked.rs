//! A command whose output is masked: on a terminal of its own where we have one, with pipes of its own where we have
//! those.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keychain_core::{Code, Error, Result};
use libc::{c_int, termios, winsize};

use super::child::{self, Command, Ended, Starter, Streams};
use super::descriptors::{facts, file_kind, keep_only, kind_of, let_go};
use super::memory::wipe_start;
use super::monitor::{Change, Monitor, Order, Seat};
use super::plan::MaskMode;
use super::pump::{CHUNK_BYTES, Pump, Sink, has_hung_up};
use super::signals::{self, Arrived, Inherited, Signals, send};
use super::system_failure;
use super::terminal::{Pty, UserTerminal, adopt_settings, is_terminal, output_flags, set_size, settings};
use crate::output::widen_pipe;
use crate::{MaskSet, Masker};

/// What of a terminal's output may still be on its way when the command has ended, and more: the system keeps less.
const LEFT_BYTES: usize = 256 << 10;

/// What becomes of each standard stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// The command has it as it is.
    Inherited,
    /// The command has a terminal of its own in its place.
    Terminal,
    /// The command has a pipe in its place.
    Pipe,
    /// It leads where standard output leads, and so does the pipe.
    AsOutput,
}

/// How a command is to be masked. It is what this process's standard streams are.
pub(super) struct Masking {
    terminal: Option<UserTerminal>,
    streams: [Stream; 3],
}

impl Masking {
    /// Looks at the standard streams. None: there is nothing to be masked.
    ///
    /// Where there is a terminal, the command gets another one even if no stream leads to it, so that what it opens as
    /// `/dev/tty` is masked as well.
    pub(super) fn find(mode: MaskMode, command: &Command) -> Option<Self> {
        let terminal = UserTerminal::find();
        let is_ci = command.environment.get("CI").is_some_and(|ci| !matches!(ci, b"" | b"false" | b"0"));
        let masks_pipes = mode == MaskMode::Always || is_ci;
        let mut streams = [0, 1, 2].map(|fd| match fd {
            fd if terminal.as_ref().is_some_and(|terminal| terminal.is(fd)) => Stream::Terminal,
            // Another terminal than the one that controls us.
            1 | 2 if is_terminal(fd) || (masks_pipes && leads_somewhere(fd)) => Stream::Pipe,
            _ => Stream::Inherited,
        });
        if streams[1] == Stream::Pipe && streams[2] == Stream::Pipe && lead_to_the_same(1, 2) {
            streams[2] = Stream::AsOutput;
        }
        let masks = terminal.is_some() || streams.contains(&Stream::Pipe);
        masks.then_some(Self { terminal, streams })
    }

    /// Runs the command. Every signal must be blocked. `prepare` makes the masker, in this process alone. Answers how it
    /// ended, and why some of its output was lost, if it was.
    pub(super) fn run(
        self,
        command: Command,
        inherited: &Inherited,
        prepare: impl FnOnce() -> MaskSet,
    ) -> Result<(Ended, Option<Error>)> {
        let signals = Signals::catch(inherited).map_err(system_failure("pipe"))?;
        let (waiting, starter) = child::start().map_err(system_failure("pipe"))?;
        let Self { terminal, streams } = self;
        let mut pipes = Vec::new();
        let mut given: Streams = Default::default();
        for (stream, fd) in streams.iter().zip(0..) {
            if *stream == Stream::Pipe {
                let (read, write) = io::pipe().map_err(system_failure("pipe"))?;
                let read = OwnedFd::from(read);
                signals::set_nonblocking(read.as_raw_fd());
                widen_pipe(read.as_raw_fd(), CHUNK_BYTES);
                pipes.push((read, Sink::of_stream(fd as RawFd).map_err(system_failure("the output"))?));
                given[fd] = Some(write.into());
            }
        }
        if streams[2] == Stream::AsOutput
            && let Some(write) = &given[1]
        {
            given[2] = Some(write.try_clone().map_err(system_failure("pipe"))?);
        }
        let mut parent = match terminal {
            Some(user) => {
                let pty = Pty::like(&user).map_err(no_terminal)?;
                for (stream, given) in streams.iter().zip(&mut given) {
                    if *stream == Stream::Terminal {
                        *given = Some(pty.slave.try_clone().map_err(system_failure("a terminal for the command"))?);
                    }
                }
                let settings = user.settings().map_err(system_failure("the terminal"))?;
                let seat = Seat {
                    slave: pty.slave,
                    streams: given,
                    user: (user.fd().as_raw_fd(), settings),
                    command,
                    inherited,
                };
                let monitor = Monitor::new(seat, starter)?;
                // Only after the fork, so that the monitor has no values.
                let set = Arc::new(prepare());
                let mut screen = Screen::new(user, pty.master, &set, &streams);
                screen.run(&monitor, false);
                Parent::new(signals, Link::Monitor(monitor), Some(screen), set)
            }
            None => {
                let set = Arc::new(prepare());
                let pid = start_beside(command, given, inherited, starter)?;
                Parent::new(signals, Link::Child(pid), None, set)
            }
        };
        for (read, sink) in pipes {
            parent.pumps.push(Pump::new(Rc::new(read), sink, Some(Masker::new(parent.set.clone()))));
        }
        signals::unblock();
        waiting.wait()?;
        // Standard error is for what is to be told at the end.
        let_go(&[2]);
        wipe_start();
        Ok(parent.run())
    }
}

fn no_terminal(error: io::Error) -> Error {
    Error::new(Code::Unsupported, format!("no terminal can be had for the command: {error}"))
        .with_hint("a masked command needs a pseudo-terminal: see that /dev/pts is mounted and has room for one more, or append | cat")
        .with_source(error)
}

/// Starts the command, and keeps neither its variables nor its ends of the pipes: they would never come to an end.
fn start_beside(command: Command, streams: Streams, inherited: &Inherited, mut starter: Starter) -> Result<c_int> {
    // SAFETY: getpid cannot fail.
    let parent = unsafe { libc::getpid() };
    child::fork(|| starter.become_command(&command, &streams, inherited, parent)).map_err(system_failure("fork"))
}

/// Whether what is written there is seen by anybody.
fn leads_somewhere(fd: RawFd) -> bool {
    let null = std::fs::File::open("/dev/null").ok().and_then(|null| facts(null.as_raw_fd()));
    let is_null = |facts: &libc::stat| null.is_some_and(|null| null.st_rdev == facts.st_rdev);
    facts(fd).is_some_and(|facts| match kind_of(&facts) {
        0 => false,
        libc::S_IFCHR => !is_null(&facts),
        _ => true,
    })
}

fn lead_to_the_same(one: RawFd, other: RawFd) -> bool {
    let place = |fd| facts(fd).map(|facts| (facts.st_dev, facts.st_ino));
    place(one) == place(other)
}

/// The two terminals.
struct Screen {
    user: UserTerminal,
    master: Rc<OwnedFd>,
    size: Option<winsize>,
    keys: Pump,
    output: Pump,
    /// Whether the command is to have the keys when the terminal is ours. In a pipeline it is asked for first: others
    /// there may read them.
    wants_keys: bool,
    /// Whether standard output leads to another program.
    is_in_pipeline: bool,
    /// Whether the command is in the foreground of its terminal.
    is_in_foreground: bool,
    /// The settings that the command's terminal was made with. None: the other terminal has been ours since.
    given: Option<termios>,
}

impl Screen {
    fn new(user: UserTerminal, master: OwnedFd, set: &Arc<MaskSet>, streams: &[Stream; 3]) -> Self {
        let master = Rc::new(master);
        let mut keys = Pump::new(user.fd().clone(), Sink::own(master.clone()), None);
        keys.pause(true);
        let output = Pump::new(master.clone(), Sink::own(user.fd().clone()), Some(Masker::new(set.clone())));
        let is_in_pipeline = streams[1] != Stream::Terminal && file_kind(1) != libc::S_IFREG;
        let wants_keys = user.is_controlling() && streams[0] == Stream::Terminal && !is_in_pipeline;
        let given = settings(master.as_raw_fd()).ok();
        let size = user.size();
        Self { user, master, size, keys, output, wants_keys, is_in_pipeline, is_in_foreground: false, given }
    }

    /// Has the command run, with the keys where it wants them and the terminal is ours. `anyway`: in the foreground of its
    /// terminal though it gets no keys.
    fn run(&mut self, monitor: &Monitor, anyway: bool) {
        let is_ours = self.user.is_ours();
        if is_ours && let Some(given) = self.given.take() {
            // A command that was started in the background has settings made of those of whoever was in the foreground then,
            // as a shell that was editing a line. For a job in the foreground, the shell has set the terminal anew.
            adopt_settings(self.master.as_raw_fd(), &given, &self.user);
        }
        let takes = self.wants_keys && is_ours;
        if takes {
            self.user.make_raw(self.output_flags(), |line_ends| self.keys.read_lines(line_ends));
        }
        self.keys.pause(!takes);
        self.output.set_line_ends(self.user.makes_line_ends());
        self.is_in_foreground = takes || anyway;
        monitor.order(Order::Run { in_foreground: self.is_in_foreground });
    }

    /// In a pipeline, others write to the person's terminal while it is raw: that does then with output what the command's
    /// own terminal does, whatever the command sets there.
    fn follow_output(&mut self) {
        if self.is_in_pipeline && self.user.is_raw() && self.user.is_ours() {
            self.user.make_raw(self.output_flags(), |_| {});
            self.output.set_line_ends(self.user.makes_line_ends());
        }
    }

    fn output_flags(&self) -> Option<libc::tcflag_t> {
        output_flags(self.master.as_raw_fd()).filter(|_| self.is_in_pipeline)
    }

    /// Whether the person's terminal has gone. Where instead nobody holds the command's any more, the monitor is about to tell
    /// of the end: until then the keys are the command's, and no Ctrl-C may get lost in between.
    fn has_gone(&self) -> bool {
        (self.output.has_ended() || self.keys.has_ended()) && !has_hung_up(self.master.as_raw_fd())
    }

    /// Leaves the keys to others.
    fn give_back(&mut self) {
        self.user.give_back();
        self.keys.pause(true);
    }

    /// Gives the command's terminal the size of the other. Whether the system tells the command: it does of a new size,
    /// in the foreground.
    fn resize_and_tell(&mut self) -> bool {
        self.resize() && self.is_in_foreground
    }

    /// Gives the command's terminal the size of the other. Whether that is a new one.
    fn resize(&mut self) -> bool {
        let size = self.user.size();
        let dimensions =
            |size: &Option<winsize>| size.map(|size| (size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel));
        if dimensions(&size) == dimensions(&self.size) {
            return false;
        }
        self.size = size;
        if let Some(size) = size {
            set_size(self.master.as_raw_fd(), &size);
        }
        true
    }
}

/// The process that the command runs below.
enum Link {
    /// This one. The command is in its group.
    Child(c_int),
    /// A monitor, in a session of its own.
    Monitor(Monitor),
}

struct Parent {
    signals: Signals,
    /// Signals that were read, and are to be handled.
    arrived: VecDeque<Arrived>,
    link: Link,
    screen: Option<Screen>,
    pumps: Vec<Pump>,
    set: Arc<MaskSet>,
}

impl Parent {
    fn new(signals: Signals, link: Link, screen: Option<Screen>, set: Arc<MaskSet>) -> Self {
        Self { signals, arrived: VecDeque::new(), link, screen, pumps: Vec::new(), set }
    }

    /// Is there until the command has ended. Also answers why some of its output was lost, if it was.
    fn run(mut self) -> (Ended, Option<Error>) {
        loop {
            let is_told = self.wait(true);
            while let Some(signal) = self.arrived.pop_front() {
                self.handle(signal);
            }
            if let Some(ended) = self.look(is_told) {
                return self.end(ended);
            }
            if self.screen.as_ref().is_some_and(Screen::has_gone) {
                // So does the command's terminal.
                self.screen = None;
            }
        }
    }

    /// Waits until something happens, moves what is to be moved, and reads signals. Whether the monitor has something to
    /// tell, where that is waited for.
    fn wait(&mut self, for_link: bool) -> bool {
        let link = match &self.link {
            Link::Monitor(monitor) if for_link => monitor.as_raw_fd(),
            _ => -1,
        };
        let poll = |fd, events| libc::pollfd { fd, events, revents: 0 };
        let mut ready = vec![poll(self.signals.as_raw_fd(), libc::POLLIN), poll(link, libc::POLLIN)];
        let pumps: Vec<&mut Pump> = pumps_of(&mut self.screen, &mut self.pumps).collect();
        ready.extend(pumps.iter().map(|pump| {
            let (fd, events) = pump.waits_for().unwrap_or((-1, 0));
            poll(fd, events)
        }));
        let deadline = pumps.iter().filter_map(|pump| pump.deadline()).min();
        poll_until(&mut ready, deadline);
        drop(pumps);
        if let Some(screen) = &mut self.screen {
            screen.follow_output();
        }
        let pumps = pumps_of(&mut self.screen, &mut self.pumps);
        for (pump, ready) in pumps.zip(&ready[2..]) {
            if ready.revents != 0 {
                pump.turn();
            }
            pump.release();
        }
        if ready[0].revents != 0 {
            self.arrived.extend(self.signals.all());
        }
        ready[1].revents != 0
    }

    /// Looks at the command. How it has ended, when it has.
    fn look(&mut self, is_told: bool) -> Option<Ended> {
        loop {
            let change = match &self.link {
                Link::Monitor(monitor) if is_told => monitor.change(),
                Link::Monitor(_) => return None,
                Link::Child(pid) => match child::change_of(*pid)? {
                    status if libc::WIFSTOPPED(status) => Change::Stopped(libc::WSTOPSIG(status)),
                    status => Change::Ended(Ended::from_wait(status)),
                },
            };
            match change {
                Change::Ended(ended) => return Some(ended),
                Change::Stopped(signal) => self.stopped(signal),
            }
            if matches!(self.link, Link::Monitor(_)) {
                return None;
            }
        }
    }

    fn handle(&mut self, Arrived { number, sender }: Arrived) {
        if number == libc::SIGCONT {
            return self.go_on(false);
        }
        let is_of_child = number == libc::SIGCHLD && sender.is_none();
        if let (true, Link::Monitor(monitor)) = (is_of_child, &self.link) {
            monitor.reap_others();
        }
        if is_of_child || (number == libc::SIGWINCH && self.screen.as_mut().is_some_and(Screen::resize_and_tell)) {
            return;
        }
        match &self.link {
            Link::Monitor(monitor) => monitor.order(match sender {
                Some(_) => Order::Signal(number),
                // The person's terminal sends to a group.
                None => Order::SignalGroup(number),
            }),
            Link::Child(pid) => {
                if sender.is_some_and(|sender| sender != *pid) {
                    send(*pid, number);
                }
            }
        }
    }

    /// The command was stopped: either it wants the terminal and can have it, or this process's group stops as well.
    fn stopped(&mut self, signal: c_int) {
        let wants_terminal = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        if let Some(screen) = &mut self.screen
            && wants_terminal
        {
            screen.wants_keys = true;
            if screen.user.is_ours() {
                return self.go_on(false);
            }
        }
        // The readers of pipes may have been stopped too: what they do not take now comes later.
        self.catch_up(false);
        if let Some(screen) = &mut self.screen {
            screen.give_back();
        }
        let was_stopped = self.stop(signal);
        // In a group that nobody could have go on, the system does not stop: a command that wants the terminal waits.
        self.go_on(wants_terminal && !was_stopped);
    }

    /// Stops this process, and its group for a signal that a terminal would have sent. Returns when it goes on; false: it
    /// was not stopped.
    fn stop(&mut self, signal: c_int) -> bool {
        let is_caught = !matches!(signal, libc::SIGSTOP | libc::SIGTTIN | libc::SIGTTOU);
        if is_caught {
            signals::reset(signal);
        }
        // SAFETY: getpid cannot fail.
        let to = if signal == libc::SIGSTOP { unsafe { libc::getpid() } } else { 0 };
        send(to, signal);
        if is_caught {
            signals::catch(signal);
        }
        let before = self.arrived.len();
        self.arrived.extend(self.signals.all());
        let is_continue = |arrived: &Arrived| arrived.number == libc::SIGCONT;
        let was_stopped = self.arrived.range(before..).any(is_continue);
        self.arrived.retain(|arrived| !is_continue(arrived));
        was_stopped
    }

    fn go_on(&mut self, anyway: bool) {
        match (&self.link, &mut self.screen) {
            (Link::Monitor(monitor), Some(screen)) => {
                screen.run(monitor, anyway);
                screen.resize();
            }
            (Link::Monitor(monitor), None) => monitor.order(Order::Run { in_foreground: true }),
            (Link::Child(pid), _) => send(*pid, libc::SIGCONT),
        }
    }

    /// Moves on what the command has written so far, but not what others go on writing. `with_pipes`: waits for the readers
    /// of pipes too. The signal that somebody ends this with, when one comes.
    fn catch_up(&mut self, with_pipes: bool) -> Option<c_int> {
        if let Some(screen) = &mut self.screen {
            screen.keys.pause(true);
            screen.output.set_quota(LEFT_BYTES);
        }
        for pump in &mut self.pumps {
            // One more, so that an end behind it is seen.
            pump.set_quota(pump.readable() + 1);
        }
        let mut ended_by = None;
        loop {
            outputs_of(&mut self.screen, &mut self.pumps).for_each(Pump::turn);
            let screen = self.screen.as_ref().map(|screen| &screen.output);
            let mut waited_for = screen.into_iter().chain(self.pumps.iter().filter(|_| with_pipes));
            if waited_for.all(Pump::has_caught_up) {
                break;
            }
            self.wait(false);
            let ends = |arrived: &&Arrived| {
                matches!(arrived.number, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT | libc::SIGTERM)
            };
            if let Some(signal) = self.arrived.iter().find(ends) {
                ended_by = Some(signal.number);
                break;
            }
        }
        for pump in outputs_of(&mut self.screen, &mut self.pumps) {
            pump.lift_quota();
        }
        ended_by
    }

    /// The command has ended: what it wrote comes out, its terminal is hung up, and what others still write to its pipes
    /// is left to a process of its own.
    fn end(mut self, ended: Ended) -> (Ended, Option<Error>) {
        // Nothing is left to stop but this process.
        signals::uncatch(libc::SIGTSTP);
        let mut killed_by = self.catch_up(false);
        if let (None, Some(screen)) = (killed_by, &mut self.screen) {
            screen.output.finish();
            killed_by = self.catch_up(false);
        }
        if let Some(screen) = &mut self.screen {
            // With it the person can end or stop the wait for the readers of pipes.
            screen.give_back();
        }
        if let Some(signal) = killed_by.or_else(|| self.catch_up(true)) {
            return (Ended::Killed(signal), None);
        }
        let failure = self.pumps.iter_mut().find_map(Pump::take_failure);
        if let Link::Monitor(monitor) = &self.link {
            monitor.wait();
        }
        self.screen = None;
        self.pumps.retain(|pump| !pump.has_ended());
        if !self.pumps.is_empty() {
            // Without it, the readers see the end earlier than they would: nothing else is lost.
            let _ = child::fork(|| pump_on(&mut self.pumps));
        }
        (ended, failure)
    }
}

/// All pumps: of the terminal first its keys, then its output.
fn pumps_of<'a>(screen: &'a mut Option<Screen>, pipes: &'a mut [Pump]) -> impl Iterator<Item = &'a mut Pump> {
    let of_screen = screen.as_mut().map(|screen| [&mut screen.keys, &mut screen.output]);
    of_screen.into_iter().flatten().chain(pipes)
}

fn outputs_of<'a>(screen: &'a mut Option<Screen>, pipes: &'a mut [Pump]) -> impl Iterator<Item = &'a mut Pump> {
    screen.as_mut().map(|screen| &mut screen.output).into_iter().chain(pipes)
}

/// Moves everything to its end, in a process of its own.
fn pump_on(pumps: &mut [Pump]) {
    let kept: Vec<RawFd> = pumps.iter().flat_map(Pump::descriptors).collect();
    keep_only(&kept);
    let_go(&[]);
    signals::outlive();
    while pumps.iter().any(|pump| !pump.has_ended()) {
        let mut ready: Vec<libc::pollfd> = Vec::new();
        for pump in &*pumps {
            let (fd, events) = pump.waits_for().unwrap_or((-1, 0));
            ready.push(libc::pollfd { fd, events, revents: 0 });
        }
        poll_until(&mut ready, pumps.iter().filter_map(Pump::deadline).min());
        for pump in &mut *pumps {
            pump.turn();
            pump.release();
        }
    }
}

/// Waits until one is ready, the time has come, or a signal arrives.
fn poll_until(ready: &mut [libc::pollfd], deadline: Option<Instant>) {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    // Rounded up, so that the time has really come.
    let timeout =
        left.map_or(-1, |left| c_int::try_from((left + Duration::from_micros(999)).as_millis()).unwrap_or(c_int::MAX));
    // SAFETY: as many pollfds as are said, alive during the call.
    if unsafe { libc::poll(ready.as_mut_ptr(), ready.len() as libc::nfds_t, timeout) } < 0 {
        for one in ready {
            one.revents = 0;
        }
    }
}
