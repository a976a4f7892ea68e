//! What is known about items between calls, kept true by the service's signals.
//!
//! The rule: an answer from the service is remembered only where no signal that came before it says otherwise, and any
//! signal makes what it names unknown. zbus hands over messages in the order of the socket, and [`super::watch`]
//! applies signals in that order; so after [`super::watch::Watch::catch_up`], all that the service said before its
//! latest reply is in here. What a cache cannot know is a signal that has not been delivered yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use pattern_matcher::Id;
use zbus::zvariant::OwnedObjectPath;

use crate::Info;

/// An item of ours: where it is and what it tells.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) path: OwnedObjectPath,
    /// None for an item that is passed over.
    pub(super) info: Option<Arc<Info>>,
    /// Whether `info` has the times: to the service they cost twice as much as the rest.
    pub(super) timed: bool,
}

/// How many changes are remembered; a reading during which more happened is not cached.
const RECENT: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Touched,
    Deleted,
}

/// A moment in the sequence of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

/// What is known now.
#[derive(Default)]
pub(super) struct Cache {
    /// What each item told. None: there is such an item, but it changed since.
    items: HashMap<OwnedObjectPath, Option<Known>>,
    /// Whether `items` has every item of ours.
    complete: bool,
    /// Ids that belong to exactly one item, that one.
    sole: HashMap<Id, OwnedObjectPath>,
    recent: VecDeque<(OwnedObjectPath, Change)>,
    /// The number of changes so far, forgetting included.
    changes: u64,
    forgotten_at: u64,
}

/// What must be asked before all items are known.
pub(super) struct Missing {
    pub(super) moment: Moment,
    pub(super) known: Vec<Known>,
    /// Items whose properties must be read.
    pub(super) unknown: Vec<OwnedObjectPath>,
    /// Whether the items must be searched for first.
    pub(super) search: bool,
}

impl Cache {
    /// The moment before a reading.
    pub(super) fn now(&self) -> Moment {
        Moment(self.changes)
    }

    /// An item was made or changed.
    pub(super) fn touched(&mut self, path: OwnedObjectPath) {
        self.items.insert(path.clone(), None);
        // It may have the id of any other now.
        self.sole.clear();
        self.note(path, Change::Touched);
    }

    /// An item was deleted.
    pub(super) fn deleted(&mut self, path: OwnedObjectPath) {
        if let Some(Some(Known { info: Some(info), .. })) = self.items.remove(&path) {
            self.sole.remove(&info.id);
        }
        self.note(path, Change::Deleted);
    }

    /// Something changed that is not told item by item, such as locking.
    pub(super) fn forget(&mut self) {
        self.changes += 1;
        self.forgotten_at = self.changes;
        self.items.clear();
        self.sole.clear();
        self.recent.clear();
        self.complete = false;
    }

