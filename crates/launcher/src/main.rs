//! The program behind `se`: `se run`, `se get` and `se redact` through a daemon that runs, without Node; and the parent that
//! a command keeps where its output is masked or files are there for it.
//!
//! Only what goes well is done here. Whatever else there is (a flag, a variable, a line of a file or an answer that is not
//! the usual one, any failure, any panic) is handed over: this process becomes Node with the JavaScript command line, with
//! the same words and environment, as long as nothing was consumed, printed or started. So every report is JavaScript's.
//!
//! Nothing of the process is changed on the way, so that a command gets signals, limits and descriptors as they were. That
//! is why there is no `main` of Rust's own, whose start ignores SIGPIPE and opens /dev/null where a standard stream is
//! closed. Every descriptor that is opened is close-on-exec.
#![cfg_attr(all(unix, not(test)), no_main)]
#![cfg_attr(test, allow(dead_code, reason = "the tests have a main of their own"))]

#[cfg(unix)]
mod arguments;
#[cfg(unix)]
mod config;
#[cfg(unix)]
mod daemon;
#[cfg(unix)]
mod env_file;
#[cfg(unix)]
mod files;
#[cfg(unix)]
mod get;
#[cfg(unix)]
mod groups;
#[cfg(unix)]
mod hand_over;
#[cfg(unix)]
mod memory_files;
#[cfg(unix)]
mod output;
#[cfg(unix)]
mod paths;
#[cfg(unix)]
mod redact;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod request;
#[cfg(unix)]
mod resolve;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod start;
#[cfg(unix)]
mod supervise;

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Called by the C library, with what the system put on the stack.
#[cfg(all(unix, not(test)))]
#[unsafe(no_mangle)]
extern "C" fn main(count: libc::c_int, arguments: *const *const libc::c_char) -> libc::c_int {
    // SAFETY: this is what the C library promises about the arguments of `main`.
    let start = unsafe { start::Start::new(count, arguments) };
    attempt(start).unwrap_or_else(|| hand_over::hand_over(start))
}

/// Does the command, and answers with its status. None: it is to be handed over.
#[cfg(unix)]
fn attempt(start: start::Start) -> Option<libc::c_int> {
    if start.is_docker_pass() {
        return None;
    }
    let (command, words) = start.arguments.get(1..)?.split_first()?;
    // From JavaScript, which has resolved everything, and from itself: nothing of these is ever handed over.
    if command.to_bytes() == b"__supervise" {
        return Some(supervise::run(start, words));
    }
    if command.to_bytes() == process_core::supervise::WATCH.as_bytes() {
        return Some(supervise::watch(words));
    }
    std::panic::set_hook(Box::new(move |_| hand_over::hand_over(start)));
    match command.to_bytes() {
        b"run" => run::run(start, words),
        b"get" => get::get(start, words),
        b"redact" => redact::redact(start, words),
        _ => None,
    }
}

/// Windows has no exec: there the program is JavaScript's, and this one is not shipped.
#[cfg(windows)]
fn main() {}
