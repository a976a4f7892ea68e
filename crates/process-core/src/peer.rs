//! Who is at the other end of a Unix socket, as the system says: nothing that the peer claims itself.

use std::io;
use std::os::fd::RawFd;

use keychain_core::{Code, Error, Result};

/// Who connected, or who listens: for a client, the process that began to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// The user, when the connection was made.
    pub uid: u32,
    /// The user's group.
    pub gid: u32,
    /// The process. None where the system does not say, or the process is in a PID namespace that is not seen from here.
    pub pid: Option<u32>,
}

/// The peer of a connected socket of this process. Anything else → `InvalidOption`.
///
/// Source: Linux `SO_PEERCRED`; macOS `getpeereid` and `LOCAL_PEERPID`.
pub fn peer_credentials(fd: RawFd) -> Result<PeerCredentials> {
    system::credentials(fd).map_err(|error: io::Error| {
        Error::new(Code::InvalidOption, format!("descriptor {fd} has no peer: it is no connected Unix socket"))
            .with_detail("fd", fd)
            .with_source(error)
    })
}

/// Asks for an option of a socket, which must be a plain structure of integers.
fn option<T: Copy>(fd: RawFd, level: libc::c_int, name: libc::c_int, empty: T) -> io::Result<T> {
    let mut answer = empty;
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the answer is alive during the call, and as long as is said.
    match unsafe { libc::getsockopt(fd, level, name, (&raw mut answer).cast(), &raw mut length) } {
        0 => Ok(answer),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;
    use std::os::fd::RawFd;

    use super::{PeerCredentials, option};

    pub(super) fn credentials(fd: RawFd) -> io::Result<PeerCredentials> {
        // The system answers with this user for a socket that has no peer.
        let nobody = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
        let found = option(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, nobody)?;
        if found.uid == u32::MAX {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let pid = u32::try_from(found.pid).ok().filter(|pid| *pid > 0);
        Ok(PeerCredentials { uid: found.uid, gid: found.gid, pid })
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::io;
    use std::os::fd::RawFd;

    use super::{PeerCredentials, option};

    pub(super) fn credentials(fd: RawFd) -> io::Result<PeerCredentials> {
        let (mut uid, mut gid) = (0, 0);
        // SAFETY: both are alive during the call.
        if unsafe { libc::getpeereid(fd, &raw mut uid, &raw mut gid) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let pid: Option<libc::pid_t> = option(fd, libc::SOL_LOCAL, libc::LOCAL_PEERPID, 0).ok();
        Ok(PeerCredentials { uid, gid, pid: pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0) })
    }
}
