//! Asks one daemon: many requests at once on one thread, over connections that are kept. A request for which one of these
//! is free is sent by whoever asks, since the thread, which waits for something from all of them, need not wake for that.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keychain_core::{Code, Error, Result, SecretBytes};
use process_core::{Address, Refusal};
use zeroize::Zeroize;

use crate::http::{Response, ResponseReader};

/// Connections at once; more requests wait for one of these to end. macOS lets 128 wait on a socket, and refuses the next
/// one as if nobody listened.
const MAX_CONNECTIONS: usize = if cfg!(target_os = "macos") { 100 } else { 256 };
/// Connections that are kept for later requests …
const MAX_KEPT: usize = 16;
/// … for this long.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// How long until a connection is tried again when too many wait on the daemon's socket.
const BUSY_FOR: Duration = Duration::from_millis(10);
/// What is read at once.
const RECEIVE_BYTES: usize = 64 << 10;

/// What gets the answer.
type Done = Box<dyn FnOnce(Result<Response>) + Send>;

/// A client of one daemon. Its thread begins with the first call, and ends when the client is dropped and all calls are
/// answered.
pub struct Client {
    shared: Arc<Shared>,
}

/// A request under way.
pub struct Call {
    id: u64,
    shared: Arc<Shared>,
}

struct Shared {
    address: Address,
    uid: u32,
    next: AtomicU64,
    inbox: Mutex<Inbox>,
}

/// What the thread is told, and how it is woken.
#[derive(Default)]
struct Inbox {
    messages: Vec<Message>,
    /// One end of a pair, whose other end the thread polls. None: there is no thread.
    waker: Option<UnixStream>,
    /// Connections without a request. The thread polls each of them, also one that has been taken since it began to.
    kept: Vec<Kept>,
    /// When the thread wakes by itself at the latest. None: never.
    wakes_at: Option<Instant>,
}

enum Message {
    Start(Exchange),
    Cancel(u64),
    CloseKept,
    Leave,
}

impl Client {
    /// A client for the daemon at this address, whose process must be `uid`'s or root's. Nothing happens yet.
    pub fn new(address: Address, uid: u32) -> Self {
        Self { shared: Arc::new(Shared { address, uid, next: AtomicU64::new(0), inbox: Mutex::default() }) }
    }

    /// Sends a request, and hands `done` the answer, on the client's thread, which it must not keep. `timeout`: from now
    /// until the whole answer is there.
    ///
    /// No daemon, or it went away → `DaemonUnreachable`; another user's → `SocketUnsafe`; too late → `Timeout`;
    /// cancelled → `Aborted`; no HTTP → `Corrupt`; an answer over the limits → `LimitExceeded`.
    ///
    /// A request on a kept connection that the daemon closed before answering a byte is sent once more: it closed it
    /// because it was idle. No other request is sent twice.
    pub fn call(
        &self,
        request: SecretBytes,
        timeout: Option<Duration>,
        done: impl FnOnce(Result<Response>) + Send + 'static,
    ) -> Call {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let done = Completion(Some(Box::new(done)));
        self.shared.start(Exchange { id, request, deadline, done, state: State::Queued, again: false });
        Call { id, shared: Arc::clone(&self.shared) }
    }

    /// Closes kept connections. Calls under way go on.
    pub fn close(&self) {
        self.shared.tell_if_running(Message::CloseKept);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.tell_if_running(Message::Leave);
    }
}

