//! A whole stream through the mask: from one descriptor to another.

use std::io;
use std::sync::Arc;

use keychain_core::{Code, Error, Result, SecretBytes};

use crate::mask::{MaskSet, Masker, RELEASE_AFTER};
use crate::output::{is_reader_gone, widen_pipe, write_error, write_whole};

/// As much as is read at once. Pipes are made as large where the system allows: who writes and who reads then wait for each
/// other less often. Linux allows no more without privileges.
const BUFFER_BYTES: usize = 1 << 20;

/// What there is to do next.
#[cfg_attr(windows, expect(dead_code, reason = "there the input alone is told of"))]
enum Event {
    /// The input has bytes, or its end.
    Input,
    /// Neither side moved for [`RELEASE_AFTER`].
    Silence,
    /// The reader of the output has gone.
    Gone,
}

/// Reads one descriptor to its end and writes what it holds to another, with the values of the set replaced by their labels.
/// What may be the beginning of a value is held back no longer than [`RELEASE_AFTER`], unless 8 bytes of it are there.
/// Either may be non-blocking. When the reader has gone, the rest is not read.
///
/// The input cannot be read → `InvalidOption`; the output cannot be written to → `OutputFailure`.
pub fn redact_stream(input: i32, output: i32, set: Arc<MaskSet>) -> Result<()> {
    widen_pipe(input, BUFFER_BYTES);
    widen_pipe(output, BUFFER_BYTES);
    let mut masker = Masker::new(set);
    let mut buffer = SecretBytes::with(BUFFER_BYTES, |_| ());
    let mut out = Vec::with_capacity(BUFFER_BYTES * 2);
    let mut may_release = false;
    loop {
        let timeout = if may_release { Some(RELEASE_AFTER) } else { None };
        let mut end = None;
        match system::wait(input, output, timeout).map_err(unreadable)? {
            Event::Gone => return Ok(()),
            Event::Silence => {
                masker.release(&mut out);
                // What is held on to now waits for more.
                may_release = false;
            }
            Event::Input => match system::read(input, buffer.as_bytes_mut()) {
                Ok(0) => end = Some(Ok(())),
                Ok(count) => {
                    masker.push(&buffer.as_bytes()[..count], &mut out);
                    may_release = masker.held() > 0;
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => end = Some(Err(unreadable(error))),
            },
        }
        if end.is_some() {
            masker.finish(&mut out);
        }
        match write_whole(output, &out) {
            Err(error) if is_reader_gone(&error) => return Ok(()),
            Err(error) => return Err(write_error(output, error)),
            Ok(()) => out.clear(),
        }
        if let Some(end) = end {
            return end;
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

fn unreadable(error: io::Error) -> Error {
    Error::new(Code::InvalidOption, "the input cannot be read").with_source(error)
}

#[cfg(unix)]
mod system {
    use std::io;
    use std::time::Duration;

    use super::Event;

    pub(super) fn wait(input: i32, output: i32, timeout: Option<Duration>) -> io::Result<Event> {
        // Nothing is asked of the output, so that it wakes us only when its reader goes.
        let poll = |fd, events| libc::pollfd { fd, events, revents: 0 };
        let mut both = [poll(input, libc::POLLIN), poll(output, 0)];
        let timeout = timeout.map_or(-1, |timeout| i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX));
        // SAFETY: two entries, alive during the call.
        match unsafe { libc::poll(both.as_mut_ptr(), 2, timeout) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(Event::Input),
                error => Err(error),
            },
            0 => Ok(Event::Silence),
            _ if both[1].revents & libc::POLLERR != 0 => Ok(Event::Gone),
            _ => Ok(Event::Input),
        }
    }

    pub(super) fn read(input: i32, target: &mut [u8]) -> io::Result<usize> {
        // SAFETY: target is writable for its length.
        let count = unsafe { libc::read(input, target.as_mut_ptr().cast(), target.len()) };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }
}

/// Windows has no wait for a pipe: what is held back is released with the next bytes.
#[cfg(windows)]
mod system {
    use std::fs::File;
    use std::io::{self, Read};
    use std::os::windows::io::AsHandle;
    use std::time::Duration;

    use super::Event;

    pub(super) fn wait(_input: i32, _output: i32, _timeout: Option<Duration>) -> io::Result<Event> {
        Ok(Event::Input)
    }

    pub(super) fn read(_input: i32, target: &mut [u8]) -> io::Result<usize> {
        match File::from(io::stdin().as_handle().try_clone_to_owned()?).read(target) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
            result => result,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    fn pipe() -> (File, File) {
        let (read, write) = io::pipe().unwrap();
        (OwnedFd::from(read).into(), OwnedFd::from(write).into())
    }

    fn start(value: &'static [u8]) -> (File, File, thread::JoinHandle<Result<()>>) {
        let ((input, to), (from, output)) = (pipe(), pipe());
        let (set, _) = MaskSet::new(&[("a/b".into(), value)]);
        let work = thread::spawn(move || redact_stream(input.as_raw_fd(), output.as_raw_fd(), Arc::new(set)));
        (to, from, work)
    }

    fn set_nonblocking(file: &File) {
        // SAFETY: the descriptor is open.
        assert_ne!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) }, -1);
    }

    #[test]
    fn a_value_in_two_writes_is_masked_and_the_end_ends() {
        let (mut to, mut from, work) = start(b"correct horse");
        to.write_all(b"the password is correct ").unwrap();
        let mut shown = [0; 16];
        from.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"the password is ");
        to.write_all(b"horse.").unwrap();
        drop(to);
        let mut rest = String::new();
        from.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "[se://a/b].");
        work.join().unwrap().unwrap();
    }

    #[test]
    fn a_prompt_that_begins_like_a_value_appears() {
        let (mut to, mut from, work) = start(b"name: secret");
        to.write_all(b"name: ").unwrap();
        let mut shown = [0; 6];
        from.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"name: ");
        drop(to);
        work.join().unwrap().unwrap();
    }

    #[test]
    fn what_is_held_comes_out_when_the_input_fails() {
        let (input, mut to) = UnixStream::pair().unwrap();
        let (mut from, output) = pipe();
        let (set, _) = MaskSet::new(&[("a/b".into(), b"correct horse")]);
        to.write_all(b"correct ").unwrap();
        // A socket that is closed with bytes in it is reset.
        (&input).write_all(b"unread").unwrap();
        drop(to);
        let error = redact_stream(input.as_raw_fd(), output.as_raw_fd(), Arc::new(set)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidOption);
        drop(output);
        let mut shown = String::new();
        from.read_to_string(&mut shown).unwrap();
        assert_eq!(shown, "correct ");
    }

    #[test]
    fn it_ends_when_the_reader_goes_though_nothing_comes() {
        let (_to, from, work) = start(b"correct horse");
        drop(from);
        work.join().unwrap().unwrap();
    }

    #[test]
    fn descriptors_that_do_not_block_are_waited_for() {
        let ((input, mut to), (mut from, output)) = (pipe(), pipe());
        set_nonblocking(&input);
        set_nonblocking(&output);
        let (set, _) = MaskSet::new(&[("a/b".into(), b"correct horse")]);
        let work = thread::spawn(move || redact_stream(input.as_raw_fd(), output.as_raw_fd(), Arc::new(set)));
        let text: Vec<u8> = (0..2_000_000_u32).map(|at| (at % 251) as u8).collect();
        let copy = text.clone();
        let writer = thread::spawn(move || to.write_all(&copy));
        let mut out = Vec::new();
        from.read_to_end(&mut out).unwrap();
        writer.join().unwrap().unwrap();
        assert!(out == text);
        work.join().unwrap().unwrap();
    }
}
