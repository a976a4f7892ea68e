//! Files at paths: how they come, and how they go, whatever is killed.
#![cfg(target_os = "linux")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keychain_core::{Code, SecretBytes};
use process_core::{Access, PathFile, PlacedFiles, WatcherProgram, sweep, watch};
use tempfile::TempDir;

/// A folder in memory, and one for records.
struct Folders {
    memory: TempDir,
    records: TempDir,
}

impl Folders {
    fn new() -> Self {
        let memory = tempfile::Builder::new().prefix("se-test-").tempdir_in("/dev/shm").unwrap();
        Self { memory, records: TempDir::new().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.memory.path().join(name)
    }

    fn records(&self) -> usize {
        fs::read_dir(self.records.path()).unwrap().count()
    }

    fn place(&self, files: &[PathFile]) -> keychain_core::Result<PlacedFiles> {
        PlacedFiles::place(files, self.records.path(), &program("acts_as_the_watcher"))
    }

    /// A process that has put a file in its place, and waits.
    fn holder(&self, name: &str) -> Holder {
        let WatcherProgram { path, arguments } = program("acts_as_the_holder");
        let mut child = Command::new(path)
            .args(arguments)
            .env("HOLDER_PATH", self.path(name))
            .env("HOLDER_RECORDS", self.records.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().ends_with("placed")).unwrap().unwrap();
        Holder(child)
    }
}

struct Holder(Child);

impl Holder {
    /// The one process that it has started.
    fn watcher(&self) -> i32 {
        let id = self.0.id();
        let children = fs::read_dir(format!("/proc/{id}/task")).unwrap().flat_map(|task| {
            let text = fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
            text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<i32>>()
        });
        children.last().unwrap()
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn send(pid: i32, signal: i32) {
    // SAFETY: integers; the process is the test's own.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

/// This test program as another: it runs one of the functions at the end of this file.
fn program(function: &str) -> WatcherProgram {
    let arguments = ["--ignored", "--exact", "--nocapture", function].map(Into::into).into();
    WatcherProgram { path: std::env::current_exe().unwrap(), arguments }
}

fn file(path: PathBuf, value: &[u8]) -> PathFile {
    PathFile { path, access: Access::new(0o400, None).unwrap(), value: SecretBytes::copy_from(value) }
}

/// Waits until something is so. What is waited for here tells nobody when it comes.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn problems(path: &Path) -> Vec<(Code, String)> {
    let all = PathFile::problems(path, &Access::new(0o400, None).unwrap());
    all.into_iter().map(|problem| (problem.code(), problem.to_string())).collect()
}

#[test]
fn a_file_is_there_whole_and_private_until_it_is_removed() {
    let folders = Folders::new();
    let value: Vec<u8> = (0..1 << 20).map(|byte: u32| byte as u8).collect();
    let path = folders.path("key");
    let files = [file(path.clone(), &value), file(folders.path("empty"), b"")];
    let placed = folders.place(&files).unwrap();
    assert_eq!(fs::read(&path).unwrap(), value);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o400);
    assert_eq!(fs::read(folders.path("empty")).unwrap(), b"");
    assert_eq!(folders.records(), 1);
    placed.remove().unwrap();
    assert_eq!(fs::read_dir(folders.memory.path()).unwrap().count(), 0);
    assert_eq!(folders.records(), 0);
}

#[test]
fn the_record_holds_no_value_and_only_its_user_reads_it() {
    let folders = Folders::new();
    let _placed = folders.place(&[file(folders.path("key"), b"canary-7f31")]).unwrap();
    let record = fs::read_dir(folders.records.path()).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains(folders.path("key").to_str().unwrap()) && !text.contains("canary"), "{text}");
    assert_eq!(fs::metadata(&record).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_is_open_shows_nothing_any_more_when_it_is_removed() {
    let folders = Folders::new();
    let placed = folders.place(&[file(folders.path("key"), b"value")]).unwrap();
    let mut open = fs::File::open(folders.path("key")).unwrap();
    placed.remove().unwrap();
    let mut text = Vec::new();
    open.read_to_end(&mut text).unwrap();
    assert_eq!(text, [0; 5]);
}

#[test]
fn nothing_is_ever_replaced() {
    let folders = Folders::new();
    let path = folders.path("mine");
    fs::write(&path, "mine").unwrap();
    symlink("nowhere", folders.path("link")).unwrap();
    for taken in ["mine", "link"] {
        let error = folders.place(&[file(folders.path("first"), b"x"), file(folders.path(taken), b"x")]).unwrap_err();
        assert_eq!(error.code(), Code::Exists);
        assert_eq!(error.to_string(), format!("{} is there already", folders.path(taken).display()));
        assert_eq!(problems(&folders.path(taken)).len(), 1);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(fs::read_dir(folders.memory.path()).unwrap().count(), 2);
    assert_eq!(folders.records(), 0);
}

#[test]
fn a_place_on_a_disk_is_refused_with_one_in_memory() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("key");
    let all = PathFile::problems(&path, &Access::new(0o400, None).unwrap());
    assert_eq!(all[0].code(), Code::InvalidOption);
    assert!(all[0].to_string().contains("is on a disk"));
    assert!(all[0].hint().unwrap().starts_with("give it a path in /"), "{:?}", all[0].hint());
}

#[test]
fn a_folder_that_is_not_there_or_where_others_may_replace_files_is_refused() {
    let folders = Folders::new();
    assert_eq!(problems(&folders.path("none/key"))[0].0, Code::InvalidOption);
    fs::write(folders.path("file"), "").unwrap();
    assert_eq!(problems(&folders.path("file/key"))[0].0, Code::InvalidOption);
    fs::set_permissions(folders.memory.path(), Permissions::from_mode(0o777)).unwrap();
    assert_eq!(problems(&folders.path("key"))[0].0, Code::LaxMode);
    fs::set_permissions(folders.memory.path(), Permissions::from_mode(0o1777)).unwrap();
    assert_eq!(problems(&folders.path("key")), []);
}

#[test]
fn a_path_that_is_too_long_is_refused_before_there_is_a_record() {
    let folders = Folders::new();
    let name = folders.path(&"a".repeat(256));
    let in_a_folder = folders.path(&format!("{}/key", "a".repeat(256)));
    // Each name is short enough, and so is the path of the folder.
    let mut whole = folders.path("x");
    while whole.as_os_str().len() < 4090 {
        whole = whole.join("b".repeat(200.min(4090 - whole.as_os_str().len())));
    }
    fs::create_dir_all(&whole).unwrap();
    for path in [name, in_a_folder, whole.join("c".repeat(20))] {
        let all = PathFile::problems(&path, &Access::new(0o400, None).unwrap());
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].code(), all[0].hint()), (Code::InvalidOption, Some("give another path")));
        assert!(all[0].to_string().ends_with(": file name too long"), "{}", all[0]);
        assert_eq!(folders.place(&[file(path, b"value")]).unwrap_err().code(), Code::InvalidOption);
    }
    assert_eq!(folders.records(), 0);
    assert_eq!(problems(&folders.path(&"a".repeat(255))), []);
}

