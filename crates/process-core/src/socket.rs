//! Unix sockets by path or in Linux's abstract space: bound for their owner alone, probed and connected without waiting.
//!
//! Node pads abstract names to the full length, sets no mode in time, and does not say who is at the other end.

use std::fmt;
use std::io;
use std::mem::{MaybeUninit, offset_of};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use keychain_core::{Code, Error, Result};

use crate::peer::peer_credentials;

/// The longest address, in bytes: what macOS takes as a path. An abstract name counts with its `@`.
pub const MAX_ADDRESS_BYTES: usize = 103;

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A file of the file system.
    Path(PathBuf),
    /// A name in the abstract space of the network namespace, without the `@`. Linux only.
    Abstract(String),
}

impl Address {
    /// Reads an address: a path, or `@name`. Empty, with a NUL, or too long → `InvalidOption`; abstract on another
    /// system than Linux → `Unsupported`.
    pub fn parse(text: &str) -> Result<Self> {
        let fault = |what: &str| {
            Err(Error::new(Code::InvalidOption, format!("the address of a socket {what}")).with_detail("address", text))
        };
        if text.is_empty() || text == "@" {
            return fault("is empty");
        }
        if text.contains('\0') {
            return fault("holds a zero byte");
        }
        if text.len() > MAX_ADDRESS_BYTES {
            return match fault(&format!("has {} bytes, and the system takes {MAX_ADDRESS_BYTES}", text.len())) {
                Err(error) => Err(error.with_hint("choose a shorter path for it, such as one below /run/user")),
                ok => ok,
            };
        }
        match text.strip_prefix('@') {
            None => Ok(Self::Path(text.into())),
            Some(name) if cfg!(target_os = "linux") => Ok(Self::Abstract(name.into())),
            Some(_) => Err(Error::new(Code::Unsupported, format!("{text}: only Linux has abstract sockets"))
                .with_detail("address", text)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing is there.
    Absent,
    /// A socket file that nobody listens on.
    Refused,
    /// A program listens.
    Listening,
}

/// Binds and listens. A file has mode 0600 before it can be connected to, whatever the umask, and takes the place of a
/// socket that is there at once. The descriptor is close-on-exec and non-blocking.
///
/// An abstract name that is taken → `DaemonRunning`; something else than a socket at the path → `InvalidOption`; no
/// right to write there → `AccessDenied`; any other refusal of the system → `OutputFailure`.
pub fn listen(address: &Address) -> Result<OwnedFd> {
    let listened = match address {
        Address::Abstract(_) => socket().and_then(|socket| {
            bind(&socket, address)?;
            start_listening(&socket)?;
            Ok(socket)
        }),
        Address::Path(path) => {
            if path.symlink_metadata().is_ok_and(|facts| !facts.file_type().is_socket()) {
                return Err(not_a_socket(address));
            }
            listen_at(path)
        }
    };
    listened.map_err(|error| {
        let (code, what) = match error.kind() {
            io::ErrorKind::AddrInUse => (Code::DaemonRunning, "another program listens there"),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (Code::AccessDenied, "permission denied")
            }
            io::ErrorKind::NotFound => (Code::OutputFailure, "its folder is not there"),
            io::ErrorKind::InvalidInput => (Code::OutputFailure, "the path is too long"),
            _ => (Code::OutputFailure, "the system reports an error"),
        };
        Error::new(code, format!("cannot listen on {address}: {what}"))
            .with_detail("address", address)
            .with_source(error)
    })
}

/// Binds beside the path, under a name of the same length or so, and moves the socket there when it is ready.
fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let name: String =
        random.iter().map(|byte| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[*byte as usize % 32])).collect();
    let beside = path.with_file_name(format!(".{name}"));
    let socket = socket()?;
    // Linux makes the file with the mode of the socket, less the umask.
    // SAFETY: fchmod takes a descriptor and a number. macOS refuses it here, which does no harm: see below.
    unsafe { libc::fchmod(socket.as_raw_fd(), 0o600) };
    bind(&socket, &Address::Path(beside.clone()))?;
    let moved = (|| {
        std::fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        // Nobody can connect before this, whatever the mode was.
        start_listening(&socket)?;
        std::fs::rename(&beside, path)
    })();
    if moved.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    moved.map(|()| socket)
}