impl Call {
    /// Closes the connection, so that the daemon stops its work; the call answers `Aborted`. Again, or after the answer:
    /// nothing.
    pub fn cancel(&self) {
        self.shared.tell_if_running(Message::Cancel(self.id));
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, mut exchange: Exchange) {
        let _in_use = keychain_core::in_use();
        let mut inbox = self.inbox();
        let will_be_seen = inbox.send(&mut exchange);
        inbox.messages.push(Message::Start(exchange));
        if will_be_seen {
            return;
        }
        if inbox.waker.is_none() {
            match self.start_thread() {
                Ok(waker) => inbox.waker = Some(waker),
                Err(error) => {
                    let messages = std::mem::take(&mut inbox.messages);
                    drop(inbox);
                    let failed = Error::new(Code::Internal, "no thread for the daemon's client").with_source(error);
                    fail_first(messages, failed);
                    return;
                }
            }
        }
        inbox.wake();
    }

    fn tell_if_running(&self, message: Message) {
        let mut inbox = self.inbox();
        if inbox.waker.is_some() {
            inbox.messages.push(message);
            inbox.wake();
        }
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<UnixStream> {
        let (waker, woken) = UnixStream::pair()?;
        waker.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let shared = Arc::clone(self);
        std::thread::Builder::new().name("se-client".into()).spawn(move || {
            let receive = SecretBytes::with(RECEIVE_BYTES, |_| ());
            let mut worker =
                Worker { shared, woken, receive, leaving: false, waiting: VecDeque::new(), open: Vec::new() };
            worker.run();
        })?;
        Ok(waker)
    }
}

/// The message that started the thread in vain is the only one there.
fn fail_first(messages: Vec<Message>, error: Error) {
    for message in messages {
        if let Message::Start(mut exchange) = message {
            exchange.done.answer(Err(error));
            return;
        }
    }
}

impl Inbox {
    /// Sends a request on a connection that is kept, where there is one. False: the thread must be woken, to send it or what
    /// is left of it, or to end it in time.
    fn send(&mut self, exchange: &mut Exchange) -> bool {
        let Some(kept) = self.kept.pop_if(|kept| kept.is_quiet()) else { return false };
        let mut connection = Connection::new(kept.socket, true);
        connection.send(exchange.request.as_bytes());
        let is_sent = connection.sent == exchange.request.as_bytes().len();
        exchange.state = State::Open(Box::new(connection));
        is_sent && exchange.deadline.is_none_or(|deadline| self.wakes_at.is_some_and(|at| at <= deadline))
    }

    fn wake(&mut self) {
        if let Some(waker) = &mut self.waker {
            // Full: it is awake already.
            let _ = waker.write(&[0]);
        }
    }
}

/// Answers a call, whatever happens.
struct Completion(Option<Done>);

impl Completion {
    fn answer(&mut self, result: Result<Response>) {
        if let Some(done) = self.0.take() {
            done(result);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.answer(Err(Error::new(Code::Internal, "the daemon's client stopped")));
    }
}

/// One request with its answer.
struct Exchange {
    id: u64,
    request: SecretBytes,
    deadline: Option<Instant>,
    done: Completion,
    state: State,
    /// Whether it was sent before, on a connection that had been closed.
    again: bool,
}

enum State {
    /// Waits for a place among the connections.
    Queued,
    /// Too many wait on the daemon's socket: to be tried again then.
    Busy(Instant),
    Open(Box<Connection>),
}

struct Connection {
    socket: UnixStream,
    /// How many bytes of the request were sent.
    sent: usize,
    /// Whether the daemon reads no more. It may have answered before.
    is_refused: bool,
    reader: ResponseReader,
    /// Whether it had answered another request before.
    kept: bool,
}

/// A connection without a request.
struct Kept {
    socket: UnixStream,
    until: Instant,
}

impl Kept {
    /// Whether the daemon neither closed it nor said anything that nobody asked for.
    fn is_quiet(&self) -> bool {
        let mut byte = 0_u8;
        // SAFETY: the byte is alive during the call.
        let count = unsafe {
            libc::recv(self.socket.as_raw_fd(), (&raw mut byte).cast(), 1, libc::MSG_PEEK | libc::MSG_DONTWAIT)
        };
        count < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
    }
}

/// What a step brought.
enum Step {
    /// More is to come.
    Open,
    /// The answer. The connection can be kept, or not.
    Answered(Response, bool),
    /// The connection ended before a byte of the answer.
    Closed,
    Failed(Error),
}

/// The client's thread.
struct Worker {
    shared: Arc<Shared>,
    woken: UnixStream,
    receive: SecretBytes,
    /// Whether the client was dropped.
    leaving: bool,
    waiting: VecDeque<Exchange>,
    open: Vec<Exchange>,
}

impl Drop for Worker {
    /// Whatever ended the thread: the next call starts another, and none waits for this one.
    fn drop(&mut self) {
        let Inbox { messages, .. } = std::mem::take(&mut *self.shared.inbox());
        drop(messages);
    }
}

impl Worker {
    fn run(&mut self) {
        loop {
            {
                // A regular exit does not wipe values while they are sent or read.
                let _in_use = keychain_core::in_use();
                self.read_messages();
                self.expire(Instant::now());
                self.begin_waiting();
                if self.leaving && self.open.is_empty() && self.waiting.is_empty() {
                    return;
                }
            }
            if !self.poll() {
                return;
            }
        }
    }

