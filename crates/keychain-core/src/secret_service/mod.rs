//! The Secret Service on Linux: gnome-keyring, KWallet, KeePassXC and others, over D-Bus.
//!
//! One connection and one encrypted session serve a store for its life. A get by id is two round trips, or one when the
//! id's only item is known; a list reads properties, never values; many values come in one call. What is known about
//! items is kept true by the service's signals (see [`cache`]): a list that finds everything known makes no call, and
//! is then as stale as a signal that has not been delivered. A value is always fetched, and is given out only when no
//! signal that came before it says that its item is another now.
//!
//! Writers on one bus take turns (see [`turn`]); readers never wait for them.
//!
//! See the Secret Service API 0.2, <https://specifications.freedesktop.org/secret-service-spec/0.2/>.

mod bus;
mod cache;
mod dh;
mod failure;
mod items;
mod link;
mod prompt;
mod session;
mod store;
mod turn;
mod watch;

use bus::Bus;
use failure::{Failure, no_service};

use crate::keychain::KeychainOptions;
use crate::{Error, Result, Store};

/// Opens the store. Connects to the bus and asks whether the service is there or could be started.
pub(crate) fn open(options: KeychainOptions) -> Result<Box<dyn Store>> {
    open_on_bus(None, options)
}

/// Asks the bus daemon, and nobody else, whether somebody offers secrets.
pub(crate) fn probe() -> Result<String> {
    probe_bus(None)
}

/// [`open`] on the bus at this address; none for that of the session.
pub(crate) fn open_on_bus(address: Option<&str>, options: KeychainOptions) -> Result<Box<dyn Store>> {
    zbus::block_on(async {
        let bus = Bus::connect(address).await?;
        check(&bus).await?;
        Ok(Box::new(store::SecretServiceStore::new(options, address.map(Into::into), bus)) as Box<dyn Store>)
    })
}

/// [`probe`] on the bus at this address; none for that of the session.
pub(crate) fn probe_bus(address: Option<&str>) -> Result<String> {
    zbus::block_on(async {
        let bus = Bus::connect(address).await?;
        check(&bus).await
    })
}

async fn check(bus: &Bus) -> Result<String, Error> {
    if bus.service_runs().await.map_err(Failure::into_error)? {
        return Ok(bus.service_program().await.unwrap_or_else(|| "Secret Service".into()));
    }
    if bus.service_can_start().await.map_err(Failure::into_error)? {
        return Ok("Secret Service, which starts when it is used".into());
    }
    Err(no_service())
}
