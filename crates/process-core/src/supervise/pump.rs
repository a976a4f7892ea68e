//! One direction of one stream: bytes from where the command writes to where it would have written, masked on the way.
//! Or keys, from the person's terminal to the command's.
//!
//! Nothing here waits, and no more is read than can be kept: who writes faster than the reader reads is made to wait.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use keychain_core::Error;
use zeroize::Zeroize;

use super::descriptors::file_kind;
use super::line_ends::LineEnds;
use super::terminal::{duplicate, end_of_input, owned};
use crate::output::write_error;
use crate::{Masker, RELEASE_AFTER};

/// What is read at once, and about what is written at once. A terminal never has so much.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// What a pipe takes without waiting when it takes anything at all.
const SURE_BYTES: usize = 4096;
/// What the system keeps of what is typed in line mode, or more.
const TYPED_BYTES: usize = 4096;
/// How often a pump goes on before the others have their turn.
const ROUNDS: usize = 16;

/// Where bytes go.
pub(super) struct Sink {
    fd: Rc<OwnedFd>,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Ours alone, and non-blocking.
    Own,
    /// A socket, which is told not to wait with each call.
    Socket,
    /// This standard stream, shared with others, for whom it must go on blocking: asked before each small write.
    Shared(RawFd),
}

impl Sink {
    /// A descriptor of ours, which is non-blocking.
    pub(super) fn own(fd: Rc<OwnedFd>) -> Self {
        Self { fd, kind: Kind::Own }
    }

    /// A standard stream of this process. A pipe is opened anew, so that it can be non-blocking for us alone; a file is
    /// not, since its position is shared with others.
    pub(super) fn of_stream(stream: RawFd) -> io::Result<Self> {
        let kind = file_kind(stream);
        if kind == libc::S_IFIFO
            && let Ok(path) = CString::new(format!("/dev/fd/{stream}"))
        {
            // SAFETY: the path ends in NUL; a descriptor that is answered is ours.
            let fd = unsafe { owned(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC)) };
            // Not everywhere is that a new descriptor: then it is as the old one, and may not be changed.
            if let Ok(fd) = fd
                && cfg!(target_os = "linux")
            {
                return Ok(Self::own(Rc::new(fd)));
            }
        }
        let kind = if kind == libc::S_IFSOCK { Kind::Socket } else { Kind::Shared(stream) };
        Ok(Self { fd: Rc::new(duplicate(stream)?), kind })
    }

    /// Writes what can be written without waiting.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let fd = self.fd.as_raw_fd();
        let (start, len) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: the bytes are alive, and as many as is said.
        let written = unsafe {
            match self.kind {
                Kind::Own => libc::write(fd, start, len),
                Kind::Socket => libc::send(fd, start, len, libc::MSG_DONTWAIT),
                Kind::Shared(_) => {
                    let mut ready = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
                    if libc::poll(&raw mut ready, 1, 0) == 0 {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    libc::write(fd, start, len.min(SURE_BYTES))
                }
            }
        };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}

/// One direction.
pub(super) struct Pump {
    /// None: it has ended, or nobody is left to read what comes.
    source: Option<Rc<OwnedFd>>,
    sink: Option<Sink>,
    masker: Option<Masker>,
    line_ends: LineEnds,
    /// What was read, before it is masked.
    input: Box<[u8]>,
    /// What is to be written, from `written` on.
    output: Vec<u8>,
    written: usize,
    last_input: Instant,
    /// Whether what is held back since then was asked for already.
    is_released: bool,
    /// How much more may be read. None: without an end.
    quota: Option<usize>,
    is_paused: bool,
    /// Whether there was nothing more to read the last time.
    is_dry: bool,
    /// Why what came could not be written, where that is not that the reader has gone.
    failure: Option<Error>,
}