/// Whether a program listens there. `uid`: whose it may be, beside root. Never waits.
///
/// Another user's socket → `SocketUnsafe`; something else than a socket → `InvalidOption`; a folder that may not be
/// looked into → `AccessDenied`.
pub fn probe(address: &Address, uid: u32) -> Result<Found> {
    match connect(address, uid) {
        Ok(_) => Ok(Found::Listening),
        Err(Refusal::Busy) => Ok(Found::Listening),
        Err(Refusal::Absent) => Ok(Found::Absent),
        Err(Refusal::Refused(_)) => Ok(Found::Refused),
        Err(Refusal::Failed(error)) => Err(error),
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing is there.
    Absent,
    /// A socket that nobody listens on. macOS says so as well when too many wait.
    Refused(io::Error),
    /// Too many wait to be accepted: try again in a moment.
    Busy,
    /// Anything else: `SocketUnsafe`, `InvalidOption`, `AccessDenied`, `DaemonUnreachable`.
    Failed(Error),
}

/// Connects, without waiting, to a program of `uid` or root: another's is refused before a byte is sent. The descriptor
/// is close-on-exec and non-blocking.
pub fn connect(address: &Address, uid: u32) -> Result<OwnedFd, Refusal> {
    let unsafe_of = |owner: u32| {
        Refusal::Failed(
            Error::new(Code::SocketUnsafe, format!("the socket {address} belongs to the user {owner}"))
                .with_hint("another user may have put it there to catch secrets: see whose it is with ls -l")
                .with_detail("address", address)
                .with_detail("uid", owner),
        )
    };
    let unreachable = |error: io::Error| {
        Refusal::Failed(
            Error::new(Code::DaemonUnreachable, format!("cannot connect to {address}"))
                .with_detail("address", address)
                .with_source(error),
        )
    };
    let socket = socket().map_err(unreachable)?;
    let Err(error) = connect_to(&socket, address) else {
        let peer = peer_credentials(socket.as_raw_fd()).map_err(Refusal::Failed)?;
        return if peer.uid == uid || peer.uid == 0 { Ok(socket) } else { Err(unsafe_of(peer.uid)) };
    };
    let Address::Path(path) = address else {
        return Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Refusal::Absent,
            io::ErrorKind::WouldBlock => Refusal::Busy,
            _ => unreachable(error),
        });
    };
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        return Err(Refusal::Absent);
    }
    if let Ok(facts) = path.symlink_metadata() {
        if facts.uid() != uid && facts.uid() != 0 {
            return Err(unsafe_of(facts.uid()));
        }
        if path.metadata().is_ok_and(|facts| !facts.file_type().is_socket()) {
            return Err(Refusal::Failed(not_a_socket(address)));
        }
    }
    Err(match error.kind() {
        io::ErrorKind::ConnectionRefused => Refusal::Refused(error),
        io::ErrorKind::WouldBlock => Refusal::Busy,
        io::ErrorKind::PermissionDenied => Refusal::Failed(
            Error::new(Code::AccessDenied, format!("cannot connect to {address}: permission denied"))
                .with_detail("address", address)
                .with_source(error),
        ),
        _ => unreachable(error),
    })
}

fn not_a_socket(address: &Address) -> Error {
    Error::new(Code::InvalidOption, format!("{address} is not a socket"))
        .with_hint("choose another address, or remove what is there")
        .with_detail("address", address)
}

#[cfg(target_os = "linux")]
fn socket() -> io::Result<OwnedFd> {
    // SAFETY: socket takes integers.
    match unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) } {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: the descriptor was made just now, and is nobody else's.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

#[cfg(not(target_os = "linux"))]
fn socket() -> io::Result<OwnedFd> {
    // SAFETY: socket takes integers.
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was made just now, and is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: fcntl with integers.
    let set = unsafe {
        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) != -1 && libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) != -1
    };
    if set { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

/// The system's form of an address. An abstract name has its exact length: the system compares all that is given.
fn system_address(address: &Address) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: all fields of this structure are numbers, for which zero is valid.
    let mut system: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
    system.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let (name, first) = match address {
        Address::Path(path) => (path.as_os_str().as_bytes(), 0),
        Address::Abstract(name) => (name.as_bytes(), 1),
    };
    // A path is followed by a zero byte, an abstract name led by one.
    if name.len() + 1 > system.sun_path.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (place, byte) in system.sun_path[first..].iter_mut().zip(name) {
        *place = *byte as libc::c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + name.len() + 1;
    Ok((system, length as libc::socklen_t))
}

fn bind(socket: &OwnedFd, address: &Address) -> io::Result<()> {
    let (system, length) = system_address(address)?;
    // SAFETY: the structure is alive during the call, and longer than the length that is given.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const system).cast(), length) })
}

fn connect_to(socket: &OwnedFd, address: &Address) -> io::Result<()> {
    let (system, length) = system_address(address)?;
    // SAFETY: as above.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const system).cast(), length) })
}

fn start_listening(socket: &OwnedFd) -> io::Result<()> {
    // SAFETY: listen takes integers.
    check(unsafe { libc::listen(socket.as_raw_fd(), libc::SOMAXCONN) })
}

fn check(status: libc::c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
