//! The store: each operation of [`Store`] in terms of a link.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use pattern_matcher::{Id, Pattern};
use zbus::zvariant::OwnedObjectPath;

use super::bus::Bus;
use super::cache::Known;
use super::failure::{Failure, Outcome, no_service};
use super::items::Service;
use super::link::{Link, find_collection};
use super::prompt;
use super::turn::Turn;
use crate::keychain::KeychainOptions;
use crate::limits::{check_new, exists};
use crate::{
    Code, Description, Error, Info, Item, MAX_METADATA_BYTES, MAX_VALUE_BYTES, NewItem, Result, SecretBytes, Selection,
    Store,
};

/// How often something is tried again that another program spoilt.
const TRIES: u32 = 6;
/// The first pause before a collection that was locked again is unlocked again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// From so many ids on, reading what all items tell is cheaper than searching for each: a search costs the service
/// time in proportion to the number of items, as does reading one of them.
const SEARCHES: usize = 32;

/// Counts the writes of all stores of this process: a store that has not seen the latest asks the bus for the signals
/// of it before it trusts what it knows.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Keeps secrets in the Secret Service.
pub(super) struct SecretServiceStore {
    service: Service,
    interactive: bool,
    writer_wait: Duration,
    bus_address: Option<String>,
    link: Mutex<Option<Arc<Link>>>,
    /// The connection that the store was opened with, until the first link takes it.
    first_bus: Mutex<Option<Bus>>,
    /// One thread asks a person at a time; the others find the collection unlocked afterwards.
    unlocking: Mutex<()>,
    /// One thread of this connection writes at a time; the bus sees to the others.
    writing: Mutex<()>,
    seen_writes: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SecretServiceStore {
    pub(super) fn new(options: KeychainOptions, bus_address: Option<String>, bus: Bus) -> Self {
        Self {
            service: Service { group: options.group, name: options.name },
            interactive: options.interactive,
            writer_wait: options.writer_wait,
            bus_address,
            link: Mutex::new(None),
            first_bus: Mutex::new(Some(bus)),
            unlocking: Mutex::default(),
            writing: Mutex::default(),
            seen_writes: AtomicU64::new(0),
        }
    }

    /// The link that is up, or a new one.
    fn link(&self) -> Outcome<Arc<Link>> {
        let mut link = lock(&self.link);
        if let Some(link) = link.as_ref() {
            link.watch.catch_up();
        }
        if let Some(up) = link.as_ref().filter(|link| !link.watch.is_lost()) {
            return Ok(up.clone());
        }
        *link = None;
        let first = lock(&self.first_bus).take();
        let new = zbus::block_on(async {
            let bus = match first {
                Some(bus) => bus,
                None => Bus::connect(self.bus_address.as_deref()).await?,
            };
            Link::open(bus, self.service.clone()).await
        })?;
        Ok(link.insert(Arc::new(new)).clone())
    }

    /// Does something on a link, and again where that helps: once on a new link when the service has gone, and after
    /// unlocking for as long as somebody keeps locking, within reason.
    fn on_link<T, F: Future<Output = Outcome<T>>>(&self, step: impl Fn(Arc<Link>) -> F) -> Result<T> {
        let mut reconnected = false;
        let mut pause = FIRST_PAUSE;
        for attempt in 0.. {
            let (failure, link) = match self.link() {
                Err(failure) => (failure, None),
                Ok(link) => match link.bus.run(step(link.clone())) {
                    Ok(value) => return Ok(value),
                    Err(failure) => (failure, Some(link)),
                },
            };
            match (failure, link) {
                (Failure::Lost(_), link) if !reconnected => {
                    reconnected = true;
                    link.iter().for_each(|link| link.watch.lose());
                }
                (Failure::Locked, Some(link)) if attempt < TRIES => {
                    if attempt > 0 {
                        std::thread::sleep(pause);
                        pause *= 2;
                    }
                    self.unlock(&link).map_err(Failure::into_error)?;
                }
                (Failure::Gone, Some(link)) if attempt < TRIES => link.watch.cache().forget(),
                (failure, _) => return Err(failure.into_error()),
            }
        }
        Err(Failure::Gone.into_error())
    }

    fn unlock(&self, link: &Link) -> Outcome<()> {
        let _turn = lock(&self.unlocking);
        link.bus.run(async {
            if !link.bus.is_locked(link.collection.as_str()).await? {
                return Ok(());
            }
            prompt::unlock(&link.bus, &link.collection, self.interactive).await
        })
    }

    /// Makes sure that the signals of all that this process wrote have arrived.
    async fn see_own_writes(&self, link: &Link) -> Outcome<()> {
        let writes = WRITES.load(Ordering::Acquire);
        if self.seen_writes.swap(writes, Ordering::AcqRel) != writes {
            // The service sent its signals before it answered the writer, and the bus delivers in order: they are
            // here before this answer.
            link.bus.ask_daemon::<_, String>("GetId", &()).await?;
        }
        link.watch.catch_up();
        Ok(())
    }

    /// Writes something on a link, while nobody else on the bus does. Ends before a person is asked to unlock: that may
    /// take long, and the whole of it is done again then.
    fn write_on_link<T, F: Future<Output = Outcome<T>>>(&self, step: impl Fn(Arc<Link>) -> F) -> Result<T> {
        let since = Instant::now();
        let _turn = lock(&self.writing);
        // Who waited for a writer of this process waits for the others that much less: all together end in time.
        let patience = self.writer_wait.saturating_sub(since.elapsed());
        let step = &step;
        let done = self.on_link(|link| async move {
            let turn = Turn::take(&link.bus, patience).await?;
            let done = step(link.clone()).await;
            turn.give_back().await;
            done
        });
        self.wrote();
        done
    }

    /// Says that something was written, to the other stores of this process.
    fn wrote(&self) {
        WRITES.fetch_add(1, Ordering::AcqRel);
    }

    /// All items of ours, asking only about those that are not known.
    async fn all(&self, link: &Link, timed: bool) -> Outcome<Vec<Known>> {
        self.see_own_writes(link).await?;
        let mut missing = link.watch.cache().missing();
        if timed {
            let (known, untimed) = missing.known.into_iter().partition(|known| known.timed || known.info.is_none());
            missing.known = known;
            missing.unknown.extend(untimed.into_iter().map(|known: Known| known.path));
        }
        if missing.search {
            let found: BTreeSet<_> = link.search().await?.into_iter().map(|path| path.to_string()).collect();
            missing.known.retain(|known| found.contains(known.path.as_str()));
            let known: BTreeSet<_> = missing.known.iter().map(|known| known.path.to_string()).collect();
            let unknown = found.difference(&known).filter_map(|path| OwnedObjectPath::try_from(path.as_str()).ok());
            missing.unknown = unknown.collect();
        }
        if missing.unknown.is_empty() && !missing.search {
            return Ok(missing.known);
        }
        let told = link.tell(missing.unknown.clone(), timed).await?;
        link.watch.catch_up();
        let mut cache = link.watch.cache();
        let there: BTreeSet<_> = told.iter().map(|known| known.path.as_str()).collect();
        for path in missing.unknown.iter().filter(|path| !there.contains(path.as_str())) {
            cache.unlearn(missing.moment, path);
        }
        if missing.search {
            missing.known.extend(told);
            cache.learn_all(missing.moment, &missing.known);
        } else {
            cache.learn(missing.moment, &told, false);
            cache.count();
            missing.known.extend(told);
        }
        Ok(missing.known)
    }

    /// The items under each of these ids, in their order. Fails with `Locked` when the collection is.
    async fn find(&self, link: &Link, ids: &[Id]) -> Outcome<Vec<Vec<OwnedObjectPath>>> {
        if ids.len() > SEARCHES {
            let mut by_id: HashMap<Id, Vec<OwnedObjectPath>> = HashMap::new();
            for known in self.all(link, false).await? {
                if let Some(info) = known.info {
                    by_id.entry(info.id.clone()).or_default().push(known.path);
                }
            }
            return Ok(ids.iter().map(|id| by_id.remove(id).unwrap_or_default()).collect());
        }
        join_all(ids.iter().map(|id| link.search_id(id))).await.into_iter().collect()
    }

    async fn get_on(&self, link: &Link, id: &Id) -> Outcome<Item> {
        self.see_own_writes(link).await?;
        for _ in 0..TRIES {
            let (moment, sole) = {
                let cache = link.watch.cache();
                (cache.now(), cache.sole(id))
            };
            let was_sole = sole.is_some();
            let path = match &sole {
                Some(known) => known.path.clone(),
                None => match link.search_id(id).await?.as_slice() {
                    [path] => path.clone(),
                    [] => return Err(not_found(id).into()),
                    several => return Err(ambiguous(id, several.len()).into()),
                },
            };
            let known = sole.filter(|known| known.timed);
            // The service answers in order: an item that has the id after its value was read had it before.
            let told = async {
                match &known {
                    Some(known) => Ok(vec![known.clone()]),
                    None => link.tell(vec![path.clone()], true).await,
                }
            };
            let (value, told) = match join(link.secret(&path), told).await {
                (Ok(value), Ok(told)) => (value, told),
                (Err(Failure::Gone), _) | (_, Err(Failure::Gone)) => {
                    link.watch.catch_up();
                    link.watch.cache().unlearn(moment, &path);
                    continue;
                }
                (Err(failure), _) | (_, Err(failure)) => return Err(failure),
            };
            link.watch.catch_up();
            let mut cache = link.watch.cache();
            if was_sole && cache.sole(id).is_none() {
                // Something changed: there may be another under this id now.
                continue;
            }
            if let Some(known) = &known {
                if cache.still(known) {
                    return item(known, value);
                }
                continue;
            }
            let is_it = |known: &&Known| known.info.as_ref().is_some_and(|info| info.id == *id);
            let Some(known) = told.first().filter(is_it) else {
                cache.touched(path);
                continue;
            };
            cache.learn(moment, &told, true);
            return item(known, value);
        }
        Err(Failure::Gone)
    }

    fn list_items(&self, pattern: &Pattern, timed: bool) -> Result<Vec<Info>> {
        let one = Id::parse(pattern.as_str()).ok();
        let one = &one;
        let items = self.on_link(|link| async move {
            match one {
                Some(id) => link.tell(link.search_id(id).await?, timed).await,
                None => self.all(&link, timed).await,
            }
        })?;
        let mut items: Vec<_> = items
            .into_iter()
            .filter_map(|known| Some((known.info?, known.path)))
            .filter(|(info, _)| pattern.matches(info.id.as_str()))
            .collect();
        // Of duplicates, the one that was written last, else the one that was made last, as far as its path tells.
        items.sort_by_cached_key(|(info, path)| {
            let written = info.modified_at.filter(|_| timed);
            (info.id.clone(), Reverse((written, path.as_str().len(), path.to_string())))
        });
        items.dedup_by(|(later, _), (kept, _)| later.id == kept.id);
        Ok(items.into_iter().map(|(info, _)| (*info).clone()).collect())
    }

    async fn get_many_on(&self, link: &Link, selection: &Selection) -> Outcome<Vec<Item>> {
        for _ in 0..TRIES {
            let known = self.select(link, selection).await?;
            let Some(mut values) = self.values(link, &known).await? else { continue };
            link.watch.catch_up();
            let stale = {
                let cache = link.watch.cache();
                // What was just read and not learnt, since something changed meanwhile, is as doubtful.
                known.iter().any(|known| !cache.still(known))
            };
            if stale {
                continue;
            }
            let items = known.iter().map(|known| item(known, values.remove(&known.path).flatten()));
            return items.collect();
        }
        Err(Failure::Gone)
    }

    /// The items of a selection, sorted by id. Several under one id are `Ambiguous`.
    async fn select(&self, link: &Link, selection: &Selection) -> Outcome<Vec<Known>> {
        let mut known: Vec<Known> = match selection {
            Selection::Pattern(pattern) => {
                let all = self.all(link, false).await?;
                let wanted = |known: &Known| known.info.as_ref().is_some_and(|info| pattern.matches(info.id.as_str()));
                all.into_iter().filter(wanted).collect()
            }
            Selection::Ids(ids) => {
                let ids: BTreeSet<_> = ids.iter().collect();
                self.see_own_writes(link).await?;
                let (known, rest) = {
                    let cache = link.watch.cache();
                    let known: Vec<_> = ids.iter().filter_map(|id| cache.sole(id)).collect();
                    let rest: Vec<_> = ids.iter().filter(|id| cache.sole(id).is_none()).map(|&id| id.clone()).collect();
                    (known, rest)
                };
                let moment = link.watch.cache().now();
                if rest.len() > SEARCHES {
                    let all = self.all(link, false).await?;
                    all.into_iter()
                        .filter(|known| known.info.as_ref().is_some_and(|info| ids.contains(&info.id)))
                        .collect()
                } else {
                    let found = self.find(link, &rest).await?;
                    let sole = found.iter().all(|paths| paths.len() <= 1);
                    let told = link.tell(found.into_iter().flatten().collect(), false).await?;
                    link.watch.catch_up();
                    link.watch.cache().learn(moment, &told, sole);
                    let wanted = |known: &Known| known.info.as_ref().is_some_and(|info| ids.contains(&info.id));
                    known.into_iter().chain(told.into_iter().filter(wanted)).collect()
                }
            }
        };
        known.sort_by(|a, b| a.info.as_ref().map(|info| &info.id).cmp(&b.info.as_ref().map(|info| &info.id)));
        for same in known.chunk_by(|a, b| a.info.as_ref().map(|info| &info.id) == b.info.as_ref().map(|info| &info.id))
        {
            if let [Known { info: Some(info), .. }, _, ..] = same {
                return Err(ambiguous(&info.id, same.len()).into());
            }
        }
        Ok(known)
    }

    /// The values of items. None when one is not there any more: look again.
    async fn values(
        &self,
        link: &Link,
        known: &[Known],
    ) -> Outcome<Option<HashMap<OwnedObjectPath, Option<SecretBytes>>>> {
        if known.is_empty() {
            return Ok(Some(HashMap::new()));
        }
        let paths: Vec<_> = known.iter().map(|known| known.path.clone()).collect();
        let values = match link.secrets(&paths).await {
            Ok(values) => values,
            Err(Failure::Gone) => HashMap::new(),
            Err(failure) => return Err(failure),
        };
        if values.len() == paths.len() {
            return Ok(Some(values));
        }
        // The service leaves out what it cannot read.
        if link.is_locked().await? {
            return Err(Failure::Locked);
        }
        link.watch.cache().forget();
        Ok(None)
    }

    /// Writes what was not written yet, and counts it.
    async fn set_on(&self, link: &Link, new: &[NewItem], overwrite: bool, written: &AtomicUsize) -> Outcome<()> {
        let rest = &new[written.load(Ordering::Relaxed)..];
        let ids: Vec<_> = rest.iter().map(|item| item.id.clone()).collect();
        let found = self.find(link, &ids).await?;
        if let Some(at) = found.iter().position(|paths| !overwrite && !paths.is_empty()) {
            return Err(exists(&ids[at]).into());
        }
        for (item, paths) in rest.iter().zip(found) {
            self.write(link, item, &paths).await?;
            written.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn write(&self, link: &Link, new: &NewItem, paths: &[OwnedObjectPath]) -> Outcome<()> {
        let label = self.service.label(&new.id);
        let attributes = self.service.attributes(&new.id, &new.metadata);
        let old = link.properties(paths).await?;
        let mut there: Vec<_> = paths.iter().zip(old).filter_map(|(path, old)| Some((path, old?))).collect();
        // The oldest stays, with its creation time; the others are duplicates.
        there.sort_by_key(|(path, old)| (old.created, path.as_str().len(), path.to_string()));
        let Some(((path, old), duplicates)) = there.split_first() else {
            return link.create(&label, &attributes, &new.value, self.interactive).await;
        };
        link.replace(path, old, &label, &old.updated(attributes), &new.value).await?;
        let duplicates: Vec<_> = duplicates.iter().map(|(path, _)| (*path).clone()).collect();
        link.delete(&duplicates, self.interactive).await
    }

    async fn rename_on(&self, link: &Link, from: &Id, to: &Id, overwrite: bool) -> Outcome<()> {
        let both = self.find(link, &[from.clone(), to.clone()]).await?;
        let [source, target] = both.as_slice() else { return Err(Failure::Gone) };
        let path = match source.as_slice() {
            [] => return Err(not_found(from).into()),
            [path] => path,
            several => return Err(ambiguous(from, several.len()).into()),
        };
        if from == to {
            return Ok(());
        }
        if !overwrite && !target.is_empty() {
            return Err(exists(to).into());
        }
        let old = link.properties(std::slice::from_ref(path)).await?.pop().flatten().ok_or(Failure::Gone)?;
        let metadata = old.info(&self.service).ok_or(Failure::Gone)?.metadata;
        let attributes = old.updated(self.service.attributes(to, &metadata));
        // The replaced one goes first: should this process be killed here, `from` is whole and `to` is not there;
        // the other way round, two items would claim `to`.
        link.delete(target, self.interactive).await?;
        link.relabel(path, &old, &self.service.label(to), &attributes).await
    }
}

impl Store for SecretServiceStore {
    fn describe(&self) -> Result<Description> {
        let described = zbus::block_on(async {
            let bus = Bus::connect(self.bus_address.as_deref()).await?;
            if !bus.service_runs().await? {
                return Err(no_service().into());
            }
            let backend = bus.service_program().await.unwrap_or_else(|| "Secret Service".into());
            let collection = find_collection(&bus).await?;
            let locked = bus.is_locked(collection.as_str()).await.ok();
            Ok((backend, collection, locked))
        });
        let (backend, collection, locked) = described.map_err(Failure::into_error)?;
        let name = collection.as_str().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Description {
            kind: "keychain",
            survives_reboot: name != "session",
            location: format!("collection {name} of the Secret Service"),
            encryption: match backend.as_str() {
                "gnome-keyring-daemon" => "gnome-keyring encrypts its file with the keyring's password".into(),
                other => format!("as {other} keeps it"),
            },
            backend,
            locked,
            max_value_bytes: MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        self.on_link(|link| async move { self.get_on(&link, id).await })
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        self.on_link(|link| async move { self.get_many_on(&link, selection).await })
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        self.list_items(pattern, true)
    }

    fn list_untimed(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        self.list_items(pattern, false)
    }

    fn set_many(&self, new: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&new, MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        if new.is_empty() {
            return Ok(());
        }
        let written = AtomicUsize::new(0);
        let (items, count) = (&new, &written);
        let done = self.write_on_link(|link| async move { self.set_on(&link, items, overwrite, count).await });
        match written.into_inner() {
            0 => done,
            written => done.map_err(|error| error.with_detail("written", written)),
        }
    }

    fn delete(&self, id: &Id) -> Result<()> {
        self.write_on_link(|link| async move {
            let paths = link.search_id(id).await?;
            if paths.is_empty() {
                return Err(not_found(id).into());
            }
            link.delete(&paths, self.interactive).await
        })
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        self.write_on_link(|link| async move { self.rename_on(&link, from, to, overwrite).await })
    }
}

/// An item from what it tells and its value; a malformed value is `Corrupt`.
fn item(known: &Known, value: Option<SecretBytes>) -> Outcome<Item> {
    let info = known.info.as_ref().ok_or(Failure::Gone)?;
    match value {
        Some(value) => Ok(Item { info: (**info).clone(), value }),
        None => Err(Error::new(Code::Corrupt, format!("the Secret Service sent a malformed value for {}", info.id))
            .with_hint("set the secret again; if that does not help, restart the keyring")
            .with_detail("id", &info.id)
            .into()),
    }
}

fn not_found(id: &Id) -> Error {
    Error::new(Code::NotFound, format!("no secret is stored under {id}")).with_detail("id", id)
}

fn ambiguous(id: &Id, count: usize) -> Error {
    Error::new(Code::Ambiguous, format!("{count} items in the keyring claim {id}"))
        .with_hint(format!(
            "set {id} again with `overwrite: true`, which replaces all of them, or remove the others with the keyring's own program"
        ))
        .with_detail("id", id)
        .with_detail("count", count)
}
