//! Turns of writing among all processes on a bus: whoever owns a name on it writes, the others queue for it. The bus gives
//! the name on when its owner gives it back or ends, so that nothing is left behind.
//!
//! The service cannot do this: it knows items by all their attributes, and would take two of one id whose metadata differ.

use std::time::{Duration, Instant};

use async_io::Timer;
use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use zbus::message::{Flags, Type};
use zbus::{MatchRule, Message, MessageStream};

use super::bus::{Bus, DAEMON, DAEMON_PATH};
use super::failure::{Failure, Outcome};
use crate::{Code, Error};

/// What is owned by whoever writes.
const NAME: &str = "dev.se_native.KeyringWriter";
/// To wait in the bus's queue, and to keep the name until it is given back.
const NO_FLAGS: u32 = 0;
/// The bus's answer to one that must wait.
const IN_QUEUE: u32 = 2;

/// The right to write.
pub(super) struct Turn<'a>(&'a Bus);

impl<'a> Turn<'a> {
    /// Waits for the right to write, for so long at most. A bus that gives no names, as inside some sandboxes, lets
    /// everybody write.
    pub(super) async fn take(bus: &'a Bus, patience: Duration) -> Outcome<Self> {
        if request(bus).await? == IN_QUEUE {
            wait(bus, patience).await?;
        }
        Ok(Self(bus))
    }

    /// Lets the next one write. Needs no answer; when the connection is lost, the bus has done it already.
    pub(super) async fn give_back(self) {
        let _sent = give_back(self.0).await;
    }
}

async fn request(bus: &Bus) -> Outcome<u32> {
    match bus.ask_daemon("RequestName", &(NAME, NO_FLAGS)).await {
        Err(Failure::Lost(zbus::Error::MethodError(..)) | Failure::Final(_) | Failure::Gone) => Ok(0),
        answer => answer,
    }
}

async fn wait(bus: &Bus, patience: Duration) -> Outcome<()> {
    let since = Instant::now();
    let acquired = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(DAEMON)?
        .interface(DAEMON)?
        .member("NameAcquired")?
        .add_arg(NAME)?
        .build();
    let acquired = MessageStream::for_match_rule(acquired, &bus.connection, Some(1)).await?;
    // It may have come before it was listened for.
    if request(bus).await? != IN_QUEUE {
        return Ok(());
    }
    let timer = Timer::after(patience.saturating_sub(since.elapsed()));
    pin_mut!(acquired, timer);
    match select(acquired.next(), timer).await {
        Either::Left((Some(_), _)) => Ok(()),
        Either::Left((None, _)) => Err(Failure::Lost(zbus::Error::Failure("the bus went while waiting".into()))),
        Either::Right(_) => {
            let error = never_lets_go(bus, patience).await;
            give_back(bus).await?;
            Err(error.into())
        }
    }
}

/// Gives the name back, or leaves the queue for it.
async fn give_back(bus: &Bus) -> zbus::Result<()> {
    let release = Message::method_call(DAEMON_PATH, "ReleaseName")?
        .destination(DAEMON)?
        .interface(DAEMON)?
        .with_flags(Flags::NoReplyExpected)?
        .build(&(NAME,))?;
    bus.connection.send(&release).await
}

async fn never_lets_go(bus: &Bus, patience: Duration) -> Error {
    let seconds = patience.as_secs();
    let message = format!("another program has been writing to the keyring for {seconds} seconds, and does not end");
    let error = Error::new(Code::StoreUnavailable, message);
    match bus.ask_daemon::<_, u32>("GetConnectionUnixProcessID", &NAME).await {
        Ok(pid) => error.with_detail("pid", pid).with_hint(format!(
            "see what process {pid} does (it may wait for a prompt to be answered), then try again"
        )),
        Err(_) => error.with_hint("try again"),
    }
}
