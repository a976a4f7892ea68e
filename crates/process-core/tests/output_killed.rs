//! A file that is written when its writer is killed, at each of its system calls in turn: of a new file nothing is left, or
//! all of it under its name; of one that is replaced, the old or the new content, and beside it nothing but at the rename.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Longer than what one `write` of the C library would hold back.
const VALUE: &[u8] = &[b'v'; 100_000];
const OLD: &[u8] = b"old";

/// All that touches a file, under the names that it has on one machine or another. Each is counted by itself.
const CALLS: [&str; 7] =
    ["openat", "write", "fsync", "linkat", "?rename,?renameat,?renameat2", "?unlink,?unlinkat", "close"];

/// How many of each the writer makes for nothing: strace counts those of each thread, and its others make fewer.
const FOR_NOTHING: usize = 200;

/// How the writer ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    Killed,
    Well,
    Otherwise(Option<i32>),
}

/// Writes the file in a process of its own, below strace, which does what `inject` says. `of` limits it to calls on a path.
fn write(path: &Path, inject: &str, of: Option<&Path>) -> Ended {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}")]);
    if let Some(of) = of {
        strace.arg("-P").arg(of);
    }
    strace.arg(std::env::current_exe().unwrap());
    strace.args(["--ignored", "--exact", "--nocapture", "acts_as_the_writer"]);
    let status = strace.env("WRITER_PATH", path).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::Well,
        (_, Some(libc::SIGKILL)) | (Some(137), _) => Ended::Killed,
        (code, _) => Ended::Otherwise(code),
    }
}

/// Whether it can be tested here. Where `SE_REQUIRE` is set, as in CI, it must.
fn can_inject() -> bool {
    let can =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success());
    assert!(can || std::env::var_os("SE_REQUIRE").is_none(), "strace is required");
    can
}

/// The names in a folder, each with its content, and the mode that a whole value has.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let content = fs::read(&path).unwrap();
        if content != OLD {
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        }
        (path.file_name().unwrap().to_str().unwrap().to_owned(), content)
    });
    entries.collect()
}

/// Kills the writer at each call in turn, and answers with what was left each time.
fn killed_at_each(old: Option<&[u8]>) -> Vec<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::new();
    for call in CALLS {
        for when in FOR_NOTHING + 1.. {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("key");
            old.into_iter().for_each(|old| fs::write(&path, old).unwrap());
            let ended = write(&path, &format!("{call}:signal=KILL:when={when}"), None);
            if ended == Ended::Well {
                break;
            }
            assert_eq!(ended, Ended::Killed);
            all.push(contents(folder.path()));
        }
    }
    all
}

#[test]
fn a_new_file_is_not_there_or_whole_whenever_its_writer_is_killed() {
    if !can_inject() {
        return;
    }
    let whole = vec![("key".to_owned(), VALUE.to_vec())];
    let all = killed_at_each(None);
    // At the open, the write, the sync and the link; then when it is closed, and when the folder is synced.
    assert_eq!(all.iter().filter(|left| left.is_empty()).count(), 4);
    assert_eq!(all.iter().filter(|left| **left == whole).count(), 4);
    assert_eq!(all.len(), 8, "another name, or a part");
}

#[test]
fn a_file_is_replaced_or_as_it_was_and_beside_it_is_nothing_but_at_the_rename() {
    if !can_inject() {
        return;
    }
    let all = killed_at_each(Some(OLD));
    // As above, with two links and a rename.
    assert_eq!(all.len(), 10);
    let beside: Vec<_> = all.iter().filter(|left| left.len() > 1).collect();
    for left in &all {
        let (_, content) = left.iter().find(|(name, _)| name == "key").unwrap();
        assert!(content == OLD || content == VALUE, "a part");
    }
    assert_eq!(beside.len(), 1, "the rename");
    for (name, content) in beside.into_iter().flatten() {
        assert!(content == if name == "key" { OLD } else { VALUE }, "{name}");
    }
}

#[test]
fn where_no_file_without_a_name_can_be_made_or_named_it_is_written_all_the_same() {
    if !can_inject() {
        return;
    }
    for old in [None, Some(OLD)] {
        for error in ["EOPNOTSUPP", "EISDIR", "EINVAL", "ENOENT", "EPERM"] {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("key");
            old.into_iter().for_each(|old| fs::write(&path, old).unwrap());
            // The first open of the folder itself is that of the file; the second is for the sync.
            let unnamed = format!("openat:error={error}:when=1");
            for (inject, of) in [(unnamed, Some(folder.path())), (format!("linkat:error={error}"), None)] {
                assert_eq!(write(&path, &inject, of), Ended::Well, "{inject}");
                assert_eq!(contents(folder.path()), [("key".to_owned(), VALUE.to_vec())], "{inject}");
                old.map_or_else(|| fs::remove_file(&path), |old| fs::write(&path, old)).unwrap();
            }
        }
    }
}

#[test]
#[ignore = "run by the other tests here, as a process of its own"]
fn acts_as_the_writer() {
    for _ in 0..FOR_NOTHING {
        let mut nothing = fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
        nothing.write_all(b"x").unwrap();
        nothing.sync_all().unwrap_err();
        fs::hard_link("", "").unwrap_err();
        fs::rename("", "").unwrap_err();
        fs::remove_file("").unwrap_err();
    }
    process_core::write_file(Path::new(&std::env::var_os("WRITER_PATH").unwrap()), VALUE).unwrap();
    // Nobody reads what the harness would print.
    std::process::exit(0);
}