    fn read_messages(&mut self) {
        let messages = std::mem::take(&mut self.shared.inbox().messages);
        for message in messages {
            match message {
                Message::Start(exchange) if matches!(exchange.state, State::Open(_)) => self.open.push(exchange),
                Message::Start(exchange) => self.waiting.push_back(exchange),
                Message::Cancel(id) => {
                    if let Some(mut exchange) = self.remove(id) {
                        exchange.done.answer(Err(Error::new(Code::Aborted, "the request was given up")));
                    }
                }
                Message::CloseKept => self.shared.inbox().kept.clear(),
                Message::Leave => {
                    self.leaving = true;
                    self.shared.inbox().kept.clear();
                }
            }
        }
    }

    /// Takes an exchange out. Dropped, its connection is closed.
    fn remove(&mut self, id: u64) -> Option<Exchange> {
        if let Some(at) = self.open.iter().position(|exchange| exchange.id == id) {
            return Some(self.open.swap_remove(at));
        }
        let at = self.waiting.iter().position(|exchange| exchange.id == id)?;
        self.waiting.remove(at)
    }

    /// Ends what has come to its time.
    fn expire(&mut self, now: Instant) {
        self.shared.inbox().kept.retain(|kept| kept.until > now);
        let late = |exchange: &Exchange| exchange.deadline.is_some_and(|deadline| deadline <= now);
        let ids: Vec<u64> = self.open.iter().chain(&self.waiting).filter(|one| late(one)).map(|one| one.id).collect();
        for id in ids {
            if let Some(mut exchange) = self.remove(id) {
                let error =
                    Error::new(Code::Timeout, format!("the daemon on {} did not answer in time", self.shared.address))
                        .with_hint("ask again with more time, or see what keeps it with: se daemon status")
                        .with_detail("address", &self.shared.address);
                exchange.done.answer(Err(error));
            }
        }
        for at in (0..self.open.len()).rev() {
            if matches!(self.open[at].state, State::Busy(until) if until <= now) {
                let exchange = self.open.swap_remove(at);
                self.begin(exchange, false);
            }
        }
    }

    fn begin_waiting(&mut self) {
        while self.open.len() < MAX_CONNECTIONS {
            let Some(exchange) = self.waiting.pop_front() else { break };
            self.begin(exchange, true);
        }
    }

