//! One connection to the user's daemon, and requests on it, one after the other. None: no daemon, not ours, not in time, or
//! an answer that is none.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use keychain_core::SecretBytes;
use process_core::Address;
use serde::Deserialize;
use serde_json::from_slice;
use wire_core::{Growing, ResponseReader};

use crate::config::Config;
use crate::paths;
use crate::start::Start;

/// How long a daemon may take to prove that it is alive. After that only the configured limit counts.
const PROOF_TIMEOUT: Duration = Duration::from_millis(1000);
/// What is read at once.
const RECEIVE_BYTES: usize = 4 << 10;
/// Variables that choose a store for this process, whatever the daemon uses.
const STORE_VARIABLES: [&str; 4] = ["SE_STORE", "SE_STORE_PATH", "SE_IDENTITY", "SE_CONFIG"];

/// A daemon that is alive, speaks our version and has the store that is meant.
pub(crate) struct Daemon {
    socket: OwnedFd,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    config_file: String,
    store_kind: String,
    store_location: String,
}

impl Daemon {
    /// Finds the daemon that this process uses, as `src/client/find-daemon.ts` does.
    pub(crate) fn find(start: Start, config: &Config) -> Option<Self> {
        let address = Address::parse(&paths::dialled_address(start)?).ok()?;
        // SAFETY: cannot fail.
        let uid = unsafe { libc::getuid() };
        let mut daemon = Self { socket: process_core::connect(&address, uid).ok()? };
        let answer = daemon.ask("/health.v1.VersionService/GetVersion", b"{}", Some(PROOF_TIMEOUT))?;
        let Version { version } = from_slice(answer.as_bytes()).ok()?;
        if !is_compatible(&version, env!("CARGO_PKG_VERSION")) {
            return None;
        }
        let chosen = STORE_VARIABLES.iter().any(|name| start.bytes(name).is_some_and(|value| !value.is_empty()));
        if chosen && !daemon.has_store(start, config)? {
            return None;
        }
        Some(daemon)
    }

    /// Whether the daemon has the store that the configuration names.
    fn has_store(&mut self, start: Start, config: &Config) -> Option<bool> {
        let answer = self.ask("/senative.engine.v1.EngineService/Describe", b"{}", Some(PROOF_TIMEOUT))?;
        let Description { config_file, store_kind, store_location } = from_slice(answer.as_bytes()).ok()?;
        let same_file = start.bytes("SE_CONFIG").is_none_or(<[u8]>::is_empty) || config.file == config_file;
        let same_place = store_kind != "file" || config.store_path == store_location;
        Some(same_file && config.store == store_kind && same_place)
    }

    /// The body of the answer to a request in JSON.
    pub(crate) fn ask(&mut self, procedure: &str, body: &[u8], limit: Option<Duration>) -> Option<Growing> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        let ms = limit.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        let request =
            wire_core::request(procedure, ms, |output| wire_core::splice(output, body, 0, |_, _| Ok(()))).ok()?;
        self.send(request.as_bytes(), deadline)?;
        let mut reader = ResponseReader::new();
        let mut received = SecretBytes::with(RECEIVE_BYTES, |_| ());
        loop {
            let count = self.receive(received.as_bytes_mut(), deadline)?;
            if count == 0 || reader.feed(&received.as_bytes()[..count]).ok()? {
                break;
            }
        }
        let response = reader.end()?;
        (response.status == 200).then_some(response.body)
    }

    fn send(&self, mut bytes: &[u8], deadline: Option<Instant>) -> Option<()> {
        // A daemon that goes away must not end this process. macOS says that by an option of the socket.
        #[cfg(target_os = "macos")]
        const QUIET: libc::c_int = 0;
        #[cfg(not(target_os = "macos"))]
        const QUIET: libc::c_int = libc::MSG_NOSIGNAL;
        #[cfg(target_os = "macos")]
        // SAFETY: the option is an integer, alive during the call.
        unsafe {
            let on: libc::c_int = 1;
            let (level, name) = (libc::SOL_SOCKET, libc::SO_NOSIGPIPE);
            libc::setsockopt(self.socket.as_raw_fd(), level, name, (&raw const on).cast(), size_of_val(&on) as u32);
        }
        while !bytes.is_empty() {
            // SAFETY: bytes is readable for its length.
            let count = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), QUIET) };
            match usize::try_from(count) {
                Ok(count) => bytes = &bytes[count..],
                Err(_) => self.wait(libc::POLLOUT, deadline)?,
            }
        }
        Some(())
    }

    fn receive(&self, target: &mut [u8], deadline: Option<Instant>) -> Option<usize> {
        // It does not answer at once: trying first would be for nothing.
        self.wait_for(libc::POLLIN, deadline)?;
        loop {
            // SAFETY: target is writable for its length.
            let count = unsafe { libc::recv(self.socket.as_raw_fd(), target.as_mut_ptr().cast(), target.len(), 0) };
            match usize::try_from(count) {
                Ok(count) => return Some(count),
                Err(_) => self.wait(libc::POLLIN, deadline)?,
            }
        }
    }

    /// After a call that failed: waits until it may be tried again.
    fn wait(&self, events: libc::c_short, deadline: Option<Instant>) -> Option<()> {
        match io::Error::last_os_error().kind() {
            io::ErrorKind::Interrupted => Some(()),
            io::ErrorKind::WouldBlock => self.wait_for(events, deadline),
            _ => None,
        }
    }

    fn wait_for(&self, events: libc::c_short, deadline: Option<Instant>) -> Option<()> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            // Rounded up: it would be asked again and again in the last millisecond.
            let left = left.map_or(-1, |left| libc::c_int::try_from(left.as_millis() + 1).unwrap_or(libc::c_int::MAX));
            let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events, revents: 0 };
            // SAFETY: one pollfd, alive during the call.
            match unsafe { libc::poll(&raw mut poll, 1, left) } {
                0 => {}
                -1 if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted => return None,
                -1 => {}
                _ => return Some(()),
            }
        }
    }
}

/// Whether two versions speak alike: the same major, and while that is 0, the same minor.
fn is_compatible(theirs: &str, ours: &str) -> bool {
    speech(theirs).is_some() && speech(theirs) == speech(ours)
}

/// The numbers of a version that matter.
fn speech(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).splitn(3, '.');
    let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?;
    let (major, minor) = (number(parts.next()?)?, number(parts.next()?)?);
    let begins = parts.next()?.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    begins.then_some((major, if major == 0 { minor } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_speak_alike_by_major_and_before_1_by_minor() {
        for (theirs, ours, alike) in [
            ("v0.1.0", "0.1.9", true),
            ("0.2.0", "0.1.0", false),
            ("v1.2.3-rc.1", "1.9.0", true),
            ("v2.0.0", "1.0.0", false),
            ("v1.2", "1.2.0", false),
            ("1.+2.3", "1.2.3", false),
            ("", "0.1.0", false),
        ] {
            assert_eq!(is_compatible(theirs, ours), alike, "{theirs} {ours}");
        }
    }
}
