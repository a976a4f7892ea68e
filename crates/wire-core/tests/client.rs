//! The client against servers that do as each test says.
#![cfg(unix)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use keychain_core::{Code, Error, SecretBytes};
use process_core::Address;
use tempfile::TempDir;
use wire_core::{Call, Client};

type Answer = Result<(u16, Vec<u8>), Error>;

/// A socket in a folder of its own, and a client for it.
struct Place {
    folder: TempDir,
    client: Client,
}

impl Place {
    fn new() -> (Self, UnixListener) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        (Self { client: client(path.to_str().unwrap()), folder }, listener)
    }

    fn begin(&self, timeout: Option<Duration>) -> (Call, Receiver<Answer>) {
        begin(&self.client, b"request", timeout)
    }

    fn ask(&self) -> Answer {
        let (_call, answers) = self.begin(None);
        answers.recv().unwrap()
    }
}

fn client(address: &str) -> Client {
    // SAFETY: getuid cannot fail.
    Client::new(Address::parse(address).unwrap(), unsafe { libc::getuid() })
}

fn begin(client: &Client, request: &[u8], timeout: Option<Duration>) -> (Call, Receiver<Answer>) {
    let (sender, answers): (Sender<Answer>, _) = channel();
    let call = client.call(SecretBytes::copy_from(request), timeout, move |response| {
        let _ = sender.send(response.map(|response| (response.status, response.body.as_bytes().to_vec())));
    });
    (call, answers)
}

/// Reads one request, which is always this one. False: the client closed the connection.
fn take(stream: &mut UnixStream) -> bool {
    let mut request = [0; 7];
    stream.read_exact(&mut request).is_ok() && &request == b"request"
}

fn answer(stream: &mut UnixStream, body: &str) {
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
}

fn code(answer: &Answer) -> Option<Code> {
    answer.as_ref().err().map(Error::code)
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for body in ["one", "two", "three"] {
            assert!(take(&mut stream));
            answer(&mut stream, body);
        }
        stream
    });
    for body in ["one", "two", "three"] {
        assert_eq!(place.ask().unwrap(), (200, body.into()));
    }
    let mut stream = server.join().unwrap();
    place.client.close();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed by the client");
}

#[test]
fn a_request_on_a_kept_connection_is_sent_by_whoever_asks() {
    let (place, listener) = Place::new();
    let (came, coming) = channel();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        answer(&mut stream, "first");
        take(&mut stream);
        came.send(()).unwrap();
        answer(&mut stream, "second");
    });
    let client = Arc::new(place.client);
    let (sender, answers) = channel();
    let asked = Arc::clone(&client);
    client.call(SecretBytes::copy_from(b"request"), None, move |_| {
        // The client's thread is here, and cannot send anything.
        let second = begin(&asked, b"request", None);
        sender.send((coming.recv_timeout(Duration::from_secs(30)), second)).unwrap();
    });
    let (came, (_call, second)) = answers.recv().unwrap();
    assert_eq!(came, Ok(()));
    assert_eq!(second.recv().unwrap().unwrap().1, b"second");
    server.join().unwrap();
}

#[test]
fn a_request_on_a_kept_connection_ends_at_its_deadline_or_when_it_is_given_up() {
    let (place, listener) = Place::new();
    for is_given_up in [false, true] {
        let mut stream = thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                take(&mut stream);
                answer(&mut stream, "first");
                take(&mut stream);
                stream
            });
            place.ask().unwrap();
            let (call, answers) = place.begin((!is_given_up).then_some(Duration::from_millis(100)));
            let stream = server.join().unwrap();
            if is_given_up {
                call.cancel();
            }
            let expected = if is_given_up { Code::Aborted } else { Code::Timeout };
            assert_eq!(code(&answers.recv().unwrap()), Some(expected));
            stream
        });
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed by the client");
    }
}

