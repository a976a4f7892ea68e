//! The encrypted file on disks that are full, read-only, or another user's. These need root.
#![cfg(target_os = "linux")]

#[path = "support/file_place.rs"]
mod file_place;
#[path = "contract/items.rs"]
mod items;

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use file_place::Place;
use items::{id, new_item};
use keychain_core::file::{self, FileOptions};
use keychain_core::{Code, Error};

/// A small file system in memory, on the folder of a place.
struct Mount<'a>(&'a Path);

/// Runs a command as root, or by `sudo` where that asks nothing. Answers whether it could, and fails where CI requires it.
#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn as_root(command: &[&str]) -> bool {
    let sudo: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["sudo", "-n"] };
    let words = [sudo, command].concat();
    if Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success()) {
        return true;
    }
    let required = std::env::var("SE_REQUIRE").is_ok_and(|names| names.split(',').any(|name| name == "root"));
    assert!(!required, "SE_REQUIRE=root, and `{}` failed", words.join(" "));
    eprintln!("left out: `{}` needs root", words.join(" "));
    false
}

impl<'a> Mount<'a> {
    fn new(folder: &'a Path) -> Option<Self> {
        let options = format!("size=256k,mode=0700,uid={}", rustix::process::getuid().as_raw());
        as_root(&["mount", "-t", "tmpfs", "-o", &options, "tmpfs", folder.to_str().unwrap()]).then_some(Self(folder))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        assert!(as_root(&["umount", "--lazy", self.0.to_str().unwrap()]));
    }
}

fn options_in(folder: &Path) -> FileOptions {
    FileOptions { store: folder.join("store.age"), identity: folder.join("identity.age"), passphrase: None }
}

#[test]
fn a_full_disk_leaves_what_was_stored_and_no_temporary_file() {
    let place = Place::empty();
    let folder = place.folder.path();
    let Some(_mount) = Mount::new(folder) else { return };
    let options = options_in(folder);
    file::create(&options, None).unwrap();
    let store = file::open(options.clone()).unwrap();
    store.set_many(vec![new_item("a", b"old")], false).unwrap();
    let error: Error = store.set_many(vec![new_item("a", &vec![b'x'; 300_000])], true).unwrap_err();
    assert_eq!(error.code(), Code::StoreFailure);
    assert!(error.to_string().contains("the disk is full") && error.hint().is_some());
    assert!(!folder.join(".store.age.tmp").exists());
    assert_eq!(store.get(&id("a")).unwrap().value.as_bytes(), b"old");
    assert_eq!(file::open(options).unwrap().get(&id("a")).unwrap().value.as_bytes(), b"old");
    store.set_many(vec![new_item("b", b"small")], false).unwrap();
}

#[test]
fn a_read_only_disk_is_read_and_refuses_to_be_written() {
    let place = Place::empty();
    let folder = place.folder.path();
    let Some(_mount) = Mount::new(folder) else { return };
    let options = options_in(folder);
    file::create(&options, None).unwrap();
    let store = file::open(options.clone()).unwrap();
    store.set_many(vec![new_item("a", b"v")], false).unwrap();
    assert!(as_root(&["mount", "-o", "remount,ro", folder.to_str().unwrap()]));
    assert_eq!(store.set_many(vec![new_item("b", b"v")], false).unwrap_err().code(), Code::AccessDenied);
    assert_eq!(store.delete(&id("a")).unwrap_err().code(), Code::AccessDenied);
    assert_eq!(file::rotate_key(&options).unwrap_err().code(), Code::AccessDenied);
    assert_eq!(file::open(options).unwrap().get(&id("a")).unwrap().value.as_bytes(), b"v");
}

/// Only root can give files away: for other users there is nothing to hold.
#[test]
fn what_root_writes_for_another_user_stays_that_users() {
    let place = Place::new();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let names = ["store.age", "identity.age", "store.age.lock"].map(|name| place.folder.path().join(name));
    fs::remove_file(&names[2]).unwrap();
    for path in &names[..2] {
        chown(path, Some(65534), Some(65534)).unwrap();
    }
    place.open().set_many(vec![new_item("a", b"v")], false).unwrap();
    file::rotate_key(&place.options()).unwrap();
    for path in names {
        assert_eq!(fs::metadata(&path).unwrap().uid(), 65534, "{}", path.display());
    }
}