    /// Sends a request, on a kept connection where there is one and `may_use_kept`.
    fn begin(&mut self, mut exchange: Exchange, may_use_kept: bool) {
        let kept = if may_use_kept { self.shared.inbox().kept.pop() } else { None };
        let (socket, kept) = match kept {
            Some(kept) => (kept.socket, true),
            None => match process_core::connect(&self.shared.address, self.shared.uid) {
                Ok(socket) => (UnixStream::from(socket), false),
                Err(Refusal::Busy) => {
                    exchange.state = State::Busy(Instant::now() + BUSY_FOR);
                    self.open.push(exchange);
                    return;
                }
                Err(Refusal::Failed(error)) => return exchange.done.answer(Err(error)),
                Err(Refusal::Absent) => return exchange.done.answer(Err(self.nobody())),
                Err(Refusal::Refused(error)) => return exchange.done.answer(Err(self.nobody().with_source(error))),
            },
        };
        exchange.state = State::Open(Box::new(Connection::new(socket, kept)));
        self.open.push(exchange);
        self.advance(self.open.len() - 1, false);
    }

    fn nobody(&self) -> Error {
        let address = &self.shared.address;
        Error::new(Code::DaemonUnreachable, format!("no daemon listens on {address}"))
            .with_hint("start one with: se daemon start")
            .with_detail("address", address)
    }

    /// Sends and reads what the connection at this place allows.
    fn advance(&mut self, at: usize, readable: bool) {
        let exchange = &mut self.open[at];
        let State::Open(connection) = &mut exchange.state else { return };
        let step = connection.advance(&exchange.request, readable, self.receive.as_bytes_mut());
        if matches!(step, Step::Open) {
            return;
        }
        let mut exchange = self.open.swap_remove(at);
        let State::Open(connection) = std::mem::replace(&mut exchange.state, State::Queued) else { return };
        let answer = match step {
            Step::Open => return,
            Step::Closed if connection.kept && !exchange.again => {
                exchange.again = true;
                return self.begin(exchange, false);
            }
            Step::Answered(response, keep) => {
                if keep && !self.leaving {
                    self.keep(connection.socket);
                }
                Ok(response)
            }
            Step::Closed => Err(self.gone("before it answered")),
            Step::Failed(error) if error.code() == Code::DaemonUnreachable => {
                Err(self.gone("in the middle of its answer").with_source(error))
            }
            Step::Failed(error) => Err(error.with_detail("address", &self.shared.address)),
        };
        exchange.done.answer(answer);
    }

    fn gone(&self, when: &str) -> Error {
        let address = &self.shared.address;
        Error::new(Code::DaemonUnreachable, format!("the daemon on {address} closed the connection {when}"))
            .with_hint("see what it says with: se daemon status; then ask again")
            .with_detail("address", address)
    }

    fn keep(&mut self, socket: UnixStream) {
        let kept = &mut self.shared.inbox().kept;
        if kept.len() == MAX_KEPT {
            kept.remove(0);
        }
        kept.push(Kept { socket, until: Instant::now() + KEPT_FOR });
    }

