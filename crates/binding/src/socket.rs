//! Unix sockets, for JavaScript.

use std::mem::ManuallyDrop;

use keychain_core::Result;
use napi_derive::napi;

use crate::outcome::Outcome;

/// Who is at the other end of a Unix socket.
#[napi(object, object_from_js = false)]
pub struct PeerCredentials {
    /// The user.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// The process, where the system says.
    pub pid: Option<u32>,
}

/// A program that runs.
#[napi(object, object_from_js = false)]
pub struct RunningProgram {
    /// Its name.
    pub name: String,
    /// The path of its file; empty where it may not be seen.
    pub path: String,
}

/// Binds and listens, and answers with the descriptor.
#[napi(ts_return_type = "Outcome<number>")]
pub fn listen_unix(address: String) -> Outcome<i32> {
    Outcome::of(|| system::listen(&address))
}

/// Whether a program of this user or root listens there.
#[napi(ts_return_type = "Outcome<'absent' | 'refused' | 'listening'>")]
pub fn probe_unix(address: String, uid: u32) -> Outcome<&'static str> {
    Outcome::of(|| system::probe(&address, uid))
}

/// Connects to a program of this user or root, and answers with the descriptor.
#[napi(ts_return_type = "Outcome<number>")]
pub fn connect_unix(address: String, uid: u32) -> Outcome<i32> {
    Outcome::of(|| system::connect(&address, uid))
}

/// The credentials of the peer of a connected socket.
#[napi(ts_return_type = "Outcome<PeerCredentials>")]
pub fn peer_credentials(fd: i32) -> Outcome<PeerCredentials> {
    Outcome::of(|| system::peer(fd))
}

/// The program of a process.
#[napi(ts_return_type = "Outcome<RunningProgram>")]
pub fn program_of(pid: u32) -> Outcome<RunningProgram> {
    Outcome::of(|| system::program(pid))
}

/// Marks every descriptor above 2 close-on-exec.
#[napi(ts_return_type = "Outcome<null>")]
pub fn close_on_exec() -> Outcome<()> {
    Outcome::of(system::close_on_exec)
}

/// A lock on a file, until it is released or the process ends. When this object is collected, the lock stays.
#[napi]
pub struct FileLock {
    lock: Option<ManuallyDrop<system::Lock>>,
}

/// Takes the lock of a file, without waiting.
#[napi(ts_return_type = "Outcome<FileLock | null>")]
pub fn lock_file(path: String) -> Outcome<Option<FileLock>> {
    Outcome::of(|| -> Result<_> {
        Ok(system::lock(&path)?.map(|lock| FileLock { lock: Some(ManuallyDrop::new(lock)) }))
    })
}

#[napi]
impl FileLock {
    /// Lets others take it. Again: nothing.
    #[napi]
    pub fn release(&mut self) {
        let _released = self.lock.take().map(ManuallyDrop::into_inner);
    }
}

#[cfg(unix)]
mod system {
    use std::os::fd::IntoRawFd;
    use std::path::Path;

    use keychain_core::{Code, Error, Result};
    use process_core::{Address, Found, Refusal};

    use super::{PeerCredentials, RunningProgram};

    pub(super) type Lock = process_core::FileLock;

    pub(super) fn listen(address: &str) -> Result<i32> {
        process_core::listen(&Address::parse(address)?).map(IntoRawFd::into_raw_fd)
    }

    pub(super) fn probe(address: &str, uid: u32) -> Result<&'static str> {
        Ok(match process_core::probe(&Address::parse(address)?, uid)? {
            Found::Absent => "absent",
            Found::Refused => "refused",
            Found::Listening => "listening",
        })
    }

    pub(super) fn connect(address: &str, uid: u32) -> Result<i32> {
        let connected = process_core::connect(&Address::parse(address)?, uid);
        connected.map(IntoRawFd::into_raw_fd).map_err(|refusal| match refusal {
            Refusal::Failed(error) => error,
            Refusal::Absent | Refusal::Refused(_) | Refusal::Busy => {
                Error::new(Code::DaemonUnreachable, format!("no daemon answers at {address}"))
                    .with_detail("address", address)
            }
        })
    }

    pub(super) fn peer(fd: i32) -> Result<PeerCredentials> {
        let found = process_core::peer_credentials(fd)?;
        Ok(PeerCredentials { uid: found.uid, gid: found.gid, pid: found.pid })
    }

    pub(super) fn program(pid: u32) -> Result<RunningProgram> {
        let found = process_core::program_of(pid)?;
        let path = found.path.map_or_else(String::new, |path| path.to_string_lossy().into_owned());
        Ok(RunningProgram { name: found.name, path })
    }

    pub(super) fn lock(path: &str) -> Result<Option<Lock>> {
        process_core::FileLock::take(Path::new(path))
    }

    pub(super) fn close_on_exec() -> Result<()> {
        process_core::close_on_exec().map_err(|error| {
            Error::new(Code::Internal, "this process's descriptors cannot be listed").with_source(error)
        })
    }
}

#[cfg(windows)]
mod system {
    use keychain_core::{Code, Error, Result};

    use super::{PeerCredentials, RunningProgram};

    /// There is none here.
    pub(super) enum Lock {}

    fn unsupported<T>() -> Result<T> {
        Err(Error::new(Code::Unsupported, "Node has no Unix sockets on Windows")
            .with_hint("everything runs in the process itself here; no daemon is needed"))
    }

    pub(super) fn listen(_address: &str) -> Result<i32> {
        unsupported()
    }

    pub(super) fn probe(_address: &str, _uid: u32) -> Result<&'static str> {
        unsupported()
    }

    pub(super) fn connect(_address: &str, _uid: u32) -> Result<i32> {
        unsupported()
    }

    pub(super) fn peer(_fd: i32) -> Result<PeerCredentials> {
        unsupported()
    }

    pub(super) fn program(_pid: u32) -> Result<RunningProgram> {
        unsupported()
    }

    pub(super) fn lock(_path: &str) -> Result<Option<Lock>> {
        unsupported()
    }

    pub(super) fn close_on_exec() -> Result<()> {
        unsupported()
    }
}
