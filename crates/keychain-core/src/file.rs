//! The encrypted file: secrets in one age file, which names all whose keys it is encrypted to. An identity file beside
//! it has such a key.
//!
//! Readers take no lock: a write replaces the file as a whole. Writers take turns. What was decrypted is kept for the
//! life of the store, and used for as long as the file is the one it came from: reading many secrets is one decryption,
//! and what other processes write is seen.

mod cipher;
mod content;
mod disk;
mod identity;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use content::{Content, Stored};
use disk::Stamp;
use identity::{Identity, Opened};
use pattern_matcher::{Id, Pattern};

use crate::limits::{check_new, exists, not_found};
use crate::{
    Code, Description, Error, Info, Item, MAX_METADATA_BYTES, MAX_VALUE_BYTES, NewItem, Result, SecretBytes, Selection,
    Store, in_use,
};

/// Answers with the passphrase of an identity file. Called only when one is needed; may ask a person.
pub type Passphrase = Arc<dyn Fn() -> Result<SecretBytes> + Send + Sync>;

/// Where the encrypted file is, and what opens it.
#[derive(Clone)]
pub struct FileOptions {
    /// The store, such as `store.age`. Writing makes a lock file beside it (`store.age.lock`), which stays.
    pub store: PathBuf,
    /// The identity file (0600), in age's own format; itself encrypted where its owner wanted a passphrase. It belongs
    /// to this store alone, and its key is one of the store's recipients.
    pub identity: PathBuf,
    /// Where the passphrase comes from, when the identity file is encrypted. None: `InteractionRequired` then.
    pub passphrase: Option<Passphrase>,
}

/// Makes a new identity file and an empty store, and the folders for them (0700). Either there already → `Exists`
/// (detail `path`), and nothing is changed. Paths of which one would be written over the other → `InvalidOption`. A folder that others can write to → `LaxMode`.
/// With a passphrase (UTF-8, not empty), the identity file is encrypted to it (scrypt, work factor 18: about a second).
pub fn create(options: &FileOptions, passphrase: Option<&SecretBytes>) -> Result<()> {
    let FileOptions { store, identity: identity_path, .. } = options;
    disk::check_apart(store, identity_path)?;
    for path in [store, identity_path] {
        disk::make_folder(path)?;
        disk::check_folder(path)?;
    }
    let _lock = disk::lock(store)?;
    for path in [store, identity_path] {
        if path.symlink_metadata().is_ok() {
            let error = Error::new(Code::Exists, format!("{} is there already", path.display()))
                .with_detail("path", path.display());
            // It may be the key of another store beside this one, or of backups.
            return Err(if path == identity_path {
                error.with_hint("name another key for the new store with --identity; this one may open another store")
            } else {
                error
            });
        }
    }
    let identity = Identity::generate();
    let content = Content::empty(identity.recipients()?.swap_remove(0));
    identity.save(identity_path, passphrase)?;
    let written = disk::replace(store, |out| cipher::seal(store, &content, out));
    written.map(drop).inspect_err(|_| {
        // A key that opens nothing is in the way of the next try. Should this fail too, that try says so.
        let _ = std::fs::remove_file(identity_path);
    })
}

/// Opens the encrypted file. Reads nothing but file modes until the first operation.
/// One of the files absent → `StoreUnavailable` (detail `path`): a store that was lost does not look empty. Readable or
/// writable by others, or in a folder that others can write to → `LaxMode`, with the command that mends it. A symbolic
/// link, or no regular file → `Unsupported`. Paths of which one would be written over the other → `InvalidOption`.
pub fn open(options: FileOptions) -> Result<Box<dyn Store>> {
    FileStore::open(options).map(|store| Box::new(store) as _)
}

/// Gives the identity file another passphrase, or with `None` leaves it unencrypted. Whoever has a copy of the old file
/// can still open it with the old passphrase, and then the store: see [`rotate_key`].
pub fn change_passphrase(options: &FileOptions, passphrase: Option<&SecretBytes>) -> Result<()> {
    let FileOptions { store, identity, .. } = options;
    FileStore::open(options.clone())?;
    let _lock = disk::lock(store)?;
    Identity::open(identity, options.passphrase.as_ref())?.identity.save(identity, passphrase)
}

