//! The signals of the service, applied to the cache in the order in which they came.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use zbus::message::Type;
use zbus::zvariant::OwnedObjectPath;
use zbus::{MatchRule, Message, MessageStream};

use super::bus::{Bus, COLLECTION_INTERFACE, NAME, PROPERTIES, SERVICE, SERVICE_INTERFACE};
use super::cache::Cache;
use super::failure::Outcome;

/// Follows one service for as long as it lives.
pub(super) struct Watch {
    signals: Mutex<Signals>,
    cache: Mutex<Cache>,
    collection: OwnedObjectPath,
    lost: AtomicBool,
}

struct Signals {
    items: MessageStream,
    owners: MessageStream,
    /// Wakes the task that applies signals while nobody asks.
    follower: Waker,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The streams of the service's signals and of its comings and goings, before the collection is known.
pub(super) struct Streams {
    items: MessageStream,
    owners: MessageStream,
}

impl Streams {
    /// Subscribes. What happens from here on is not missed.
    pub(super) async fn subscribe(bus: &Bus) -> Outcome<Self> {
        let items = MatchRule::builder().msg_type(Type::Signal).sender(NAME)?.path_namespace(SERVICE)?.build();
        let items = MessageStream::for_match_rule(items, &bus.connection, None).await?;
        Ok(Self { items, owners: owner_changes(bus).await? })
    }
}

/// The stream of changes of the service's owner.
pub(super) async fn owner_changes(bus: &Bus) -> Outcome<MessageStream> {
    let rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")?
        .interface("org.freedesktop.DBus")?
        .member("NameOwnerChanged")?
        .add_arg(NAME)?
        .build();
    Ok(MessageStream::for_match_rule(rule, &bus.connection, Some(4)).await?)
}

/// The owner that a change leaves, and the one that it brings; empty for none.
pub(super) fn owners(change: &Message) -> Option<(String, String)> {
    let (_, old, new): (String, String, String) = change.body().deserialize().ok()?;
    Some((old, new))
}

impl Watch {
    /// Follows the signals about a collection.
    pub(super) fn new(streams: Streams, collection: OwnedObjectPath) -> Arc<Self> {
        let Streams { items, owners } = streams;
        let signals = Mutex::new(Signals { items, owners, follower: Waker::noop().clone() });
        Arc::new(Self { signals, cache: Mutex::default(), collection, lost: AtomicBool::new(false) })
    }

    /// Applies signals as they come, for ever. To be run beside everything else, since the connection stands still
    /// when nobody takes its messages.
    pub(super) async fn follow(self: Arc<Self>) {
        std::future::poll_fn(|context| {
            let mut signals = lock(&self.signals);
            signals.follower = context.waker().clone();
            self.apply(&mut signals);
            if self.is_lost() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Applies what came so far: all that the service sent before the latest reply that the caller has.
    pub(super) fn catch_up(&self) {
        self.apply(&mut lock(&self.signals));
    }

    /// What is known about items.
    pub(super) fn cache(&self) -> MutexGuard<'_, Cache> {
        lock(&self.cache)
    }

    /// Whether the service or the connection has gone, or its collections have changed: time to connect anew.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Says that the service or the connection has gone.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.cache().forget();
        lock(&self.signals).follower.wake_by_ref();
    }

    fn apply(&self, signals: &mut Signals) {
        // Whoever polls, the task that follows is the one to be woken.
        let waker = signals.follower.clone();
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut signals.owners).poll_next(&mut context) {
                // The name got its first owner when this connection started it: that is no loss.
                Poll::Ready(Some(Ok(change))) if owners(&change).is_some_and(|(old, _)| old.is_empty()) => {}
                Poll::Ready(_) => break self.mark_lost(),
                Poll::Pending => break,
            }
        }
        loop {
            match Pin::new(&mut signals.items).poll_next(&mut context) {
                Poll::Ready(Some(Ok(signal))) => self.apply_one(&signal),
                Poll::Ready(_) => break self.mark_lost(),
                Poll::Pending => break,
            }
        }
    }

    fn mark_lost(&self) {
        self.lost.store(true, Ordering::Release);
        self.cache().forget();
    }

    fn apply_one(&self, signal: &Message) {
        let header = signal.header();
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let interface = text(header.interface().map(|name| name.as_str()));
        let member = text(header.member().map(|name| name.as_str()));
        let ours = header.path().is_some_and(|path| path.as_str() == self.collection.as_str());
        let subject = || signal.body().deserialize::<OwnedObjectPath>().ok();
        match (interface.as_str(), member.as_str()) {
            (COLLECTION_INTERFACE, "ItemCreated" | "ItemChanged") if ours => match subject() {
                Some(item) => self.cache().touched(item),
                None => self.cache().forget(),
            },
            (COLLECTION_INTERFACE, "ItemDeleted") if ours => match subject() {
                Some(item) => self.cache().deleted(item),
                None => self.cache().forget(),
            },
            // Another collection may be `login` or the default now.
            (SERVICE_INTERFACE, "CollectionCreated" | "CollectionDeleted") => self.mark_lost(),
            // Locked, unlocked or renamed.
            (SERVICE_INTERFACE, "CollectionChanged") if subject().is_none_or(|path| path == self.collection) => {
                self.cache().forget();
            }
            // gnome-keyring repeats here what `ItemCreated` and `ItemDeleted` say; only a lock is news.
            (PROPERTIES, "PropertiesChanged") if ours && speaks_of_locking(signal) => self.cache().forget(),
            _ => {}
        }
    }
}

fn speaks_of_locking(signal: &Message) -> bool {
    type Changed = (String, std::collections::HashMap<String, zbus::zvariant::OwnedValue>, Vec<String>);
    match signal.body().deserialize::<Changed>() {
        Ok((_, changed, invalidated)) => {
            changed.contains_key("Locked") || invalidated.iter().any(|name| name == "Locked")
        }
        Err(_) => true,
    }
}
