//! Unix sockets: how they are bound, what a probe says, and who is at the other end.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use keychain_core::Code;
use process_core::{Address, FileLock, Found, connect, listen, peer_credentials, probe};
use tempfile::TempDir;

fn own_uid() -> u32 {
    // SAFETY: getuid cannot fail.
    unsafe { libc::getuid() }
}

fn address(path: &Path) -> Address {
    Address::parse(path.to_str().unwrap()).unwrap()
}

fn names(folder: &TempDir) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_socket_file_is_its_owners_alone_and_nothing_is_left_beside_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("daemon.sock");
    let listener = listen(&address(&path)).unwrap();
    let facts = fs::symlink_metadata(&path).unwrap();
    assert!(facts.file_type().is_socket());
    assert_eq!(facts.permissions().mode() & 0o7777, 0o600);
    assert_eq!(names(&folder), ["daemon.sock"]);
    // SAFETY: fcntl with integers.
    let (marks, status) =
        unsafe { (libc::fcntl(listener.as_raw_fd(), libc::F_GETFD), libc::fcntl(listener.as_raw_fd(), libc::F_GETFL)) };
    assert_ne!(marks & libc::FD_CLOEXEC, 0);
    assert_ne!(status & libc::O_NONBLOCK, 0);
}

#[test]
fn a_socket_takes_the_place_of_one_that_is_there() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    let old = listen(&address(&path)).unwrap();
    let new = listen(&address(&path)).unwrap();
    let _client = connect(&address(&path), own_uid()).unwrap();
    let (old, new) = (UnixListener::from(old), UnixListener::from(new));
    assert!(old.accept().is_err(), "nobody comes to the old one");
    new.accept().unwrap();
    assert_eq!(names(&folder), ["s"]);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notes");
    fs::write(&path, "mine").unwrap();
    assert_eq!(listen(&address(&path)).unwrap_err().code(), Code::InvalidOption);
    assert_eq!(probe(&address(&path), own_uid()).unwrap_err().code(), Code::InvalidOption);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(names(&folder), ["notes"]);
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let folder = TempDir::new().unwrap();
    let error = listen(&address(&folder.path().join("no/daemon.sock"))).unwrap_err();
    assert_eq!(error.code(), Code::OutputFailure);
    assert!(error.to_string().contains("its folder is not there"), "{error}");
}

#[test]
fn addresses_that_cannot_be() {
    let long = "/".repeat(104);
    for text in ["", "@", "a\0b", &long, &format!("@{}", "x".repeat(103))] {
        assert_eq!(Address::parse(text).unwrap_err().code(), Code::InvalidOption, "{text}");
    }
    assert_eq!(Address::parse(&long[1..]).unwrap().to_string(), long[1..]);
}

#[test]
fn a_path_of_the_longest_length_is_bound() {
    let folder = TempDir::new().unwrap();
    let room = 103 - folder.path().as_os_str().len() - 1;
    let path = folder.path().join("x".repeat(room));
    let _listener = listen(&address(&path)).unwrap();
    assert_eq!(probe(&address(&path), own_uid()).unwrap(), Found::Listening);
}

#[test]
fn a_probe_tells_absent_refused_and_listening_apart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    let at = address(&path);
    assert_eq!(probe(&at, own_uid()).unwrap(), Found::Absent);
    assert_eq!(probe(&address(&path.join("below")), own_uid()).unwrap(), Found::Absent);
    let listener = listen(&at).unwrap();
    assert_eq!(probe(&at, own_uid()).unwrap(), Found::Listening);
    drop(listener);
    assert_eq!(probe(&at, own_uid()).unwrap(), Found::Refused);
}

#[cfg(target_os = "linux")]
#[test]
fn a_probe_of_a_socket_on_which_too_many_wait_does_not_wait() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    let listener = listen(&address(&path)).unwrap();
    // SAFETY: listen takes integers.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let mut waiting = Vec::new();
    let refusal = loop {
        match connect(&address(&path), own_uid()) {
            Ok(socket) => waiting.push(socket),
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, process_core::Refusal::Busy));
    assert_eq!(probe(&address(&path), own_uid()).unwrap(), Found::Listening);
}

#[test]
fn a_socket_that_is_not_the_users_is_unsafe() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s");
    let _listener = listen(&address(&path)).unwrap();
    match probe(&address(&path), own_uid() + 1) {
        Ok(found) => assert_eq!((found, own_uid()), (Found::Listening, 0), "root's is everybody's"),
        Err(error) => assert_eq!(error.code(), Code::SocketUnsafe),
    }
}

#[test]
fn the_peer_of_a_pair_is_this_process() {
    let (one, _other) = UnixStream::pair().unwrap();
    let peer = peer_credentials(one.as_raw_fd()).unwrap();
    assert_eq!(peer.uid, own_uid());
    assert_eq!(peer.pid, Some(std::process::id()));
}

#[test]
fn what_has_no_peer_is_told() {
    let folder = TempDir::new().unwrap();
    let listener = listen(&address(&folder.path().join("s"))).unwrap();
    let file = fs::File::open("/dev/null").unwrap();
    for fd in [-1, i32::MAX, file.as_raw_fd()] {
        assert_eq!(peer_credentials(fd).unwrap_err().code(), Code::InvalidOption, "{fd}");
    }
    drop(listener);
}

#[test]
fn a_lock_is_held_by_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("daemon.lock");
    let lock = FileLock::take(&path).unwrap().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!(FileLock::take(&path).unwrap().is_none());
    drop(lock);
    assert!(FileLock::take(&path).unwrap().is_some());
}

#[test]
fn a_link_is_not_followed_to_a_lock() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("daemon.lock");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert_eq!(FileLock::take(&path).unwrap_err().code(), Code::AccessDenied);
    assert_eq!(names(&folder), ["daemon.lock"]);
}

#[cfg(target_os = "linux")]
mod abstract_names {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use super::*;

    fn name(what: &str) -> String {
        format!("se-native-test/{}/{what}", std::process::id())
    }

    #[test]
    fn an_abstract_name_has_its_exact_length() {
        let name = name("exact");
        let at = Address::parse(&format!("@{name}")).unwrap();
        let _listener = listen(&at).unwrap();
        UnixStream::connect_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let padded = SocketAddr::from_abstract_name(format!("{name}\0")).unwrap();
        assert!(UnixStream::connect_addr(&padded).is_err());
        assert_eq!(probe(&at, own_uid()).unwrap(), Found::Listening);
    }

    #[test]
    fn an_abstract_name_that_is_taken_is_left_to_its_owner() {
        let at = Address::parse(&format!("@{}", name("taken"))).unwrap();
        assert_eq!(probe(&at, own_uid()).unwrap(), Found::Absent);
        let listener = listen(&at).unwrap();
        assert_eq!(listen(&at).unwrap_err().code(), Code::DaemonRunning);
        drop(listener);
        assert_eq!(probe(&at, own_uid()).unwrap(), Found::Absent);
        listen(&at).unwrap();
    }
}

#[test]
fn every_descriptor_is_marked() {
    let mut ends = [0; 2];
    // SAFETY: pipe writes two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    // SAFETY: both were made just now.
    let [mut reader, writer] = ends.map(|fd| unsafe { fs::File::from_raw_fd(fd) });
    process_core::close_on_exec().unwrap();
    // SAFETY: fcntl with integers.
    assert_ne!(unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETFD) } & libc::FD_CLOEXEC, 0);
    drop(writer);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}