#[test]
fn a_record_of_what_cannot_be_there_goes() {
    let folders = Folders::new();
    let mut killed = folders.holder("key");
    send(killed.watcher(), libc::SIGKILL);
    killed.kill();
    let record = fs::read_dir(folders.records.path()).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, format!("{text}1 2 3 4 {}\n", folders.path(&"a".repeat(256)).display())).unwrap();
    sweep(folders.records.path()).unwrap();
    assert!(!folders.path("key").exists());
    assert_eq!(folders.records(), 0);
}

#[test]
fn what_another_file_took_the_place_of_stays() {
    let folders = Folders::new();
    let path = folders.path("key");
    let placed = folders.place(&[file(path.clone(), b"value")]).unwrap();
    fs::write(folders.path("new"), "theirs").unwrap();
    fs::rename(folders.path("new"), &path).unwrap();
    placed.remove().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn what_went_elsewhere_is_overwritten_there() {
    let folders = Folders::new();
    fs::create_dir(folders.path("before")).unwrap();
    let placed = folders.place(&[file(folders.path("before/key"), b"value")]).unwrap();
    fs::rename(folders.path("before"), folders.path("after")).unwrap();
    placed.remove().unwrap();
    assert_eq!(fs::read(folders.path("after/key")).unwrap(), [0; 5]);
}

#[test]
fn the_watcher_removes_what_a_killed_process_left() {
    let folders = Folders::new();
    let mut holder = folders.holder("key");
    assert_eq!(fs::read_to_string(folders.path("key")).unwrap(), "value");
    let watcher = holder.watcher();
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGTSTP] {
        send(watcher, signal);
    }
    let state = |name| {
        let text = fs::read_to_string(format!("/proc/{watcher}/stat")).unwrap();
        text.rsplit(')').next().unwrap().split_whitespace().nth(name).unwrap().to_owned()
    };
    assert_eq!(state(3), watcher.to_string(), "its session");
    assert_eq!(fs::read(format!("/proc/{watcher}/environ")).unwrap(), b"");
    holder.kill();
    until("the file goes", || !folders.path("key").exists());
    until("the record goes", || folders.records() == 0);
    until("the watcher ends", || !Path::new(&format!("/proc/{watcher}/environ")).exists() || is_zombie(watcher));
}

