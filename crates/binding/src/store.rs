//! Stores, for JavaScript.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use keychain_core::{
    Code, Error, Info, Item, NewItem, Result, SecretBytes, Selection, Store, entries, file, keychain, memory,
};
use napi::Env;
use napi::bindgen_prelude::{ClassInstance, Object};
use napi_derive::napi;
use pattern_matcher::{Id, Pattern};

use crate::metadata::Metadata;
use crate::secret::SecretHandle;
use crate::task;

/// What is known about a secret without its value. Times are milliseconds since 1970.
#[napi(object, object_from_js = false)]
pub struct StoredInfo {
    /// The id it is stored under.
    pub id: String,
    /// The caller's own facts about it.
    #[napi(ts_type = "Record<string, string>")]
    pub metadata: Metadata,
    /// When it was first stored.
    pub created_at: Option<f64>,
    /// When it was last written.
    pub modified_at: Option<f64>,
}

/// A secret as a store returns it.
#[napi(object, object_from_js = false)]
pub struct StoredItem {
    /// What is known beside the value.
    pub info: StoredInfo,
    /// The value.
    pub secret: SecretHandle,
}

/// Which store this is and what protects it.
#[napi(object, object_from_js = false)]
pub struct StoreDescription {
    /// `keychain`, `file`, `memory` or `entries`.
    pub kind: String,
    /// The program or format behind it.
    pub backend: String,
    /// Where the secrets are.
    pub location: String,
    /// What protects them at rest.
    pub encryption: String,
    /// Whether they are there after a reboot.
    pub survives_reboot: bool,
    /// Whether a person must unlock it first, where that is known.
    pub locked: Option<bool>,
    /// The longest value that it can keep.
    pub max_value_bytes: u32,
}

/// An open store. Every operation runs on a thread of its own and gives a promise of an outcome.
#[napi]
pub struct NativeStore {
    /// None once it was closed. Operations that run keep what they use.
    open: Mutex<Option<Open>>,
}

#[derive(Clone)]
struct Open {
    store: Arc<dyn Store>,
    passphrase: Arc<Slot>,
}

/// The passphrase that JavaScript has provided, if it has.
#[derive(Default)]
struct Slot(Mutex<Option<SecretBytes>>);

impl Slot {
    fn put(&self, passphrase: SecretBytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(passphrase);
    }

    fn forget(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn get(&self) -> Option<SecretBytes> {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref().map(|passphrase| SecretBytes::copy_from(passphrase.as_bytes()))
    }
}

impl NativeStore {
    fn new(store: Box<dyn Store>, passphrase: Arc<Slot>) -> Self {
        Self { open: Mutex::new(Some(Open { store: Arc::from(store), passphrase })) }
    }

    fn open(&self) -> Option<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn run<'env, T: napi::bindgen_prelude::ToNapiValue + Send + 'static>(
        &self,
        env: &'env Env,
        work: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let open = self.open();
        task::run(env, move || match open {
            Some(open) => work(&*open.store),
            None => Err(Error::new(Code::Disposed, "the store was closed before")),
        })
    }
}

fn id(text: &str) -> Result<Id> {
    Id::parse(text)
        .map_err(|invalid| Error::new(Code::InvalidId, "the text is not an id").with_detail("at", invalid.at))
}

fn pattern(text: &str) -> Result<Pattern> {
    Pattern::parse(text)
        .map_err(|invalid| Error::new(Code::InvalidPattern, "the text is not a pattern").with_detail("at", invalid.at))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds fit a double for the next 280,000 years")]
fn milliseconds(time: SystemTime) -> f64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_millis() as f64,
        Err(before) => -(before.duration().as_millis() as f64),
    }
}

impl From<Info> for StoredInfo {
    fn from(info: Info) -> Self {
        Self {
            id: info.id.to_string(),
            metadata: info.metadata.into(),
            created_at: info.created_at.map(milliseconds),
            modified_at: info.modified_at.map(milliseconds),
        }
    }
}

