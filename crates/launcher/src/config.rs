//! The configuration as far as a client of a daemon needs it: variables, then `config.toml`, then defaults. All of the file
//! is checked, as `src/config` does, which alone tells what is wrong. A file with a brace is left to it: TOML 1.1, which is read
//! here, lets lines end inside of inline tables where its parser does not.

mod tables;

use crate::files;
use crate::paths;
use crate::start::Start;

use toml::{Table, Value};

/// The longest time limit: a day.
const MAX_TIMEOUT_MS: u64 = 86_400_000;
/// Settings that are paths: key and variable.
const PATHS: [(&str, &str); 3] =
    [("store_path", "SE_STORE_PATH"), ("identity", "SE_IDENTITY"), ("passphrase_file", "SE_PASSPHRASE_FILE")];

/// What is configured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// `config.toml`, or what `SE_CONFIG` names.
    pub(crate) file: String,
    /// The kind of the chosen store.
    pub(crate) store: String,
    /// The encrypted file.
    pub(crate) store_path: String,
    /// The time limit of a request, when one is set.
    pub(crate) timeout_ms: Option<u64>,
}

/// Reads the configuration. None: something is wrong with it, or unusual.
pub(crate) fn read(start: Start) -> Option<Config> {
    let file = match start.text("SE_CONFIG")? {
        "" => paths::default_config_file(start)?,
        named => paths::absolute(start, named, None)?,
    };
    let found = files::read(&file)?;
    let mut settings = match &found {
        None => Table::new(),
        Some(found) if found.text.contains('{') => return None,
        Some(found) => found.text.parse().ok()?,
    };
    let tables = ["plugins", "daemon"].map(|name| settings.remove(name));
    if tables.iter().any(Option::is_some) {
        let found = found.as_ref()?;
        // SAFETY: cannot fail.
        let uid = unsafe { libc::getuid() };
        // It says which programs run and who may ask.
        if (found.uid != uid && found.uid != 0) || found.mode & 0o022 != 0 {
            return None;
        }
        let [plugins, daemon] = &tables;
        tables::check(plugins.as_ref(), daemon.as_ref())?;
    }
    let folder = file.rsplit_once('/').map(|(folder, _)| if folder.is_empty() { "/" } else { folder })?;

    let mut store_path = None;
    for (key, variable) in PATHS {
        let (text, from) = match (start.text(variable)?, settings.remove(key)) {
            ("", None) => continue,
            ("", Some(Value::String(text))) if !text.is_empty() && !text.contains('\0') => (text, Some(folder)),
            ("", Some(_)) => return None,
            (text, _) => (text.to_owned(), None),
        };
        let path = paths::absolute(start, &text, from)?;
        if key == "store_path" {
            store_path = Some(path);
        }
    }
    let store = match (start.text("SE_STORE")?, settings.remove("store")) {
        ("", None) => "keychain".to_owned(),
        ("", Some(Value::String(kind))) => kind,
        ("", Some(_)) => return None,
        (kind, _) => kind.to_owned(),
    };
    let timeout_ms = match (start.text("SE_TIMEOUT_MS")?, settings.remove("timeout_ms")) {
        ("", None) => None,
        ("", Some(Value::Integer(number))) => Some(u64::try_from(number).ok()?),
        ("", Some(_)) => return None,
        (text, _) if text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()) => Some(text.parse().ok()?),
        _ => return None,
    };
    if !matches!(store.as_str(), "keychain" | "file")
        || timeout_ms.is_some_and(|ms| !(1..=MAX_TIMEOUT_MS).contains(&ms))
    {
        return None;
    }
    // What is left has a key that is none.
    if !settings.is_empty() {
        return None;
    }
    let store_path = store_path.map_or_else(|| paths::default_store_file(start), Some)?;
    Some(Config { file, store, store_path, timeout_ms })
}
