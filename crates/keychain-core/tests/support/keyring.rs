//! A real gnome-keyring on a private bus, by `scripts/with-keyring.sh`, which proves which daemon answers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use keychain_core::keychain::{self, KeychainOptions};
use keychain_core::{Result, Store};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/with-keyring.sh");
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";

/// A bus, and what `scripts/with-keyring.sh` puts on it. Ends when dropped, and with this process.
pub(crate) struct Keyring {
    holder: Child,
    environment: HashMap<String, String>,
}

/// Why this machine cannot run a keyring. Where `SE_REQUIRE` names `keyring`, as in CI, that is a failure.
fn missing() -> Option<&'static str> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let missing = MISSING.get_or_init(|| {
        let tried = Command::new(SCRIPT).args(["--no-service", "--", "true"]).output().unwrap();
        if tried.status.success() {
            return None;
        }
        let reason = String::from_utf8_lossy(&tried.stderr).into_owned();
        let required = std::env::var("SE_REQUIRE").unwrap_or_default();
        assert!(!required.split([',', ' ']).any(|name| name == "keyring"), "a keyring is required: {reason}");
        // Straight to standard error, which the test harness does not hold back.
        let _shown = writeln!(std::io::stderr(), "tests on a real keyring are skipped: {reason}");
        Some(reason)
    });
    missing.as_deref()
}

impl Keyring {
    /// Starts a variant: see the script. None when this machine cannot, which has been said then.
    pub(crate) fn start(variant: &str) -> Option<Self> {
        if missing().is_some() {
            return None;
        }
        // The held command writes its environment, then waits for the end of its standard input, which is ours.
        let mut holder = Command::new(SCRIPT)
            .args([&format!("--{variant}"), "--", "sh", "-c", "env && echo && cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut environment = HashMap::new();
        for line in BufReader::new(holder.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line.is_empty() {
                return Some(Self { holder, environment });
            }
            if let Some((name, value)) = line.split_once('=') {
                environment.insert(name.to_owned(), value.to_owned());
            }
        }
        panic!("the keyring did not start: {}", holder.wait().unwrap());
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        &self.environment[name]
    }

    pub(crate) fn address(&self) -> &str {
        self.variable("DBUS_SESSION_BUS_ADDRESS")
    }

    /// Opens a store that may not ask a person.
    pub(crate) fn open(&self) -> Box<dyn Store> {
        self.try_open(KeychainOptions { interactive: false, ..KeychainOptions::default() }).unwrap()
    }

    pub(crate) fn try_open(&self, options: KeychainOptions) -> Result<Box<dyn Store>> {
        keychain::open_on_bus(self.address(), options)
    }

    /// Runs a program on this bus, feeds it and answers with its standard output; it must succeed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let (success, output) = self.try_run(program, arguments, input);
        assert!(success, "{program} {arguments:?} failed");
        output
    }

    pub(crate) fn try_run(&self, program: &str, arguments: &[&str], input: &[u8]) -> (bool, Vec<u8>) {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.success(), output.stdout)
    }

    /// Calls a method of the service.
    pub(crate) fn call(&self, path: &str, method: &str, arguments: &[&str]) -> String {
        let fixed = ["--session", "--print-reply=literal", "--dest=org.freedesktop.secrets", path, method];
        String::from_utf8(self.run("dbus-send", &[&fixed, arguments].concat(), b"")).unwrap()
    }

    pub(crate) fn lock(&self) {
        let collections = format!("array:objpath:{LOGIN}");
        self.call("/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock", &[&collections]);
    }

    /// Unlocks `login` as PAM does, over gnome-keyring's control socket: a byte for the credentials, then length,
    /// operation (1 = unlock), length of the password and the password; the answer is length and result.
    pub(crate) fn unlock(&self) {
        let password = self.variable("SE_KEYRING_PASSWORD").as_bytes();
        let length = u32::try_from(password.len()).unwrap();
        let mut request = vec![0];
        for number in [12 + length, 1, length] {
            request.extend(number.to_be_bytes());
        }
        request.extend(password);
        let socket = Path::new(self.variable("XDG_RUNTIME_DIR")).join("keyring/control");
        let mut socket = UnixStream::connect(socket).unwrap();
        socket.write_all(&request).unwrap();
        let mut answer = [0; 8];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0, 0, 0, 8, 0, 0, 0, 0], "gnome-keyring refused to unlock");
    }

    /// The paths of the items with these attributes.
    pub(crate) fn items(&self, attributes: &[(&str, &str)]) -> Vec<String> {
        let pairs: Vec<_> = attributes.iter().map(|(name, value)| format!("{name},{value}")).collect();
        let dictionary = format!("dict:string:string:{}", pairs.join(","));
        let found = self.call(LOGIN, "org.freedesktop.Secret.Collection.SearchItems", &[&dictionary]);
        let paths = found.split_whitespace().filter(|word| word.starts_with('/'));
        paths.map(|path| path.trim_matches(['[', ']', ',']).to_owned()).collect()
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ended = self.holder.wait();
    }
}
