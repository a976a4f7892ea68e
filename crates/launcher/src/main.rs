//! The program behind `se`: does at once what needs no Node, and hands everything else to the JavaScript command line.

#[cfg(unix)]
mod supervise;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        #[cfg(unix)]
        Some(word) if word == "__supervise" => supervise::run(words),
        #[cfg(unix)]
        Some(word) if word == process_core::supervise::WATCH => watch(words.next()),
        _ => ExitCode::from(FAILED),
    }
}

/// Outlives the parent of a command, to remove its files. Nobody is there to be told of a failure.
#[cfg(unix)]
fn watch(record: Option<std::ffi::OsString>) -> ExitCode {
    match record.map(|record| process_core::watch(record.as_ref())) {
        Some(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    }
}

/// The status of a command line that failed by itself.
const FAILED: u8 = 125;