impl From<Item> for StoredItem {
    fn from(item: Item) -> Self {
        Self { info: item.info.into(), secret: SecretHandle::new(item.value) }
    }
}

#[napi]
impl NativeStore {
    /// Says which store this is.
    #[napi(ts_return_type = "Promise<Outcome<StoreDescription>>")]
    pub fn describe<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.run(env, |store| {
            let description = store.describe()?;
            Ok(StoreDescription {
                kind: description.kind.into(),
                backend: description.backend,
                location: description.location,
                encryption: description.encryption,
                survives_reboot: description.survives_reboot,
                locked: description.locked,
                max_value_bytes: u32::try_from(description.max_value_bytes).unwrap_or(u32::MAX),
            })
        })
    }

    /// Reads one secret.
    #[napi(ts_return_type = "Promise<Outcome<StoredItem>>")]
    pub fn get<'env>(&self, env: &'env Env, text: String) -> napi::Result<Object<'env>> {
        self.run(env, move |store| store.get(&id(&text)?).map(StoredItem::from))
    }

    /// Reads the secrets that the pattern matches.
    #[napi(ts_return_type = "Promise<Outcome<StoredItem[]>>")]
    pub fn get_matching<'env>(&self, env: &'env Env, text: String) -> napi::Result<Object<'env>> {
        self.run(env, move |store| {
            let items = store.get_many(&Selection::Pattern(pattern(&text)?))?;
            Ok(items.into_iter().map(StoredItem::from).collect::<Vec<_>>())
        })
    }

    /// Reads the secrets under these ids, leaving out those that are not there.
    #[napi(ts_return_type = "Promise<Outcome<StoredItem[]>>")]
    pub fn get_ids<'env>(&self, env: &'env Env, ids: Vec<String>) -> napi::Result<Object<'env>> {
        self.run(env, move |store| {
            let ids = ids.iter().map(|text| id(text)).collect::<Result<Vec<_>>>()?;
            Ok(store.get_many(&Selection::Ids(ids))?.into_iter().map(StoredItem::from).collect::<Vec<_>>())
        })
    }

    /// Lists what the pattern matches, without values.
    #[napi(ts_return_type = "Promise<Outcome<StoredInfo[]>>")]
    pub fn list<'env>(&self, env: &'env Env, text: String, times: bool) -> napi::Result<Object<'env>> {
        self.run(env, move |store| {
            let pattern = pattern(&text)?;
            let infos = if times { store.list(&pattern) } else { store.list_untimed(&pattern) };
            Ok(infos?.into_iter().map(StoredInfo::from).collect::<Vec<_>>())
        })
    }

    /// Writes secrets. The values are copied before this returns: the handles may be disposed at once.
    #[napi(ts_return_type = "Promise<Outcome<null>>")]
    pub fn set_many<'env>(
        &self,
        env: &'env Env,
        ids: Vec<String>,
        values: Vec<ClassInstance<'_, SecretHandle>>,
        metadata: Vec<HashMap<String, String>>,
        overwrite: bool,
    ) -> napi::Result<Object<'env>> {
        let copies = values.iter().map(|value| value.copy()).collect::<Result<Vec<_>>>();
        self.run(env, move |store| {
            let items = ids
                .iter()
                .zip(copies?)
                .zip(metadata)
                .map(|((text, value), metadata)| {
                    Ok(NewItem { id: id(text)?, value, metadata: metadata.into_iter().collect::<BTreeMap<_, _>>() })
                })
                .collect::<Result<Vec<_>>>()?;
            store.set_many(items, overwrite)
        })
    }

    /// Removes a secret.
    #[napi(ts_return_type = "Promise<Outcome<null>>")]
    pub fn delete<'env>(&self, env: &'env Env, text: String) -> napi::Result<Object<'env>> {
        self.run(env, move |store| store.delete(&id(&text)?))
    }

    /// Gives a secret another id.
    #[napi(ts_return_type = "Promise<Outcome<null>>")]
    pub fn rename<'env>(
        &self,
        env: &'env Env,
        from: String,
        to: String,
        overwrite: bool,
    ) -> napi::Result<Object<'env>> {
        self.run(env, move |store| store.rename(&id(&from)?, &id(&to)?, overwrite))
    }

    /// Provides the passphrase that the next operation may need.
    #[napi(ts_return_type = "Outcome<null>")]
    pub fn provide_passphrase(&self, passphrase: &SecretHandle) -> crate::outcome::Outcome<()> {
        crate::outcome::Outcome::of(|| {
            if let Some(open) = self.open() {
                open.passphrase.put(passphrase.copy()?);
            }
            Ok(())
        })
    }

    /// Forgets the passphrase, which was a wrong one.
    #[napi]
    pub fn forget_passphrase(&self) {
        if let Some(open) = self.open() {
            open.passphrase.forget();
        }
    }

    /// Lets go of the store and its passphrase. Operations that run finish; later ones fail with `Disposed`.
    #[napi]
    pub fn close(&self) {
        drop(self.open.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// Opens a store in memory.
#[napi]
pub fn open_memory_store() -> NativeStore {
    NativeStore::new(Box::new(memory::MemoryStore::default()), Arc::default())
}

/// Opens the encrypted file. The passphrase may be provided later, when an operation asks for it.
#[napi(ts_return_type = "Promise<Outcome<NativeStore>>")]
pub fn open_file_store(env: &Env, store: String, identity: String) -> napi::Result<Object<'_>> {
    task::run(env, move || {
        let slot = Arc::<Slot>::default();
        let identity = PathBuf::from(identity);
        let passphrase: file::Passphrase = {
            let (slot, identity) = (Arc::clone(&slot), identity.clone());
            Arc::new(move || slot.get().ok_or_else(|| file::passphrase_needed(&identity)))
        };
        let options = file::FileOptions { store: PathBuf::from(store), identity, passphrase: Some(passphrase) };
        Ok(NativeStore::new(file::open(options)?, slot))
    })
}

/// Makes an identity file and an empty encrypted file.
#[napi(ts_return_type = "Promise<Outcome<null>>")]
pub fn create_file_store<'env>(
    env: &'env Env,
    store: String,
    identity: String,
    passphrase: Option<&SecretHandle>,
) -> napi::Result<Object<'env>> {
    let passphrase = passphrase.map(SecretHandle::copy).transpose();
    task::run(env, move || {
        let options =
            file::FileOptions { store: PathBuf::from(store), identity: PathBuf::from(identity), passphrase: None };
        file::create(&options, passphrase?.as_ref())
    })
}

/// Opens the keychain of this operating system.
#[napi(ts_return_type = "Promise<Outcome<NativeStore>>")]
pub fn open_keychain_store(env: &Env, interactive: bool) -> napi::Result<Object<'_>> {
    task::run(env, move || {
        let options = keychain::KeychainOptions { interactive, ..keychain::KeychainOptions::default() };
        Ok(NativeStore::new(keychain::open(options)?, Arc::default()))
    })
}

/// Opens the entries that programs keep in the keychain of this operating system under a service.
#[napi(ts_return_type = "Promise<Outcome<NativeStore>>")]
pub fn open_entries_store(env: &Env, service: String, interactive: bool) -> napi::Result<Object<'_>> {
    task::run(env, move || {
        Ok(NativeStore::new(entries::open(entries::EntriesOptions { service, interactive })?, Arc::default()))
    })
}

/// Names the OS keychain that would answer, without starting, unlocking or asking anything.
#[napi(ts_return_type = "Promise<Outcome<string>>")]
pub fn probe_keychain(env: &Env) -> napi::Result<Object<'_>> {
    task::run(env, keychain::probe)
}