#[test]
fn a_long_request_goes_through_on_a_kept_connection() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        answer(&mut stream, "first");
        let mut request = vec![0; 5 << 20];
        stream.read_exact(&mut request).unwrap();
        assert!(request.iter().all(|byte| *byte == b'q'));
        answer(&mut stream, "second");
        take(&mut stream);
        answer(&mut stream, "third");
    });
    place.ask().unwrap();
    let (_call, answers) = begin(&place.client, &vec![b'q'; 5 << 20], None);
    assert_eq!(answers.recv().unwrap().unwrap().1, b"second");
    assert_eq!(place.ask().unwrap().1, b"third");
    server.join().unwrap();
}

#[test]
fn many_ask_at_once_over_and_over_and_each_gets_its_own_answer() {
    let (place, listener) = Place::new();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut request = [0; 7];
                while stream.read_exact(&mut request).is_ok() {
                    answer(&mut stream, std::str::from_utf8(&request).unwrap());
                }
            });
        }
    });
    thread::scope(|scope| {
        for thread in 0..8 {
            let client = &place.client;
            scope.spawn(move || {
                for n in 0..500 {
                    let request = format!("{thread}:{n:05}");
                    let (_call, answers) = begin(client, request.as_bytes(), None);
                    assert_eq!(answers.recv().unwrap().unwrap().1, request.as_bytes());
                }
            });
        }
    });
}

#[test]
fn a_connection_that_the_server_gave_up_is_replaced_once() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        answer(&mut stream, "first");
        // Goes after the next request came, as if it had been idle for too long at that instant.
        take(&mut stream);
        drop(stream);
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        answer(&mut stream, "again");
    });
    assert_eq!(place.ask().unwrap().1, b"first");
    assert_eq!(place.ask().unwrap().1, b"again");
    server.join().unwrap();
}

#[test]
fn a_request_on_a_new_connection_is_never_sent_twice() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        listener
    });
    assert_eq!(code(&place.ask()), Some(Code::DaemonUnreachable));
    assert!(server.join().unwrap().accept().is_err(), "nobody came again");
}

#[test]
fn a_request_that_was_answered_in_part_is_never_sent_twice() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        answer(&mut stream, "first");
        take(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nha").unwrap();
        drop(stream);
        listener.set_nonblocking(true).unwrap();
        listener
    });
    place.ask().unwrap();
    assert_eq!(code(&place.ask()), Some(Code::DaemonUnreachable));
    assert!(server.join().unwrap().accept().is_err(), "nobody came again");
}

#[test]
fn a_connection_on_which_the_server_says_something_unasked_is_not_used_again() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        take(&mut first);
        answer(&mut first, "a");
        first.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad").unwrap();
        assert_eq!(first.read(&mut [0]).unwrap_or(0), 0, "closed by the client");
        let (mut second, _) = listener.accept().unwrap();
        take(&mut second);
        answer(&mut second, "b");
    });
    assert_eq!(place.ask().unwrap().1, b"a");
    assert_eq!(place.ask().unwrap().1, b"b");
    server.join().unwrap();
}

#[test]
fn a_connection_that_the_server_means_to_close_is_not_used_again() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            take(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: Keep, CLOSE\r\nContent-Length: 1\r\n\r\na").unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed by the client");
        }
    });
    place.ask().unwrap();
    place.ask().unwrap();
    server.join().unwrap();
}

#[test]
fn two_hundred_requests_wait_at_once_on_one_thread() {
    // Fewer on macOS, whose sockets let fewer wait.
    const AT_ONCE: usize = if cfg!(target_os = "macos") { 100 } else { 200 };
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let mut streams: Vec<_> = (0..AT_ONCE).map(|_| listener.accept().unwrap().0).collect();
        for stream in &mut streams {
            assert!(take(stream));
            answer(stream, "late");
        }
    });
    let calls: Vec<_> = (0..AT_ONCE).map(|_| place.begin(None)).collect();
    for (_call, answers) in &calls {
        assert_eq!(answers.recv().unwrap().unwrap().1, b"late");
    }
    server.join().unwrap();
}

#[test]
fn requests_beyond_the_connections_wait_for_their_turn() {
    let (place, listener) = Place::new();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                while take(&mut stream) {
                    answer(&mut stream, "x");
                }
            });
        }
    });
    let calls: Vec<_> = (0..600).map(|_| place.begin(None)).collect();
    for (_call, answers) in &calls {
        assert_eq!(answers.recv().unwrap().unwrap().1, b"x");
    }
}