    fn note(&mut self, path: OwnedObjectPath, change: Change) {
        self.changes += 1;
        self.recent.push_back((path, change));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// The changes since a moment. None when not all of them are remembered.
    fn since(&self, moment: Moment) -> Option<HashMap<OwnedObjectPath, Change>> {
        let count = usize::try_from(self.changes - moment.0).ok()?;
        let skipped = self.recent.len().checked_sub(count)?;
        (moment.0 >= self.forgotten_at).then(|| self.recent.iter().skip(skipped).cloned().collect())
    }

    /// What is known, and what must be asked.
    pub(super) fn missing(&self) -> Missing {
        let mut missing =
            Missing { moment: self.now(), known: Vec::new(), unknown: Vec::new(), search: !self.complete };
        for (path, item) in &self.items {
            match item {
                Some(known) => missing.known.push(known.clone()),
                None => missing.unknown.push(path.clone()),
            }
        }
        missing
    }

    /// The one item under an id, where that is known for sure.
    pub(super) fn sole(&self, id: &Id) -> Option<Known> {
        self.items.get(self.sole.get(id)?)?.clone()
    }

    /// Whether an item is still what it was when it was looked up.
    pub(super) fn still(&self, known: &Known) -> bool {
        match (self.items.get(&known.path), &known.info) {
            (Some(Some(Known { info: Some(now), .. })), Some(then)) => Arc::ptr_eq(now, then),
            _ => false,
        }
    }

    /// Remembers what items told since a moment. `sole` says that the item is the only one under its id.
    pub(super) fn learn(&mut self, moment: Moment, told: &[Known], sole: bool) {
        let Some(changed) = self.since(moment) else { return };
        for known in told.iter().filter(|known| !changed.contains_key(&known.path)) {
            self.items.insert(known.path.clone(), Some(known.clone()));
            if let Some(info) = known.info.as_ref().filter(|_| sole && changed.is_empty()) {
                self.sole.insert(info.id.clone(), known.path.clone());
            }
        }
    }

    /// Remembers that an item was not there when it was asked since a moment.
    pub(super) fn unlearn(&mut self, moment: Moment, path: &OwnedObjectPath) {
        // What changed meanwhile may have brought it back.
        if self.since(moment).is_some_and(|changed| !changed.contains_key(path)) {
            self.deleted(path.clone());
        }
    }

    /// Remembers that these are all items, as a search since a moment found.
    pub(super) fn learn_all(&mut self, moment: Moment, all: &[Known]) {
        let Some(changed) = self.since(moment) else { return };
        let found: HashSet<_> = all.iter().map(|known| &known.path).collect();
        self.items.retain(|path, _| found.contains(path) || changed.contains_key(path));
        self.learn(moment, all, false);
        for (path, change) in changed {
            match change {
                Change::Touched => drop(self.items.insert(path, None)),
                Change::Deleted => drop(self.items.remove(&path)),
            }
        }
        self.complete = true;
        self.count();
    }

    /// Finds the ids that belong to one item only, once all items are known.
    pub(super) fn count(&mut self) {
        if !self.complete || self.items.values().any(Option::is_none) {
            return;
        }
        self.sole.clear();
        let mut several = HashSet::new();
        for (path, item) in &self.items {
            let Some(Known { info: Some(info), .. }) = item else { continue };
            if self.sole.insert(info.id.clone(), path.clone()).is_some() {
                several.insert(info.id.clone());
            }
        }
        self.sole.retain(|id, _| !several.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn path(n: u32) -> OwnedObjectPath {
        OwnedObjectPath::try_from(format!("/c/{n}")).unwrap()
    }

    fn known(n: u32, id: &str) -> Known {
        let info = Info { id: Id::parse(id).unwrap(), metadata: BTreeMap::new(), created_at: None, modified_at: None };
        Known { path: path(n), info: Some(Arc::new(info)), timed: true }
    }

    fn ids(cache: &Cache) -> Vec<String> {
        let mut ids: Vec<_> = cache.missing().known.iter().map(|k| k.info.as_ref().unwrap().id.to_string()).collect();
        ids.sort();
        ids
    }

    fn filled() -> Cache {
        let mut cache = Cache::default();
        cache.learn_all(cache.now(), &[known(1, "a"), known(2, "b"), known(3, "b")]);
        cache
    }

    #[test]
    fn after_all_was_learnt_nothing_is_missing() {
        let cache = filled();
        let missing = cache.missing();
        assert!(!missing.search && missing.unknown.is_empty());
        assert_eq!(ids(&cache), ["a", "b", "b"]);
    }

    #[test]
    fn only_an_id_of_one_item_is_sole() {
        let cache = filled();
        assert_eq!(cache.sole(&Id::parse("a").unwrap()).unwrap().path, path(1));
        assert!(cache.sole(&Id::parse("b").unwrap()).is_none());
    }

    #[test]
    fn a_changed_item_is_asked_again_and_a_deleted_one_is_gone() {
        let mut cache = filled();
        cache.touched(path(1));
        cache.deleted(path(2));
        let missing = cache.missing();
        assert_eq!((missing.unknown, missing.search), (vec![path(1)], false));
        assert_eq!(ids(&cache), ["b"]);
        assert!(cache.sole(&Id::parse("a").unwrap()).is_none());
    }

    #[test]
    fn a_new_or_changed_item_makes_every_id_doubtful() {
        let mut cache = filled();
        cache.touched(path(2));
        assert!(cache.sole(&Id::parse("a").unwrap()).is_none());
        cache.touched(path(4));
        assert!(cache.sole(&Id::parse("a").unwrap()).is_none());
        assert_eq!(HashSet::from_iter(cache.missing().unknown), HashSet::from([path(2), path(4)]));
    }

    #[test]
    fn what_changed_during_a_reading_is_not_learnt_from_it() {
        let mut cache = Cache::default();
        let before = cache.now();
        cache.touched(path(1));
        cache.deleted(path(2));
        cache.touched(path(9));
        cache.learn_all(before, &[known(1, "a"), known(2, "b"), known(3, "c")]);
        let missing = cache.missing();
        let unknown: HashSet<_> = missing.unknown.into_iter().collect();
        assert_eq!(unknown, HashSet::from([path(1), path(9)]));
        assert_eq!(ids(&cache), ["c"]);
        assert!(!missing.search);
    }

    #[test]
    fn an_item_that_is_not_there_is_forgotten_unless_it_came_back() {
        let mut cache = filled();
        let before = cache.now();
        cache.unlearn(before, &path(1));
        assert_eq!(ids(&cache), ["b", "b"]);
        assert!(cache.sole(&Id::parse("a").unwrap()).is_none());
        cache.touched(path(1));
        cache.unlearn(before, &path(1));
        assert_eq!(cache.missing().unknown, [path(1)]);
    }

    #[test]
    fn a_reading_across_a_forgetting_teaches_nothing() {
        let mut cache = Cache::default();
        let before = cache.now();
        cache.forget();
        cache.learn_all(before, &[known(1, "a")]);
        assert!(cache.missing().search && ids(&cache).is_empty());
    }

    #[test]
    fn a_reading_across_more_changes_than_are_remembered_teaches_nothing() {
        let mut cache = Cache::default();
        let before = cache.now();
        for n in 0..=RECENT {
            cache.touched(path(u32::try_from(n).unwrap()));
        }
        cache.learn_all(before, &[known(1, "a")]);
        assert!(cache.missing().search);
    }

    #[test]
    fn an_item_that_was_read_again_is_not_what_it_was() {
        let mut cache = filled();
        let before = cache.sole(&Id::parse("a").unwrap()).unwrap();
        assert!(cache.still(&before));
        cache.touched(path(1));
        assert!(!cache.still(&before));
        cache.learn(cache.now(), &[known(1, "a")], true);
        assert!(!cache.still(&before));
    }
}