/// Opens the key, and nothing else: whether the passphrase is right. None is needed → fine.
/// Wrong → `WrongKey`, none given → `InteractionRequired`, each with the detail `identity`.
pub fn check_passphrase(options: &FileOptions) -> Result<()> {
    FileStore::open(options.clone())?;
    Identity::open(&options.identity, options.passphrase.as_ref()).map(drop)
}

/// What an operation answers that needs the passphrase of the key, where nobody gave it.
pub fn passphrase_needed(identity: &Path) -> Error {
    identity::passphrase_needed(identity)
}

/// Makes a new key, which takes the place of the old one among the recipients; the passphrase and the other recipients
/// stay. It becomes the first in the identity file. The keys that were there stay below it, for old copies of the store
/// and for whatever else they open. A crash in between leaves a store that opens; calling this again is fine.
pub fn rotate_key(options: &FileOptions) -> Result<()> {
    let FileOptions { store, identity: path, .. } = options;
    let file_store = FileStore::open(options.clone())?;
    let _in_use = in_use();
    let _lock = disk::lock(store)?;
    let Opened { identity, stamp, passphrase } = Identity::open(path, options.passphrase.as_ref())?;
    let all = identity.with_new_key()?;
    let mut content = {
        let mut cache = file_store.cache();
        cache.identity = Some((stamp, Arc::new(identity)));
        Content::clone(&*file_store.read(&mut cache)?)
    };
    let own = all.recipients()?;
    let place = content.recipients.iter().position(|known| own.contains(known)).unwrap_or_default();
    content.recipients.retain(|known| !own.contains(known));
    content.recipients.insert(place, own[0].clone());
    // In this order: at no instant is the store encrypted to a key that is not on the disk.
    all.save(path, passphrase.as_ref())?;
    file_store.write(&content).map(drop)
}

/// All whose keys open the store, as age writes them (`age1…`): that of the identity file, and those that were added.
pub fn recipients(options: &FileOptions) -> Result<Vec<String>> {
    let store = FileStore::open(options.clone())?;
    Ok(store.content()?.recipients.iter().map(ToString::to_string).collect())
}

/// Lets another key open the store from now on (`age1…`; else `InvalidOption`). Its owner reads the file with `age`, or
/// reads and writes it with se-native and an identity file that holds the key: each write is encrypted to all recipients.
/// Adding it again changes nothing.
pub fn add_recipient(options: &FileOptions, recipient: &str) -> Result<()> {
    let recipient = cipher::parse_recipient(recipient)?;
    FileStore::open(options.clone())?.update(|content, _| {
        let new = !content.recipients.contains(&recipient);
        if new {
            content.recipients.push(recipient);
        }
        Ok(new)
    })
}

/// Takes a recipient away: it cannot read what is written from now on. It keeps what it has read, so rotate the secrets
/// too. Not one of the recipients → `NotFound`; the key of the identity file itself → `InvalidOption`, so that at least
/// one always stays.
pub fn remove_recipient(options: &FileOptions, recipient: &str) -> Result<()> {
    let recipient = cipher::parse_recipient(recipient)?;
    FileStore::open(options.clone())?.update(|content, identity| {
        if !content.recipients.contains(&recipient) {
            return Err(Error::new(Code::NotFound, format!("{recipient} is not a recipient of the store"))
                .with_hint("se store recipient lists them"));
        }
        if identity.recipients()?.contains(&recipient) {
            let path = options.identity.display();
            return Err(Error::new(Code::InvalidOption, format!("{recipient} is the key {path} itself"))
                .with_hint("another recipient can take it away; to replace it by a new key: se store rotate"));
        }
        content.recipients.retain(|known| *known != recipient);
        Ok(true)
    })
}

/// One of the two files is not there.
fn lost(FileOptions { identity, .. }: &FileOptions, path: &Path) -> Error {
    let (what, hint) = if path == identity {
        ("the key", "put it back from a backup: without it the store cannot be read")
    } else if identity.symlink_metadata().is_ok() {
        ("the encrypted file", "put it back from a backup, or make a new one that has another key")
    } else {
        ("the encrypted file", "make a new one with `create: true`, or put it and its key back from a backup")
    };
    Error::new(Code::StoreUnavailable, format!("{what} {} is not there", path.display()))
        .with_detail("path", path.display())
        .with_hint(hint)
}

struct FileStore {
    options: FileOptions,
    cache: Mutex<Cache>,
}