fn is_zombie(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| text.contains(") Z "))
}

#[test]
fn a_sweep_removes_what_is_left_when_the_watcher_was_killed_too_and_nothing_else() {
    let folders = Folders::new();
    let (mut killed, alive) = (folders.holder("killed"), folders.holder("alive"));
    let mut replaced = folders.holder("replaced");
    for holder in [&mut killed, &mut replaced] {
        send(holder.watcher(), libc::SIGKILL);
        holder.kill();
    }
    fs::remove_file(folders.path("replaced")).unwrap();
    fs::write(folders.path("replaced"), "theirs").unwrap();
    assert_eq!(folders.records(), 3);
    sweep(folders.records.path()).unwrap();
    assert!(!folders.path("killed").exists());
    assert_eq!(fs::read_to_string(folders.path("replaced")).unwrap(), "theirs");
    assert_eq!(fs::read_to_string(folders.path("alive")).unwrap(), "value");
    assert_eq!(folders.records(), 1);
    drop(alive.0);
}

#[test]
fn what_is_no_record_is_not_removed() {
    let folders = Folders::new();
    let path = folders.records.path().join("notes");
    for text in ["mine", "se-files", "\n"] {
        fs::write(&path, text).unwrap();
        watch(&path).unwrap();
        sweep(folders.records.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_sweep_follows_no_link() {
    let folders = Folders::new();
    let mut killed = folders.holder("key");
    send(killed.watcher(), libc::SIGKILL);
    killed.kill();
    let link = folders.path("records");
    symlink(folders.records.path(), &link).unwrap();
    sweep(&link).unwrap();
    assert!(folders.path("key").exists());
    sweep(folders.records.path()).unwrap();
    assert!(!folders.path("key").exists());
}

#[test]
fn a_sweep_of_a_folder_that_is_not_there_is_nothing() {
    sweep(Path::new("/no/such/folder")).unwrap();
}

#[test]
fn a_watcher_that_cannot_be_started_is_a_failure_before_there_is_a_file() {
    let folders = Folders::new();
    let program = WatcherProgram { path: "/no/such/program".into(), arguments: Vec::new() };
    let files = [file(folders.path("key"), b"value")];
    let error = PlacedFiles::place(&files, folders.records.path(), &program).unwrap_err();
    assert_eq!(error.code(), Code::OutputFailure);
    assert_eq!(fs::read_dir(folders.memory.path()).unwrap().count(), 0);
    assert_eq!(folders.records(), 0);
}

#[test]
#[ignore = "run by the other tests here, as a process of its own"]
fn acts_as_the_watcher() {
    watch(Path::new(&std::env::args_os().next_back().unwrap())).unwrap();
}

#[test]
#[ignore = "run by the other tests here, as a process of its own"]
fn acts_as_the_holder() {
    let [path, records] = ["HOLDER_PATH", "HOLDER_RECORDS"].map(|name| PathBuf::from(std::env::var_os(name).unwrap()));
    let placed = PlacedFiles::place(&[file(path, b"value")], &records, &program("acts_as_the_watcher")).unwrap();
    std::io::stdout().write_all(b"placed\n").unwrap();
    std::io::stdout().flush().unwrap();
    // Until the tests end, or kill it.
    let _ = std::io::stdin().read(&mut [0]);
    placed.remove().unwrap();
    // Nobody reads what the harness would print.
    std::process::exit(0);
}
