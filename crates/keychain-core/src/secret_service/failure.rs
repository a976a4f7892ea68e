//! What can go wrong on the bus, sorted by what is to be done about it.

use crate::{Code, Error};

/// A failed step, before it is known whether another try helps.
#[derive(Debug)]
pub(super) enum Failure {
    /// The collection or item is locked: unlock it and try again.
    Locked,
    /// The service or the connection has gone, and the session with it: connect anew and try again.
    Lost(zbus::Error),
    /// The object is no longer there: what was known about it is stale.
    Gone,
    /// Nothing helps.
    Final(Error),
}

/// The result of a step.
pub(super) type Outcome<T> = std::result::Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl From<zbus::zvariant::Error> for Failure {
    fn from(error: zbus::zvariant::Error) -> Self {
        Self::from(zbus::Error::from(error))
    }
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        let name = match &error {
            zbus::Error::MethodError(name, ..) => name.to_string(),
            zbus::Error::InputOutput(_) => return Self::Lost(error),
            _ => String::new(),
        };
        match name.as_str() {
            "org.freedesktop.Secret.Error.IsLocked" => Self::Locked,
            // gnome-keyring answers `UnknownMethod` for a path that is not there.
            "org.freedesktop.Secret.Error.NoSuchObject"
            | "org.freedesktop.DBus.Error.UnknownObject"
            | "org.freedesktop.DBus.Error.UnknownMethod" => Self::Gone,
            "org.freedesktop.Secret.Error.NoSession"
            | "org.freedesktop.DBus.Error.ServiceUnknown"
            | "org.freedesktop.DBus.Error.NameHasNoOwner"
            | "org.freedesktop.DBus.Error.NoReply"
            | "org.freedesktop.DBus.Error.Disconnected" => Self::Lost(error),
            "org.freedesktop.DBus.Error.AccessDenied" | "org.gnome.keyring.Error.Denied" => {
                Self::Final(Error::new(Code::AccessDenied, "the Secret Service refused access").with_source(error))
            }
            name if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => Self::Lost(error),
            name => {
                let failure = Error::new(Code::StoreFailure, "the Secret Service failed");
                let failure = if name.is_empty() { failure } else { failure.with_detail("dbusError", name) };
                Self::Final(failure.with_source(error))
            }
        }
    }
}

impl Failure {
    /// The error that a caller sees once no further try is made.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Final(error) => error,
            Self::Lost(source) => unavailable(source),
            Self::Locked => Error::new(Code::Locked, "the keyring was locked again and again while it was in use")
                .with_hint("check which program locks it"),
            Self::Gone => {
                Error::new(Code::StoreFailure, "the keyring's items changed again and again while being read")
            }
        }
    }
}

fn unavailable(source: zbus::Error) -> Error {
    let unknown = matches!(&source, zbus::Error::MethodError(name, ..)
        if name.as_str() == "org.freedesktop.DBus.Error.ServiceUnknown");
    let error = if unknown {
        no_service()
    } else {
        Error::new(Code::StoreUnavailable, "the Secret Service has gone").with_hint("start the keyring, then try again")
    };
    error.with_source(source)
}

/// There is a bus, and nobody on it offers secrets.
pub(super) fn no_service() -> Error {
    Error::new(
        Code::StoreUnavailable,
        "no Secret Service on the D-Bus session bus: nobody owns org.freedesktop.secrets",
    )
    .with_hint("start gnome-keyring, KWallet or KeePassXC, or keep secrets in an encrypted file: se store use file")
}

/// There is no bus to ask.
pub(super) fn no_bus(message: impl Into<String>) -> Error {
    Error::new(Code::StoreUnavailable, message).with_hint(
        "log in to a desktop session or use dbus-run-session, or keep secrets in an encrypted file: se store use file",
    )
}
