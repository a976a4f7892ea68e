//! One connection to one run of the service: its session, its collection, and what is known about its items.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use futures_util::future::{join, join_all};
use pattern_matcher::Id;
use secret_service::{EncryptionType, SecretService};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

use super::bus::{Bus, COLLECTION_INTERFACE, ITEM_INTERFACE, PROPERTIES, SERVICE, SERVICE_INTERFACE};
use super::cache::Known;
use super::failure::{Failure, Outcome};
use super::items::{ATTRIBUTES_PROPERTY, LABEL_PROPERTY, Properties, Service, attributes_value};
use super::prompt;
use super::session::{Sealed, Session};
use super::watch::{Streams, Watch};
use crate::{Code, Error, SecretBytes};

/// The collection that Docker prefers, and that PAM unlocks at login.
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";
/// Calls on the wire at once; the bus daemon limits the replies that a connection may wait for.
const PIPELINED: usize = 256;

/// A link that is up.
pub(super) struct Link {
    pub(super) bus: Bus,
    pub(super) watch: Arc<Watch>,
    pub(super) collection: OwnedObjectPath,
    pub(super) session: Session,
    service: Service,
    /// Dropping it ends the task, and with it the last use of the connection.
    _follower: zbus::Task<()>,
}

impl Link {
    /// Connects, opens the session and finds the collection. Starts the service where the bus can.
    pub(super) async fn open(bus: Bus, service: Service) -> Outcome<Self> {
        let streams = Streams::subscribe(&bus).await?;
        let session = Session::open(&bus).await?;
        let collection = find_collection(&bus).await?;
        let watch = Watch::new(streams, collection.clone());
        let follower = bus.connection.executor().spawn(watch.clone().follow(), "signals of the Secret Service");
        Ok(Self { bus, watch, collection, session, service, _follower: follower })
    }

    /// Searches the collection for all items. Fails with `Locked` when it is locked.
    pub(super) async fn search(&self) -> Outcome<Vec<OwnedObjectPath>> {
        // A locked collection answers searches as well, from what it keeps in the clear; so both are asked at once.
        let (found, locked) = join(self.matching(None), self.is_locked()).await;
        if locked? { Err(Failure::Locked) } else { found }
    }

    /// Searches the collection for an id. Fails with `Locked` when nothing is found and it is locked: that is no answer.
    pub(super) async fn search_id(&self, id: &Id) -> Outcome<Vec<OwnedObjectPath>> {
        let found = self.matching(Some(id)).await?;
        if found.is_empty() && self.is_locked().await? {
            return Err(Failure::Locked);
        }
        Ok(found)
    }

    async fn matching(&self, id: Option<&Id>) -> Outcome<Vec<OwnedObjectPath>> {
        let body = (self.service.search(id),);
        let found = self.bus.call(self.collection.as_str(), COLLECTION_INTERFACE, "SearchItems", &body).await;
        Ok(found.map_err(Self::collection_gone)?.body().deserialize()?)
    }

    /// Whether the collection is locked.
    pub(super) async fn is_locked(&self) -> Outcome<bool> {
        self.bus.is_locked(self.collection.as_str()).await.map_err(Self::collection_gone)
    }

    /// Reads all that items tell about themselves, at once on the wire. None for one that is no longer there.
    pub(super) async fn properties(&self, paths: &[OwnedObjectPath]) -> Outcome<Vec<Option<Properties>>> {
        pipelined(paths, |path| self.properties_of(path)).await
    }

    async fn properties_of(&self, path: &OwnedObjectPath) -> Outcome<Properties> {
        let reply = self.bus.call(path.as_str(), PROPERTIES, "GetAll", &(ITEM_INTERFACE,)).await?;
        Properties::parse(reply.body().deserialize::<HashMap<String, OwnedValue>>()?)
    }

    async fn attributes_of(&self, path: &OwnedObjectPath) -> Outcome<Properties> {
        let attributes = self.bus.property(path.as_str(), ITEM_INTERFACE, "Attributes").await?;
        Properties::parse(HashMap::from([("Attributes".to_owned(), attributes)]))
    }

    /// Reads what items tell, as the cache keeps it: with the times of writing, or without.
    pub(super) async fn tell(&self, paths: Vec<OwnedObjectPath>, timed: bool) -> Outcome<Vec<Known>> {
        let properties = if timed {
            self.properties(&paths).await?
        } else {
            pipelined(&paths, |path| self.attributes_of(path)).await?
        };
        let known = paths.into_iter().zip(properties).filter_map(|(path, properties)| {
            let info = properties?.info(&self.service).map(Arc::new);
            Some(Known { path, info, timed })
        });
        Ok(known.collect())
    }

