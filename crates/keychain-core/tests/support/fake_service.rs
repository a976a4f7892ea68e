//! A fake Secret Service, for what a real one does rarely or never: prompts that a person answers, locking again
//! between two calls, and malformed secrets. It has one item under the id `a`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aes::cipher::block_padding::{NoPadding, Pkcs7};
use aes::cipher::{Array, BlockModeEncrypt, KeyIvInit};
use hkdf::Hkdf;
use sha2::Sha256;
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, fdo, interface};

const SERVICE: &str = "/org/freedesktop/secrets";
const COLLECTION: &str = "/org/freedesktop/secrets/collection/login";
const ITEM: &str = "/org/freedesktop/secrets/collection/login/1";
const PROMPT: &str = "/org/freedesktop/secrets/prompt/p1";
const SESSION: &str = "/org/freedesktop/secrets/session/s1";

/// What happens when the service is asked to unlock.
#[derive(Clone, Copy, Default)]
pub(crate) enum Unlocking {
    /// It unlocks without asking.
    #[default]
    AtOnce,
    /// It prompts, and the person agrees.
    Agreed,
    /// It prompts, and the person declines.
    Declined,
    /// It neither unlocks nor prompts.
    Refused,
}

/// What is wrong with the secrets that it sends.
#[derive(Clone, Copy, Default)]
pub(crate) enum Flaw {
    #[default]
    None,
    /// They are encrypted in a session of another client.
    OtherSession,
    /// They are not padded.
    Unpadded,
    /// They end in the middle of a block.
    Truncated,
    /// They are empty, without even the padding.
    Empty,
}

/// How the fake behaves, and what was done to it.
#[derive(Default)]
pub(crate) struct Behaviour {
    pub(crate) locked: bool,
    pub(crate) unlocking: Unlocking,
    /// How many of the next reads find the collection locked again.
    pub(crate) relocks: u32,
    pub(crate) flaw: Flaw,
    pub(crate) unlocks: u32,
    pub(crate) prompts: u32,
    /// Whether a writer had its turn while it prompted.
    pub(crate) prompted_in_turn: bool,
    pub(crate) dismissals: u32,
    /// The key of the session.
    pub(crate) key: [u8; 16],
}

type State = Arc<Mutex<Behaviour>>;

/// The fake, for as long as it lives.
pub(crate) struct FakeService {
    pub(crate) state: State,
    _connection: Connection,
}

#[derive(zbus::DBusError, Debug)]
#[zbus(prefix = "org.freedesktop.Secret.Error")]
enum SecretError {
    #[zbus(error)]
    ZBus(zbus::Error),
    IsLocked(String),
}

type Secret = (OwnedObjectPath, Vec<u8>, Vec<u8>, String);

fn path(text: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(text).unwrap()
}

impl FakeService {
    /// Puts the fake on a bus.
    pub(crate) fn start(address: &str, behaviour: Behaviour) -> Self {
        let state = Arc::new(Mutex::new(behaviour));
        let connection = zbus::block_on(async {
            Builder::address(address)?
                .serve_at(SERVICE, Service(state.clone()))?
                .serve_at(COLLECTION, Collection(state.clone()))?
                .serve_at(ITEM, Item(state.clone()))?
                .serve_at(PROMPT, Prompt(state.clone()))?
                .name("org.freedesktop.secrets")?
                .build()
                .await
        });
        Self { state, _connection: connection.unwrap() }
    }
}

impl Behaviour {
    fn read(&mut self) -> Result<Secret, SecretError> {
        if self.relocks > 0 {
            self.relocks -= 1;
            self.locked = true;
        }
        if self.locked {
            return Err(SecretError::IsLocked("the collection is locked".into()));
        }
        let iv = [3; 16];
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&Array::from(self.key), &Array::from(iv));
        let mut value = match self.flaw {
            Flaw::Unpadded => cipher.encrypt_padded_vec::<NoPadding>(&[0; 32]),
            _ => cipher.encrypt_padded_vec::<Pkcs7>(b"sixteen bytes and more"),
        };
        let mut session = SESSION;
        match self.flaw {
            Flaw::None | Flaw::Unpadded => {}
            Flaw::OtherSession => session = "/org/freedesktop/secrets/session/s2",
            Flaw::Truncated => value.truncate(20),
            Flaw::Empty => value.clear(),
        }
        Ok((path(session), iv.to_vec(), value, "text/plain".into()))
    }
}

struct Service(State);