/// What was decrypted, each with the file that it came from.
#[derive(Default)]
struct Cache {
    identity: Option<(Stamp, Arc<Identity>)>,
    content: Option<(Stamp, Arc<Content>)>,
}

impl FileStore {
    fn open(options: FileOptions) -> Result<Self> {
        let FileOptions { store, identity, .. } = &options;
        disk::check_apart(store, identity)?;
        for path in [store, identity] {
            disk::check_folder(path).and_then(|()| disk::open(path).map(drop)).map_err(|error| match error.code() {
                Code::StoreUnavailable => lost(&options, path),
                _ => error,
            })?;
        }
        Ok(Self { options, cache: Mutex::default() })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content(&self) -> Result<Arc<Content>> {
        self.read(&mut self.cache())
    }

    /// The content as it is now; decrypts only what was not read before.
    fn read(&self, cache: &mut Cache) -> Result<Arc<Content>> {
        let path = &self.options.store;
        let failed = |error| disk::failure("read", path, error);
        let mut file = disk::open(path)?;
        let stamp = Stamp::of(&file).map_err(failed)?;
        if let Some((read, content)) = &cache.content
            && *read == stamp
        {
            return Ok(Arc::clone(content));
        }
        disk::check_folder(path)?;
        let mut sealed = Vec::new();
        // What encryption adds is much less than a hundredth.
        file.by_ref()
            .take(cipher::MAX_CONTENT_BYTES + cipher::MAX_CONTENT_BYTES / 100)
            .read_to_end(&mut sealed)
            .map_err(failed)?;
        let known = cache.identity.is_some();
        let mut opened = cipher::open(path, &sealed, &*self.identity(cache)?);
        if known && opened.as_ref().is_err_and(|error| error.code() == Code::WrongKey) {
            // Another process may have changed the key since we read it.
            let (read, _) = cache.identity.as_ref().expect("known");
            let now = disk::open(&self.options.identity).and_then(|file| {
                Stamp::of(&file).map_err(|error| disk::failure("read", &self.options.identity, error))
            })?;
            if *read != now {
                cache.identity = None;
                opened = cipher::open(path, &sealed, &*self.identity(cache)?);
            }
        }
        let content = Arc::new(opened?);
        cache.content = Some((stamp, Arc::clone(&content)));
        Ok(content)
    }

    fn identity(&self, cache: &mut Cache) -> Result<Arc<Identity>> {
        if let Some((_, identity)) = &cache.identity {
            return Ok(Arc::clone(identity));
        }
        disk::check_folder(&self.options.identity)?;
        let Opened { identity, stamp, .. } = Identity::open(&self.options.identity, self.options.passphrase.as_ref())?;
        let identity = Arc::new(identity);
        cache.identity = Some((stamp, Arc::clone(&identity)));
        Ok(identity)
    }

    /// Changes the content in its turn: `change` gets what is there now and the key that opened it, and says whether it
    /// did anything.
    fn update(&self, change: impl FnOnce(&mut Content, &Identity) -> Result<bool>) -> Result<()> {
        // A regular exit in between must not wipe what is being written.
        let _in_use = in_use();
        disk::check_folder(&self.options.store)?;
        let _lock = disk::lock(&self.options.store)?;
        let (current, identity) = {
            let mut cache = self.cache();
            (self.read(&mut cache)?, self.identity(&mut cache)?)
        };
        let mut content = Content::clone(&current);
        if !change(&mut content, &identity)? {
            return Ok(());
        }
        let own = identity.recipients()?;
        if !content.recipients.iter().any(|known| own.contains(known)) {
            // A file made by hand that does not name its own key: a writer never locks itself out.
            content.recipients.insert(0, own[0].clone());
        }
        // Readers go on with what was there while this is written.
        let stamp = self.write(&content)?;
        self.cache().content = stamp.map(|stamp| (stamp, Arc::new(content)));
        Ok(())
    }

    /// Replaces the file; the caller holds the lock. None: written, but the next read must look again.
    fn write(&self, content: &Content) -> Result<Option<Stamp>> {
        let path = &self.options.store;
        let file = disk::replace(path, |out| cipher::seal(path, content, out))?;
        Ok(Stamp::of(&file).ok())
    }
}

impl Store for FileStore {
    fn describe(&self) -> Result<Description> {
        let encrypted = identity::is_encrypted(&self.options.identity).ok();
        let key = self.options.identity.display();
        Ok(Description {
            kind: "file",
            backend: "age".into(),
            location: self.options.store.display().to_string(),
            encryption: match encrypted {
                Some(true) => format!("age (X25519), its key in {key}, encrypted with a passphrase (scrypt)"),
                Some(false) => format!("age (X25519), its key in {key}, protected by the file's mode only"),
                None => format!("age (X25519), its key in {key}, which cannot be read"),
            },
            survives_reboot: true,
            locked: encrypted.map(|encrypted| encrypted && self.cache().identity.is_none()),
            max_value_bytes: MAX_VALUE_BYTES,
        })
    }