impl Pump {
    pub(super) fn new(source: Rc<OwnedFd>, sink: Sink, masker: Option<Masker>) -> Self {
        Self {
            source: Some(source),
            sink: Some(sink),
            masker,
            line_ends: LineEnds::default(),
            input: vec![0; CHUNK_BYTES].into(),
            output: Vec::with_capacity(2 * CHUNK_BYTES),
            written: 0,
            last_input: Instant::now(),
            is_released: false,
            quota: None,
            is_paused: false,
            is_dry: false,
            failure: None,
        }
    }

    /// What is waited for: the descriptor, and `POLLIN` or `POLLOUT`. None: nothing.
    pub(super) fn waits_for(&self) -> Option<(RawFd, i16)> {
        match (&self.sink, &self.source) {
            (Some(sink), _) if self.is_waiting_for_reader() => Some((sink.fd.as_raw_fd(), libc::POLLOUT)),
            (Some(_), Some(source)) if !self.is_paused && self.quota != Some(0) => {
                Some((source.as_raw_fd(), libc::POLLIN))
            }
            _ => None,
        }
    }

    /// When [`Pump::turn`] is to be called though nothing has come: what is held back is then let go.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let holds = self.line_ends.holds() || self.masker.as_ref().is_some_and(|masker| masker.held() > 0);
        (holds && !self.is_waiting_for_reader() && !self.is_released).then(|| self.last_input + RELEASE_AFTER)
    }

    /// Reads, masks and writes as long as that is possible without waiting, but not for ever.
    pub(super) fn turn(&mut self) {
        for _ in 0..ROUNDS {
            self.write();
            if self.is_waiting_for_reader() || self.is_paused || !self.read() {
                return;
            }
        }
    }

    /// Lets go of what is held back, where the stream has been silent long enough.
    pub(super) fn release(&mut self) {
        if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            self.is_released = true;
            self.masked(|masker, output| {
                masker.release(output);
            });
            self.line_ends.release(&mut self.output);
            self.write();
        }
    }

    /// Whether the sink makes `\r\n` of `\n` by itself.
    pub(super) fn set_line_ends(&mut self, are_made: bool) {
        self.line_ends.turn(are_made);
    }

    /// Reads nothing for now, or goes on.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Reads at most so much more.
    pub(super) fn set_quota(&mut self, bytes: usize) {
        self.quota = Some(bytes);
        self.is_dry = false;
    }

    /// Reads to the end again.
    pub(super) fn lift_quota(&mut self) {
        self.quota = None;
    }

    /// How much there is to be read now.
    pub(super) fn readable(&self) -> usize {
        let mut len: libc::c_int = 0;
        if let Some(source) = &self.source {
            // SAFETY: FIONREAD writes one int.
            unsafe { libc::ioctl(source.as_raw_fd(), libc::FIONREAD, &raw mut len) };
        }
        usize::try_from(len).unwrap_or(0)
    }

    /// Whether all that there was, or may be read, has been written.
    pub(super) fn has_caught_up(&self) -> bool {
        !self.is_waiting_for_reader() && (self.source.is_none() || self.is_dry || self.quota == Some(0))
    }

    /// The descriptors that it uses.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        let source = self.source.iter().map(|source| source.as_raw_fd());
        source.chain(self.sink.iter().map(|sink| sink.fd.as_raw_fd()))
    }

    /// Whether nothing will come any more.
    pub(super) fn has_ended(&self) -> bool {
        self.sink.is_none() || (self.source.is_none() && !self.is_waiting_for_reader())
    }

    /// Why some of what came is lost, if it is: once.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Reads no more, and gives out what is held back.
    pub(super) fn finish(&mut self) {
        self.source = None;
        self.masked(Masker::finish);
        self.line_ends.release(&mut self.output);
        self.write();
    }

    /// Lets the masker give something out.
    fn masked(&mut self, give: impl FnOnce(&mut Masker, &mut Vec<u8>)) {
        let from = self.output.len();
        if let Some(masker) = &mut self.masker {
            give(masker, &mut self.output);
            self.line_ends.apply(&mut self.output, from);
        }
    }

    fn is_waiting_for_reader(&self) -> bool {
        self.written < self.output.len()
    }

    /// Reads once. False: there was nothing, or there never will be.
    fn read(&mut self) -> bool {
        let Some(source) = &self.source else { return false };
        let most = self.quota.unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        if most == 0 {
            return false;
        }
        let len = match read(source.as_raw_fd(), &mut self.input[..most]) {
            Ok(len) => len,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.is_dry = true;
                    return false;
                }
                io::ErrorKind::Interrupted => return true,
                // How Linux says that nobody holds a terminal any more.
                _ => 0,
            },
        };
        if len == 0 && self.masker.is_none() && !has_hung_up(source.as_raw_fd()) {
            // Another program has put the person's terminal into line mode, where this key gives nothing to read.
            self.end_input();
            return true;
        }
        if len == 0 {
            self.finish();
            return false;
        }
        self.quota = self.quota.map(|quota| quota - len);
        self.is_dry = false;
        match &mut self.masker {
            Some(masker) => {
                let from = self.output.len();
                masker.push(&self.input[..len], &mut self.output);
                self.line_ends.apply(&mut self.output, from);
                self.last_input = Instant::now();
                self.is_released = false;
            }
            None => self.pass_on(len),
        }
        true
    }

    /// Reads, of keys from a terminal in line mode, what no other mode gives: lines, each as it was ended, and ends of input,
    /// which become the key that is one where they go. `line_ends`: the characters that end a line.
    pub(super) fn read_lines(&mut self, line_ends: &[u8]) {
        let Some(source) = self.source.clone() else { return };
        let mut taken = 0;
        // No further than what was there at first can have been: of others who type without end, the rest comes later.
        while taken < TYPED_BYTES {
            match read(source.as_raw_fd(), &mut self.input) {
                Ok(0) if has_hung_up(source.as_raw_fd()) => return,
                Ok(len) => {
                    let is_line = self.input[..len].last().is_some_and(|last| line_ends.contains(last));
                    self.pass_on(len);
                    if !is_line {
                        self.end_input();
                    }
                    taken += len.max(1);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Passes on what was read as it is. Keys may be a passphrase.
    fn pass_on(&mut self, len: usize) {
        self.output.extend_from_slice(&self.input[..len]);
        self.input[..len].zeroize();
    }

    fn end_input(&mut self) {
        if let Some(sink) = &self.sink {
            self.output.push(end_of_input(sink.fd.as_raw_fd()));
        }
    }

    /// Writes what can be written. A reader that has gone is not waited for: whoever writes is to find out.
    fn write(&mut self) {
        while self.is_waiting_for_reader() {
            let Some(sink) = &self.sink else { break };
            match sink.write(&self.output[self.written..]) {
                Ok(len) => self.written += len,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::Interrupted => {}
                    kind => {
                        if let (Kind::Shared(stream), true) = (sink.kind, kind != io::ErrorKind::BrokenPipe) {
                            self.failure = Some(write_error(stream, error));
                        }
                        self.source = None;
                        self.sink = None;
                    }
                },
            }
        }
        if self.masker.is_none() {
            // What was written alone: the buffer is much larger than what is typed.
            self.output.as_mut_slice().zeroize();
        }
        self.output.clear();
        self.written = 0;
        if self.source.is_none() {
            // Nothing will come any more: whoever reads there is to find the end.
            self.sink = None;
        }
    }
}

fn read(fd: RawFd, to: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the bytes are alive, and as many as is said.
    let len = unsafe { libc::read(fd, to.as_mut_ptr().cast(), to.len()) };
    usize::try_from(len).map_err(|_| io::Error::last_os_error())
}

/// Whether nobody holds the other end any more.
pub(super) fn has_hung_up(fd: RawFd) -> bool {
    let mut ready = libc::pollfd { fd, events: 0, revents: 0 };
    // SAFETY: one pollfd, alive during the call.
    unsafe { libc::poll(&raw mut ready, 1, 0) > 0 }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.input.zeroize();
        self.output.zeroize();
    }
}