    /// Waits until something can be done, and does it. False: nothing can be waited for any more, so that going on would
    /// only spin.
    fn poll(&mut self) -> bool {
        let watch = |socket: &UnixStream, events| libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 };
        let mut polled = vec![watch(&self.woken, libc::POLLIN)];
        let wakes_at = {
            let mut inbox = self.shared.inbox();
            // What was sent meanwhile is polled as well: nobody wakes the thread for its answer.
            if !inbox.messages.is_empty() {
                return true;
            }
            polled.extend(inbox.kept.iter().map(|kept| watch(&kept.socket, libc::POLLIN)));
            inbox.wakes_at = self.next_time(&inbox.kept);
            inbox.wakes_at
        };
        // One that is tried again later has no socket, and is left out: the system counts the places.
        for exchange in &self.open {
            let State::Open(connection) = &exchange.state else { continue };
            let sending = !connection.is_refused && connection.sent < exchange.request.as_bytes().len();
            polled.push(watch(&connection.socket, if sending { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN }));
        }
        let timeout = wakes_at.map_or(-1, |time| {
            // Rounded up, so that the time has come when this returns.
            let left = time.saturating_duration_since(Instant::now()).as_millis().saturating_add(1);
            libc::c_int::try_from(left).unwrap_or(libc::c_int::MAX)
        });
        // SAFETY: the list is alive during the call, and as long as is said.
        let ready = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout) };
        if ready < 0 {
            // Such as more sockets than the process may have since its limit was lowered.
            return io::Error::last_os_error().kind() == io::ErrorKind::Interrupted;
        }
        let _in_use = keychain_core::in_use();
        if polled[0].revents != 0 && !self.hear() {
            return false;
        }
        // What was kept when this began may have got a request since.
        self.read_messages();
        for place in polled[1..].iter().filter(|place| place.revents != 0) {
            match self.open.iter().position(|exchange| exchange.descriptor() == Some(place.fd)) {
                // Whatever is wrong with a connection, reading tells it. A descriptor that has become another connection's is
                // tried in vain.
                Some(at) => self.advance(at, place.revents & !libc::POLLOUT != 0),
                // The daemon closed it, or says something that nobody asked for.
                None => self.shared.inbox().kept.retain(|kept| kept.socket.as_raw_fd() != place.fd),
            }
        }
        true
    }

    /// Takes what woke the thread. False: nothing will wake it again, since somebody closed the descriptor.
    fn hear(&mut self) -> bool {
        let mut bytes = [0; 64];
        loop {
            match self.woken.read(&mut bytes) {
                Ok(64) => {}
                Ok(count) => return count > 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// When something is due.
    fn next_time(&self, kept: &[Kept]) -> Option<Instant> {
        let all = || self.open.iter().chain(&self.waiting);
        let busy =
            self.open.iter().filter_map(|one| if let State::Busy(until) = one.state { Some(until) } else { None });
        let kept = kept.iter().map(|kept| kept.until);
        all().filter_map(|one| one.deadline).chain(busy).chain(kept).min()
    }
}

impl Exchange {
    fn descriptor(&self) -> Option<RawFd> {
        if let State::Open(connection) = &self.state { Some(connection.socket.as_raw_fd()) } else { None }
    }
}

impl Connection {
    fn new(socket: UnixStream, kept: bool) -> Self {
        Self { socket, sent: 0, is_refused: false, reader: ResponseReader::new(), kept }
    }

    fn advance(&mut self, request: &SecretBytes, readable: bool, receive: &mut [u8]) -> Step {
        let request = request.as_bytes();
        self.send(request);
        if readable || self.is_refused { self.read(receive, self.sent < request.len()) } else { Step::Open }
    }

    /// Sends what the socket takes.
    fn send(&mut self, request: &[u8]) {
        while self.sent < request.len() && !self.is_refused {
            match self.socket.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.is_refused = true,
            }
        }
    }

    /// `cut`: not all of the request was sent, and so the connection cannot be kept.
    fn read(&mut self, receive: &mut [u8], cut: bool) -> Step {
        loop {
            match self.socket.read(receive) {
                Ok(0) => return self.ended(),
                Ok(count) => {
                    let fed = self.reader.feed(&receive[..count]);
                    receive[..count].zeroize();
                    match fed {
                        Ok(true) => {
                            return match std::mem::take(&mut self.reader).end() {
                                Some(response) => {
                                    let keep = response.keep && !cut;
                                    Step::Answered(response, keep)
                                }
                                None => Step::Closed,
                            };
                        }
                        // Less than there was room for: there is no more for now.
                        Ok(false) if count < receive.len() => return Step::Open,
                        Ok(false) => {}
                        Err(error) => return Step::Failed(error),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Open,
                Err(_) => return self.ended(),
            }
        }
    }

    fn ended(&mut self) -> Step {
        if self.reader.is_untouched() {
            return Step::Closed;
        }
        match std::mem::take(&mut self.reader).end() {
            Some(response) => Step::Answered(response, false),
            None => Step::Failed(Error::new(Code::DaemonUnreachable, "the answer is cut off")),
        }
    }
}