#[interface(name = "org.freedesktop.Secret.Service")]
impl Service {
    /// The exponent of this side is 1: its number is the generator, and the shared secret is what the client sent.
    fn open_session(&self, algorithm: &str, input: Value<'_>) -> fdo::Result<(OwnedValue, OwnedObjectPath)> {
        if algorithm == "plain" {
            return Ok((Value::from("").try_to_owned().unwrap(), path("/org/freedesktop/secrets/session/plain")));
        }
        let shared = Vec::<u8>::try_from(input).unwrap();
        assert_eq!(shared.len(), 128);
        Hkdf::<Sha256>::new(None, &shared).expand(&[], &mut self.0.lock().unwrap().key).unwrap();
        Ok((Value::from(vec![2_u8]).try_to_owned().unwrap(), path(SESSION)))
    }

    fn read_alias(&self, _name: &str) -> OwnedObjectPath {
        path(COLLECTION)
    }

    fn unlock(&self, objects: Vec<OwnedObjectPath>) -> (Vec<OwnedObjectPath>, OwnedObjectPath) {
        let mut state = self.0.lock().unwrap();
        state.unlocks += 1;
        match state.unlocking {
            Unlocking::AtOnce => {
                state.locked = false;
                (objects, path("/"))
            }
            Unlocking::Agreed | Unlocking::Declined => (Vec::new(), path(PROMPT)),
            Unlocking::Refused => (Vec::new(), path("/")),
        }
    }

    fn get_secrets(
        &self,
        items: Vec<OwnedObjectPath>,
        _session: OwnedObjectPath,
    ) -> Result<HashMap<OwnedObjectPath, Secret>, SecretError> {
        let mut state = self.0.lock().unwrap();
        // Like gnome-keyring, it leaves out what is locked.
        match state.read() {
            Ok(secret) => Ok(items.into_iter().map(|item| (item, secret.clone())).collect()),
            Err(_) => Ok(HashMap::new()),
        }
    }

    #[zbus(property)]
    fn collections(&self) -> Vec<OwnedObjectPath> {
        vec![path(COLLECTION)]
    }
}

struct Collection(State);

#[interface(name = "org.freedesktop.Secret.Collection")]
impl Collection {
    fn search_items(&self, attributes: HashMap<String, String>) -> Vec<OwnedObjectPath> {
        if attributes.get("id").is_none_or(|id| id == "a") { vec![path(ITEM)] } else { Vec::new() }
    }

    #[zbus(property)]
    fn locked(&self) -> bool {
        self.0.lock().unwrap().locked
    }
}

struct Item(State);

#[interface(name = "org.freedesktop.Secret.Item")]
impl Item {
    fn delete(&self) -> Result<OwnedObjectPath, SecretError> {
        self.0.lock().unwrap().read().map(|_| path("/"))
    }

    fn get_secret(&self, _session: ObjectPath<'_>) -> Result<(Secret,), SecretError> {
        Ok((self.0.lock().unwrap().read()?,))
    }

    #[zbus(property)]
    fn attributes(&self) -> HashMap<String, String> {
        let pairs = [("service:group", "com.docker.docker-pass"), ("service:name", "docker-pass-cli"), ("id", "a")];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[zbus(property)]
    fn label(&self) -> String {
        "com.docker.docker-pass:docker-pass-cli:a".into()
    }
}

struct Prompt(State);

#[interface(name = "org.freedesktop.Secret.Prompt")]
impl Prompt {
    async fn prompt(&self, _window: &str, #[zbus(signal_emitter)] emitter: SignalEmitter<'_>) -> fdo::Result<()> {
        let bus = fdo::DBusProxy::new(emitter.connection()).await?;
        let in_turn = bus.name_has_owner("dev.se_native.KeyringWriter".try_into().unwrap()).await?;
        let dismissed = {
            let mut state = self.0.lock().unwrap();
            state.prompted_in_turn |= in_turn;
            state.prompts += 1;
            let dismissed = !matches!(state.unlocking, Unlocking::Agreed);
            state.locked &= dismissed;
            dismissed
        };
        Self::completed(&emitter, dismissed, Value::from(vec![path(COLLECTION)])).await?;
        Ok(())
    }

    fn dismiss(&self) {
        self.0.lock().unwrap().dismissals += 1;
    }

    #[zbus(signal)]
    async fn completed(emitter: &SignalEmitter<'_>, dismissed: bool, result: Value<'_>) -> zbus::Result<()>;
}