    fn get(&self, id: &Id) -> Result<Item> {
        self.content()?.secrets.get(id).map(|stored| stored.item(id)).ok_or_else(|| not_found(id))
    }

    fn get_many(&self, selection: &Selection) -> Result<Vec<Item>> {
        let content = self.content()?;
        Ok(match selection {
            Selection::Ids(ids) => {
                let ids: BTreeSet<_> = ids.iter().collect();
                ids.into_iter().filter_map(|id| Some(content.secrets.get(id)?.item(id))).collect()
            }
            Selection::Pattern(pattern) => content
                .secrets
                .iter()
                .filter(|(id, _)| pattern.matches(id.as_str()))
                .map(|(id, stored)| stored.item(id))
                .collect(),
        })
    }

    fn list(&self, pattern: &Pattern) -> Result<Vec<Info>> {
        let content = self.content()?;
        let matching = content.secrets.iter().filter(|(id, _)| pattern.matches(id.as_str()));
        Ok(matching.map(|(id, stored)| stored.info(id)).collect())
    }

    fn set_many(&self, items: Vec<NewItem>, overwrite: bool) -> Result<()> {
        check_new(&items, MAX_VALUE_BYTES, MAX_METADATA_BYTES)?;
        self.update(|content, _| {
            if let Some(item) = items.iter().find(|item| !overwrite && content.secrets.contains_key(&item.id)) {
                return Err(exists(&item.id));
            }
            let (any, modified) = (!items.is_empty(), content::now());
            for NewItem { id, value, metadata } in items {
                let created = content.secrets.get(&id).map_or(modified, |old| old.created);
                content.secrets.insert(id, Arc::new(Stored { value, metadata, created, modified }));
            }
            Ok(any)
        })
    }

    fn delete(&self, id: &Id) -> Result<()> {
        self.update(|content, _| content.secrets.remove(id).map(|_| true).ok_or_else(|| not_found(id)))
    }

    fn rename(&self, from: &Id, to: &Id, overwrite: bool) -> Result<()> {
        self.update(|content, _| {
            if !content.secrets.contains_key(from) {
                return Err(not_found(from));
            }
            if from == to {
                return Ok(false);
            }
            if !overwrite && content.secrets.contains_key(to) {
                return Err(exists(to));
            }
            if let Some(stored) = content.secrets.remove(from) {
                content.secrets.insert(to.clone(), stored);
            }
            Ok(true)
        })
    }
}

/// What fuzz targets reach.
#[cfg(fuzzing)]
pub mod fuzzing {
    use std::path::Path;
    use std::sync::LazyLock;

    use super::*;

    static IDENTITY: LazyLock<Identity> = LazyLock::new(Identity::generate);

    fn text(content: &Content) -> Vec<u8> {
        let mut text = Vec::new();
        content.write_to(&mut text).expect("memory takes everything");
        text
    }

    /// A content is refused, or comes back from what is written of it.
    pub fn content(bytes: &[u8]) {
        if let Ok(content) = Content::parse(bytes) {
            let written = text(&content);
            let again = Content::parse(&written).expect("what was written is read");
            assert_eq!(content.secrets.len(), again.secrets.len());
            assert_eq!(text(&again), written);
        }
    }

    /// A store file that was written to nobody's key is refused.
    pub fn sealed(bytes: &[u8]) {
        assert!(cipher::open(Path::new("store.age"), bytes, &IDENTITY).is_err());
    }

    /// The text of an identity file is refused or read.
    pub fn identity(bytes: &[u8]) {
        let _ = identity::parse(bytes);
    }
}
