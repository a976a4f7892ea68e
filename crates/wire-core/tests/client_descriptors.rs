//! The client in a process that may have fewer descriptors than it has. The limit is the process's, so these tests have
//! one of their own.
#![cfg(target_os = "linux")]

use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use keychain_core::{Code, SecretBytes};
use process_core::Address;
use tempfile::TempDir;
use wire_core::{Call, Client};

/// More than [`FEW`], and less than there are by default.
const REQUESTS: usize = 100;
const FEW: libc::rlim_t = 50;

static TURN: Mutex<()> = Mutex::new(());

/// A lower limit for descriptors, until it is dropped.
struct Lowered(libc::rlimit);

impl Lowered {
    fn new() -> Self {
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the limits are alive during the calls.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut before), 0);
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &libc::rlimit { rlim_cur: FEW, ..before }), 0);
        }
        Self(before)
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        // SAFETY: the limit is alive during the call.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &self.0) };
    }
}

fn begin(client: &Client) -> (Call, Receiver<Option<Code>>) {
    let (sender, codes) = channel();
    // Its end is the test's failure: without it, what is never answered would hang.
    let call = client.call(SecretBytes::copy_from(b"request"), Some(Duration::from_secs(5)), move |response| {
        let _ = sender.send(response.err().map(|error| error.code()));
    });
    (call, codes)
}

fn place() -> (TempDir, UnixListener, Client) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    // SAFETY: getuid cannot fail.
    let client = Client::new(Address::parse(path.to_str().unwrap()).unwrap(), unsafe { libc::getuid() });
    (folder, listener, client)
}

#[test]
fn requests_whose_connections_cannot_be_waited_for_fail_and_a_later_one_begins_anew() {
    let _turn = TURN.lock();
    let (_folder, listener, client) = place();
    let calls: Vec<_> = (0..REQUESTS).map(|_| begin(&client)).collect();
    let streams: Vec<_> = (0..REQUESTS).map(|_| listener.accept().unwrap().0).collect();
    let lowered = Lowered::new();
    // Wakes the thread, if it waits already.
    calls[0].0.cancel();
    for (_call, codes) in &calls[1..] {
        assert_eq!(codes.recv().unwrap(), Some(Code::Internal));
    }
    drop(lowered);
    drop(streams);
    let (_call, codes) = begin(&client);
    drop(listener.accept().unwrap());
    assert_eq!(codes.recv().unwrap(), Some(Code::DaemonUnreachable), "it was sent, and the daemon closed");
}

#[test]
fn requests_that_are_tried_again_later_need_no_descriptor_meanwhile() {
    let _turn = TURN.lock();
    let (folder, listener, client) = place();
    // SAFETY: listen takes integers.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let _first = UnixStream::connect(folder.path().join("s")).unwrap();
    let _lowered = Lowered::new();
    let calls: Vec<_> = (0..REQUESTS).map(|_| begin(&client)).collect();
    // All of them are refused again and again. Whoever waits for them ends them.
    for (call, codes) in calls {
        call.cancel();
        assert_eq!(codes.recv().unwrap(), Some(Code::Aborted));
    }
}