#[test]
fn a_request_ends_at_its_deadline_and_its_connection_with_it() {
    let (place, listener) = Place::new();
    // Time enough to begin, on a machine that is busy: what is late before it begins does not connect at all.
    let (_call, answers) = place.begin(Some(Duration::from_secs(1)));
    let (mut stream, _) = listener.accept().unwrap();
    assert!(take(&mut stream));
    assert_eq!(code(&answers.recv().unwrap()), Some(Code::Timeout));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed by the client");
}

#[test]
fn a_request_that_is_given_up_closes_its_connection() {
    let (place, listener) = Place::new();
    let (call, answers) = place.begin(None);
    let (mut stream, _) = listener.accept().unwrap();
    assert!(take(&mut stream));
    call.cancel();
    assert_eq!(code(&answers.recv().unwrap()), Some(Code::Aborted));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed by the client");
    call.cancel();
}

#[test]
fn calls_go_on_when_the_client_is_dropped() {
    let (place, listener) = Place::new();
    let (call, answers) = place.begin(None);
    let (mut stream, _) = listener.accept().unwrap();
    let Place { folder, client } = place;
    drop(client);
    assert!(take(&mut stream));
    answer(&mut stream, "still");
    assert_eq!(answers.recv().unwrap().unwrap().1, b"still");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed with the client");
    call.cancel();
    drop(folder);
}

#[test]
fn a_long_request_and_a_long_answer_go_through() {
    let (place, listener) = Place::new();
    let request = vec![b'q'; 5 << 20];
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 5 << 20];
        stream.read_exact(&mut request).unwrap();
        assert!(request.iter().all(|byte| *byte == b'q'));
        answer(&mut stream, &"a".repeat(5 << 20));
    });
    let (_call, answers) = begin(&place.client, &request, None);
    assert_eq!(answers.recv().unwrap().unwrap().1, vec![b'a'; 5 << 20]);
    server.join().unwrap();
}

#[test]
fn an_answer_that_comes_before_the_whole_request_was_read_counts() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 7]).unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").unwrap();
        assert!(stream.shutdown(std::net::Shutdown::Write).is_ok());
        stream
    });
    let (_call, answers) = begin(&place.client, &vec![b'q'; 5 << 20], None);
    assert_eq!(answers.recv().unwrap().unwrap(), (413, b"no".to_vec()));
    drop(server.join().unwrap());
}

#[test]
fn an_answer_that_is_no_http_is_corrupt() {
    let (place, listener) = Place::new();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        stream.write_all(b"hello\r\n\r\n").unwrap();
        stream
    });
    assert_eq!(code(&place.ask()), Some(Code::Corrupt));
    drop(server.join().unwrap());
}

#[test]
fn where_nobody_listens_is_told_and_a_later_daemon_is_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    let client = client(path.to_str().unwrap());
    let ask = || begin(&client, b"request", None).1.recv().unwrap();
    assert_eq!(code(&ask()), Some(Code::DaemonUnreachable));
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(code(&ask()), Some(Code::DaemonUnreachable), "a socket that nobody listens on");
    std::fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        take(&mut stream);
        answer(&mut stream, "there");
    });
    assert_eq!(ask().unwrap().1, b"there");
    server.join().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_daemon_on_which_too_many_wait_is_tried_again() {
    use std::os::fd::AsRawFd;
    let (place, listener) = Place::new();
    // SAFETY: listen takes integers.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let path = place.folder.path().join("s");
    let first = UnixStream::connect(&path).unwrap();
    let (_call, answers) = place.begin(None);
    let (_late, late) = place.begin(Some(Duration::from_millis(30)));
    assert_eq!(code(&late.recv().unwrap()), Some(Code::Timeout), "it waits no longer than it is told");
    drop(first);
    let server = thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            if take(&mut stream) {
                answer(&mut stream, "now");
                return;
            }
        }
    });
    assert_eq!(answers.recv().unwrap().unwrap().1, b"now");
    server.join().unwrap();
}