    /// Reads the value of one item: `Ok(None)` when it is malformed.
    pub(super) async fn secret(&self, path: &OwnedObjectPath) -> Outcome<Option<SecretBytes>> {
        let reply = self.bus.call(path.as_str(), ITEM_INTERFACE, "GetSecret", &(&self.session.path,)).await?;
        let body = reply.body();
        let (sealed,): (Sealed<'_>,) = body.deserialize()?;
        Ok(self.session.open_sealed(&sealed))
    }

    /// Reads the values of many items in one call. Items that are locked or no longer there are left out by the
    /// service; a malformed value is `None`.
    pub(super) async fn secrets(
        &self,
        paths: &[OwnedObjectPath],
    ) -> Outcome<HashMap<OwnedObjectPath, Option<SecretBytes>>> {
        let reply = self.bus.call(SERVICE, SERVICE_INTERFACE, "GetSecrets", &(paths, &self.session.path)).await?;
        let body = reply.body();
        let (sealed,): (HashMap<OwnedObjectPath, Sealed<'_>>,) = body.deserialize()?;
        Ok(sealed.into_iter().map(|(path, sealed)| (path, self.session.open_sealed(&sealed))).collect())
    }

    /// Makes an item, or replaces the one with exactly these attributes.
    pub(super) async fn create(
        &self,
        label: &str,
        attributes: &HashMap<String, String>,
        value: &SecretBytes,
        interactive: bool,
    ) -> Outcome<()> {
        let envelope = self.session.seal(value.as_bytes())?;
        let properties: HashMap<&str, Value<'_>> =
            HashMap::from([(LABEL_PROPERTY, Value::from(label)), (ATTRIBUTES_PROPERTY, attributes_value(attributes))]);
        // Should another program have made the same item since it was searched for, this does not make a second one.
        let replace = true;
        let body = (properties, self.session.sealed(&envelope), replace);
        let reply = self
            .bus
            .call(self.collection.as_str(), COLLECTION_INTERFACE, "CreateItem", &body)
            .await
            .map_err(Self::collection_gone)?;
        let (item, prompt): (OwnedObjectPath, OwnedObjectPath) = reply.body().deserialize()?;
        prompt::finish(&self.bus, &prompt, interactive).await?;
        self.watch.catch_up();
        if item.as_str() != "/" {
            self.watch.cache().touched(item);
        }
        Ok(())
    }

    /// Changes an item in place: value, then attributes and label where they differ.
    pub(super) async fn replace(
        &self,
        path: &OwnedObjectPath,
        old: &Properties,
        label: &str,
        attributes: &HashMap<String, String>,
        value: &SecretBytes,
    ) -> Outcome<()> {
        let envelope = self.session.seal(value.as_bytes())?;
        let body = (self.session.sealed(&envelope),);
        let written = self.bus.call(path.as_str(), ITEM_INTERFACE, "SetSecret", &body).await;
        self.watch.cache().touched(path.clone());
        written?;
        self.relabel(path, old, label, attributes).await
    }

    /// Gives an item other attributes and another label, where they differ.
    pub(super) async fn relabel(
        &self,
        path: &OwnedObjectPath,
        old: &Properties,
        label: &str,
        attributes: &HashMap<String, String>,
    ) -> Outcome<()> {
        // The attributes are what counts, so they come first; the label is for people.
        if old.attributes != *attributes {
            let set = self.bus.set_item_property(path.as_str(), "Attributes", attributes_value(attributes)).await;
            self.watch.cache().touched(path.clone());
            set?;
        }
        if old.label != label {
            self.bus.set_item_property(path.as_str(), "Label", Value::from(label)).await?;
            self.watch.cache().touched(path.clone());
        }
        Ok(())
    }

    /// Deletes items. One that is no longer there is as good as deleted.
    pub(super) async fn delete(&self, paths: &[OwnedObjectPath], interactive: bool) -> Outcome<()> {
        for path in paths {
            match self.bus.call(path.as_str(), ITEM_INTERFACE, "Delete", &()).await {
                Ok(reply) => prompt::finish(&self.bus, &reply.body().deserialize()?, interactive).await?,
                Err(Failure::Gone) => {}
                Err(failure) => return Err(failure),
            }
            self.watch.cache().deleted(path.clone());
        }
        Ok(())
    }

    /// The whole collection is no longer there: the next link finds another, or says that there is none.
    fn collection_gone(failure: Failure) -> Failure {
        match failure {
            Failure::Gone => Failure::Lost(zbus::Error::Failure("the collection has gone".into())),
            other => other,
        }
    }
}

/// Asks about many items at once on the wire. None for one that is no longer there.
async fn pipelined<'a, T, F: Future<Output = Outcome<T>>>(
    paths: &'a [OwnedObjectPath],
    ask: impl Fn(&'a OwnedObjectPath) -> F,
) -> Outcome<Vec<Option<T>>> {
    let mut all = Vec::with_capacity(paths.len());
    for some in paths.chunks(PIPELINED) {
        for answer in join_all(some.iter().map(&ask)).await {
            all.push(match answer {
                Ok(answer) => Some(answer),
                Err(Failure::Gone) => None,
                Err(failure) => return Err(failure),
            });
        }
    }
    Ok(all)
}

/// `login` where it exists, else the default: Docker's rule.
pub(super) async fn find_collection(bus: &Bus) -> Outcome<OwnedObjectPath> {
    // The crate opens a session of its own; unused, so it needs no encryption.
    let service = SecretService::connect_with_existing(EncryptionType::Plain, bus.connection.clone()).await;
    let service = service.map_err(foreign)?;
    let all = service.get_all_collections().await.map_err(foreign)?;
    if let Some(login) = all.iter().find(|collection| collection.collection_path.as_str() == LOGIN) {
        return Ok(login.collection_path.clone());
    }
    let default = service.get_default_collection().await;
    let default = default.map(|collection| collection.collection_path.clone());
    default.map_err(foreign)
}

/// Errors of the crate `secret-service`.
fn foreign(error: secret_service::Error) -> Failure {
    match error {
        secret_service::Error::Zbus(error) => error.into(),
        secret_service::Error::ZbusFdo(error) => zbus::Error::from(error).into(),
        secret_service::Error::NoResult => no_collection().into(),
        error => Error::new(Code::StoreFailure, "the Secret Service failed").with_source(error).into(),
    }
}

fn no_collection() -> Error {
    Error::new(Code::NoCollection, "the Secret Service runs, but has no collection to keep secrets in")
        .with_hint("make a default keyring with the keyring's own program, or log in once so that `login` is made")
}
