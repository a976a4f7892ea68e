//! A store in memory, for tests. Gone with the process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use pattern_matcher::{Id, Pattern};

use crate::limits::{MAX_METADATA_BYTES, check_new, exists, not_found};
use crate::{Description, Info, Item, MAX_VALUE_BYTES, NewItem, Result, SecretBytes, Selection, Store};

/// Keeps secrets in wiping memory. Clones are the same store, which ends with the last of them.
#[derive(Clone, Default)]
pub struct MemoryStore {
    items: Arc<Mutex<BTreeMap<Id, Item>>>,
}

impl MemoryStore {
    fn items(&self) -> std::sync::MutexGuard<'_, BTreeMap<Id, Item>> {
        self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
            locked: Some(false),
            max_value_bytes: MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        self.items().get(id).map(copy).ok_or_else(|| not_found(id))
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        let items = self.items();
        Ok(match selection {
            Selection::Ids(ids) => {
                let ids: std::collections::BTreeSet<_> = ids.iter().collect();
                ids.into_iter().filter_map(|id| items.get(id)).map(copy).collect()
            }
            Selection::Pattern(pattern) => {
                items.values().filter(|item| pattern.matches(item.info.id.as_str())).map(copy).collect()
            }
        })
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        Ok(self
            .items()
            .values()
            .map(|item| &item.info)
            .filter(|info| pattern.matches(info.id.as_str()))
            .cloned()
            .collect())
    }

    fn set_many(&self, new: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&new, MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        let mut items = self.items();
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
        self.items().remove(id).map(drop).ok_or_else(|| not_found(id))
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        let mut items = self.items();
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
