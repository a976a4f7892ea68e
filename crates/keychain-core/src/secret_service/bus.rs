//! The session bus: finding it, connecting, and calls of one line.

use std::future::Future;
use std::path::Path;
use std::pin::pin;

use futures_util::future::{Either, select};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::connection::Builder;
use zbus::zvariant::{DynamicType, OwnedValue, Type, Value};
use zbus::{Connection, Message};

use super::failure::{Outcome, no_bus};
use crate::{Error, Result};

/// The service's name on the bus.
pub(super) const NAME: &str = "org.freedesktop.secrets";
/// The service's object.
pub(super) const SERVICE: &str = "/org/freedesktop/secrets";
pub(super) const SERVICE_INTERFACE: &str = "org.freedesktop.Secret.Service";
pub(super) const COLLECTION_INTERFACE: &str = "org.freedesktop.Secret.Collection";
pub(super) const ITEM_INTERFACE: &str = "org.freedesktop.Secret.Item";
pub(super) const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// The bus itself, which keeps the names on it.
pub(super) const DAEMON: &str = "org.freedesktop.DBus";
pub(super) const DAEMON_PATH: &str = "/org/freedesktop/DBus";

/// A connection to the session bus.
pub(super) struct Bus {
    pub(super) connection: Connection,
}

impl Bus {
    /// Connects to the bus at this address, or to that of the session.
    pub(super) async fn connect(address: Option<&str>) -> Result<Self> {
        let found = match address {
            Some(address) => Builder::address(address),
            None => {
                check_session()?;
                Builder::session()
            }
        };
        let connected = match found {
            Ok(builder) => builder.build().await,
            Err(error) => Err(error),
        };
        let connection = connected
            .map_err(|error| no_bus("no D-Bus session bus answers at the address in use").with_source(error))?;
        Ok(Self { connection })
    }

    /// Waits for work on this connection. Meanwhile this thread also does what there is to do for the connection: an
    /// answer would otherwise wake the connection's own thread first, which costs more than reading it.
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let executor = self.connection.executor();
        let help = async {
            loop {
                executor.tick().await;
            }
        };
        zbus::block_on(async {
            match select(pin!(work), pin!(help)).await {
                Either::Left((done, _)) => done,
                Either::Right((never, _)) => never,
            }
        })
    }

    /// Calls a method of the service, and starts the service where the bus can.
    pub(super) async fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> Outcome<Message>
    where
        B: Serialize + DynamicType,
    {
        Ok(self.connection.call_method(Some(NAME), path, Some(interface), method, body).await?)
    }

    /// Asks the bus daemon itself.
    pub(super) async fn ask_daemon<B, R>(&self, method: &str, body: &B) -> Outcome<R>
    where
        B: Serialize + DynamicType,
        R: DeserializeOwned + Type,
    {
        let reply = self.connection.call_method(Some(DAEMON), DAEMON_PATH, Some(DAEMON), method, body).await?;
        Ok(reply.body().deserialize()?)
    }

    /// Whether the service runs. Starts nothing.
    pub(super) async fn service_runs(&self) -> Outcome<bool> {
        self.ask_daemon("NameHasOwner", &NAME).await
    }

    /// Whether the bus would start the service for a call.
    pub(super) async fn service_can_start(&self) -> Outcome<bool> {
        self.can_start(NAME).await
    }

    /// Whether the bus would start the owner of a name for a call.
    pub(super) async fn can_start(&self, name: &str) -> Outcome<bool> {
        let names: Vec<String> = self.ask_daemon("ListActivatableNames", &()).await?;
        Ok(names.iter().any(|known| known == name))
    }

    /// The program that answers, such as `gnome-keyring-daemon`, where the system tells.
    pub(super) async fn service_program(&self) -> Option<String> {
        let pid: u32 = self.ask_daemon("GetConnectionUnixProcessID", &NAME).await.ok()?;
        let program = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        Some(program.file_name()?.to_string_lossy().trim_end_matches(" (deleted)").to_owned())
    }

    /// Reads a property.
    pub(super) async fn property(&self, path: &str, interface: &str, name: &str) -> Outcome<OwnedValue> {
        let reply = self.call(path, PROPERTIES, "Get", &(interface, name)).await?;
        Ok(reply.body().deserialize::<Value<'_>>()?.try_to_owned()?)
    }

    /// Writes a property of an item.
    pub(super) async fn set_item_property(&self, path: &str, name: &str, value: Value<'_>) -> Outcome<()> {
        self.call(path, PROPERTIES, "Set", &(ITEM_INTERFACE, name, value)).await.map(drop)
    }

    /// Whether a collection is locked.
    pub(super) async fn is_locked(&self, collection: &str) -> Outcome<bool> {
        Ok(bool::try_from(self.property(collection, COLLECTION_INTERFACE, "Locked").await?)?)
    }
}

/// Tells apart what zbus reports as one: no address at all, and an address where nobody answers.
fn check_session() -> Result<(), Error> {
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty()) {
        return Ok(());
    }
    let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) else {
        return Err(no_bus("no D-Bus session bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"));
    };
    if Path::new(&folder).join("bus").exists() {
        return Ok(());
    }
    Err(no_bus("no D-Bus session bus: DBUS_SESSION_BUS_ADDRESS is not set and XDG_RUNTIME_DIR has no socket named bus"))
}
