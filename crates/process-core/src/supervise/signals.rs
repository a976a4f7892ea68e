//! Signals of a parent: caught one by one with who sent them, and given back to the command as they were inherited.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::{c_int, c_void, pid_t};

/// Where the handler writes. One descriptor for the process, since dispositions belong to the process.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Left at their default effect: a parent that must not read or write the terminal stops as any other program.
const NOT_CAUGHT: [c_int; 4] = [libc::SIGKILL, libc::SIGSTOP, libc::SIGTTIN, libc::SIGTTOU];

/// A signal that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    /// Its number.
    pub(super) number: c_int,
    /// The process that sent it; 0 where it cannot be seen from here, as one outside of a container. None: the kernel, for
    /// a terminal, a child or a limit.
    pub(super) sender: Option<pid_t>,
}

/// How a signal from the kernel is noted.
const FROM_KERNEL: pid_t = -1;

impl Arrived {
    fn to_record(number: c_int, sender: pid_t) -> [u8; 8] {
        let mut record = [0; 8];
        record[..4].copy_from_slice(&number.to_ne_bytes());
        record[4..].copy_from_slice(&sender.to_ne_bytes());
        record
    }

    fn from_record(record: [u8; 8]) -> Self {
        let [number, sender] = [&record[..4], &record[4..]].map(|half| half.try_into().map_or(0, i32::from_ne_bytes));
        Self { number, sender: (sender != FROM_KERNEL).then_some(sender) }
    }
}

/// The dispositions and the mask that this process was started with, which a command is to have.
#[derive(Clone)]
pub(super) struct Inherited {
    ignored: Vec<c_int>,
    mask: libc::sigset_t,
}

impl Inherited {
    /// Notes them, and blocks every signal until [`unblock`].
    pub(super) fn capture() -> Self {
        let ignored = numbers().filter(|number| disposition(*number).sa_sigaction == libc::SIG_IGN).collect();
        Self { ignored, mask: block() }
    }

    /// Gives them to this process, which is to become the command.
    pub(super) fn restore(&self) {
        for number in numbers() {
            let ignored = self.ignored.contains(&number);
            set(number, if ignored { libc::SIG_IGN } else { libc::SIG_DFL }, 0);
        }
        // SAFETY: the mask was written by pthread_sigmask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
    }
}

/// The signals of this process, to be read.
pub(super) struct Signals {
    read: OwnedFd,
    write: OwnedFd,
}

impl Signals {
    /// Catches every signal that was not inherited as ignored.
    pub(super) fn catch(inherited: &Inherited) -> io::Result<Self> {
        let signals = Self::new()?;
        for number in numbers() {
            if number == libc::SIGCHLD || !(inherited.ignored.contains(&number) || NOT_CAUGHT.contains(&number)) {
                catch(number);
            }
        }
        Ok(signals)
    }

    /// Catches the ends of children, and ignores everything else.
    pub(super) fn of_children() -> io::Result<Self> {
        let signals = Self::new()?;
        for number in numbers() {
            set(number, libc::SIG_IGN, 0);
        }
        catch(libc::SIGCHLD);
        Ok(signals)
    }

    fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let signals = Self { read: read.into(), write: write.into() };
        for end in [&signals.read, &signals.write] {
            set_nonblocking(end.as_raw_fd());
        }
        PIPE.store(signals.write.as_raw_fd(), Ordering::Relaxed);
        Ok(signals)
    }

    /// The descriptor that is readable when one has arrived.
    pub(super) fn as_raw_fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// The next one that has arrived.
    fn next(&self) -> Option<Arrived> {
        let mut record = [0_u8; 8];
        // SAFETY: the record is as long as is said. Records are written whole, so they are read whole.
        let len = unsafe { libc::read(self.as_raw_fd(), record.as_mut_ptr().cast(), record.len()) };
        (len == 8).then(|| Arrived::from_record(record))
    }

    /// The ones that have arrived, but for what this process itself causes by writing to readers who have gone.
    pub(super) fn all(&self) -> impl Iterator<Item = Arrived> {
        // SAFETY: getpid cannot fail.
        let own = unsafe { libc::getpid() };
        std::iter::from_fn(|| self.next()).filter(move |arrived| arrived.sender != Some(own))
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // The handlers stay; they write nowhere from now on.
        let _ = PIPE.compare_exchange(self.write.as_raw_fd(), -1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Blocks every signal, and answers with the mask before.
pub(super) fn block() -> libc::sigset_t {
    // SAFETY: both sets are local; sigfillset initialises the first, pthread_sigmask the second.
    unsafe {
        let mut all = MaybeUninit::uninit();
        libc::sigfillset(all.as_mut_ptr());
        let mut before = MaybeUninit::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

/// Lets every signal through.
pub(super) fn unblock() {
    // SAFETY: as above.
    unsafe {
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// Gives a signal its default effect.
pub(super) fn reset(number: c_int) {
    set(number, libc::SIG_DFL, 0);
}

/// Gives a signal its default effect, unless it is ignored.
pub(super) fn uncatch(number: c_int) {
    if disposition(number).sa_sigaction != libc::SIG_IGN {
        reset(number);
    }
}

/// For a process that goes on when the command has ended: every signal has its default effect and comes through, but for
/// those of a reader and of a terminal that go. Until then a hang-up is caught, so that at no instant it ends the process.
pub(super) fn outlive() {
    set(libc::SIGHUP, libc::SIG_IGN, 0);
    numbers().filter(|number| ![libc::SIGPIPE, libc::SIGHUP].contains(number)).for_each(reset);
    unblock();
}

/// Catches a signal again.
pub(super) fn catch(number: c_int) {
    set(number, handler as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize, libc::SA_SIGINFO);
}

/// Sends a signal to a process, or with a negative number to a group. That it has gone by now is no failure.
pub(super) fn send(to: pid_t, number: c_int) {
    // SAFETY: kill takes integers.
    unsafe { libc::kill(to, number) };
}

/// Makes a descriptor of our own non-blocking.
pub(super) fn set_nonblocking(fd: RawFd) {
    // SAFETY: fcntl takes integers.
    unsafe { libc::fcntl(fd, libc::F_SETFL, libc::fcntl(fd, libc::F_GETFL) | libc::O_NONBLOCK) };
}

#[cfg(target_os = "linux")]
fn numbers() -> impl Iterator<Item = c_int> {
    (1..32).chain(libc::SIGRTMIN()..=libc::SIGRTMAX())
}

#[cfg(not(target_os = "linux"))]
fn numbers() -> impl Iterator<Item = c_int> {
    1..32
}

fn disposition(number: c_int) -> libc::sigaction {
    // SAFETY: a zeroed sigaction is valid; the system writes the present one over it.
    unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(number, ptr::null(), &raw mut present);
        present
    }
}

/// Without SA_RESTART: a write that waits for a reader ends when a signal arrives, which may be why it should.
fn set(number: c_int, action: libc::sighandler_t, flags: c_int) {
    // SAFETY: a zeroed sigaction is valid; the handler is a function of this program, or one of the two constants.
    unsafe {
        let mut wanted: libc::sigaction = std::mem::zeroed();
        wanted.sa_sigaction = action;
        wanted.sa_flags = flags;
        libc::sigfillset(&raw mut wanted.sa_mask);
        libc::sigaction(number, &raw const wanted, ptr::null_mut());
    }
}

extern "C" fn handler(number: c_int, facts: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the system gives valid facts, of a kind that has a sender where a process sent it. What is called here may
    // be called in a signal handler.
    unsafe {
        let from_process = sent_by_process(&*facts);
        let is_fault = matches!(number, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP);
        if is_fault && !from_process {
            // Ours: what failed fails again, with its usual effect.
            reset(number);
            return;
        }
        let record = Arrived::to_record(number, if from_process { (*facts).si_pid() } else { FROM_KERNEL });
        let errno = errno();
        let before = *errno;
        libc::write(PIPE.load(Ordering::Relaxed), record.as_ptr().cast(), record.len());
        *errno = before;
    }
}

/// A child's end, too, comes with a process, but is the kernel's word.
#[cfg(target_os = "linux")]
fn sent_by_process(facts: &libc::siginfo_t) -> bool {
    facts.si_code <= 0
}

#[cfg(not(target_os = "linux"))]
fn sent_by_process(facts: &libc::siginfo_t) -> bool {
    /// `SI_USER` and `SI_QUEUE` of Darwin's sys/signal.h.
    const BY_PROCESS: [c_int; 2] = [0x1_0001, 0x1_0002];
    // SAFETY: si_pid is a field of every siginfo_t there.
    BY_PROCESS.contains(&facts.si_code) && unsafe { facts.si_pid() } > 0
}

#[cfg(target_os = "linux")]
unsafe fn errno() -> *mut c_int {
    // SAFETY: takes nothing; answers with the thread's own place.
    unsafe { libc::__errno_location() }
}

#[cfg(not(target_os = "linux"))]
unsafe fn errno() -> *mut c_int {
    // SAFETY: takes nothing; answers with the thread's own place.
    unsafe { libc::__error() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_cannot_be_seen_is_not_taken_for_the_kernel() {
        let arrived = |sender| Arrived::from_record(Arrived::to_record(libc::SIGTERM, sender));
        for (sender, told) in [(FROM_KERNEL, None), (0, Some(0)), (1, Some(1)), (pid_t::MAX, Some(pid_t::MAX))] {
            assert_eq!(arrived(sender), Arrived { number: libc::SIGTERM, sender: told });
        }
    }
}
