//! A store in memory, for tests. Gone with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use pattern_matcher::{Id, Pattern};

use crate::limits::{MAX_METADATA_BYTES, check_new, exists, not_found};
use crate::{Code, Description, Error, Info, Item, MAX_VALUE_BYTES, NewItem, Result, SecretBytes, Selection, Store};

/// Keeps secrets in wiping memory. Clones are the same store, which ends with the last of them.
///
/// It also does what other stores do on a bad day, when told: [`Self::fail_next`], [`Self::hold`], [`Self::lock`].
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Told whenever an operation begins or ends to wait, and when one is released.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    items: BTreeMap<Id, Item>,
    locked: Option<Code>,
    faults: BTreeMap<Operation, Fault>,
}

/// What an operation does instead of its work.
#[derive(Default)]
struct Fault {
    /// How many calls still fail, and how.
    failures: Option<(usize, Code)>,
    held: bool,
    waiting: usize,
}

/// An operation of the store, to name in a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`Store::get`]
    Get,
    /// [`Store::get_many`]
    GetMany,
    /// [`Store::list`]
    List,
    /// [`Store::set_many`]
    Set,
    /// [`Store::delete`]
    Delete,
    /// [`Store::rename`]
    Rename,
}

impl MemoryStore {
    /// The next so many calls of the operation fail with this code and change nothing. Replaces what was said before;
    /// zero takes it back.
    pub fn fail_next(&self, operation: Operation, times: usize, code: Code) {
        self.state().faults.entry(operation).or_default().failures = (times > 0).then_some((times, code));
    }

    /// Calls of the operation wait, having done nothing yet, until [`Self::release`].
    pub fn hold(&self, operation: Operation) {
        self.state().faults.entry(operation).or_default().held = true;
    }

    /// Lets calls of the operation go on, those that wait as well.
    pub fn release(&self, operation: Operation) {
        self.state().faults.entry(operation).or_default().held = false;
        self.shared.changed.notify_all();
    }

    /// Waits until so many calls of the operation are held. Blocks for as long as that takes.
    pub fn wait_until_held(&self, operation: Operation, calls: usize) {
        let fewer = |state: &mut State| state.faults.get(&operation).map_or(0, |fault| fault.waiting) < calls;
        drop(self.shared.changed.wait_while(self.state(), fewer).unwrap_or_else(PoisonError::into_inner));
    }

    /// Locks the store: every operation fails with this code, such as `Locked` or `InteractionRequired`.
    pub fn lock(&self, code: Code) {
        self.state().locked = Some(code);
    }

    /// Unlocks the store.
    pub fn unlock(&self) {
        self.state().locked = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while the operation is held, then fails if it was told to.
    fn begin(&self, operation: Operation) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let held = |state: &State| state.faults.get(&operation).is_some_and(|fault| fault.held);
        if held(&state) {
            state.faults.entry(operation).or_default().waiting += 1;
            self.shared.changed.notify_all();
            state = self.shared.changed.wait_while(state, |state| held(state)).unwrap_or_else(PoisonError::into_inner);
            state.faults.entry(operation).or_default().waiting -= 1;
            self.shared.changed.notify_all();
        }
        let failures = state.faults.get_mut(&operation).map(|fault| &mut fault.failures);
        if let Some(failures) = failures
            && let Some((left, code)) = *failures
        {
            *failures = (left > 1).then_some((left - 1, code));
            return Err(Error::new(code, "the store in memory was told to fail"));
        }
        if let Some(code) = state.locked {
            return Err(Error::new(code, "the store in memory is locked"));
        }
        Ok(state)
    }
}

fn copy(item: &Item) -> Item {
    Item { info: item.info.clone(), value: SecretBytes::copy_from(item.value.as_bytes()) }
}

impl Store for MemoryStore {
    fn describe(&self) -> Result<Description> {
        Ok(Description {
            kind: "memory",
            backend: "memory".into(),
            location: "this process".into(),
            encryption: "none".into(),
            survives_reboot: false,
            locked: Some(self.state().locked.is_some()),
            max_value_bytes: MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        self.begin(Operation::Get)?.items.get(id).map(copy).ok_or_else(|| not_found(id))
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        let items = &self.begin(Operation::GetMany)?.items;
        Ok(match selection {
            Selection::Ids(ids) => {
                let ids: BTreeSet<_> = ids.iter().collect();
                ids.into_iter().filter_map(|id| items.get(id)).map(copy).collect()
            }
            Selection::Pattern(pattern) => {
                items.values().filter(|item| pattern.matches(item.info.id.as_str())).map(copy).collect()
            }
        })
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        let state = self.begin(Operation::List)?;
        let infos = state.items.values().map(|item| &item.info);
        Ok(infos.filter(|info| pattern.matches(info.id.as_str())).cloned().collect())
    }

    fn set_many(&self, new: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&new, MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        let items = &mut self.begin(Operation::Set)?.items;
        if let Some(item) = new.iter().find(|item| !overwrite && items.contains_key(&item.id)) {
            return Err(exists(&item.id));
        }
        let now = SystemTime::now();
        for NewItem { id, value, metadata } in new {
            let created_at = items.get(&id).map_or(Some(now), |old| old.info.created_at);
            let info = Info { id: id.clone(), metadata, created_at, modified_at: Some(now) };
            items.insert(id, Item { info, value });
        }
        Ok(())
    }

    fn delete(&self, id: &Id) -> Result<()> {
        self.begin(Operation::Delete)?.items.remove(id).map(drop).ok_or_else(|| not_found(id))
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        let items = &mut self.begin(Operation::Rename)?.items;
        if !items.contains_key(from) {
            return Err(not_found(from));
        }
        if from == to {
            return Ok(());
        }
        if !overwrite && items.contains_key(to) {
            return Err(exists(to));
        }
        if let Some(mut item) = items.remove(from) {
            item.info.id = to.clone();
            items.insert(to.clone(), item);
        }
        Ok(())
    }
}
