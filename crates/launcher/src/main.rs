//! The program behind `se`: does at once what needs no Node, and hands everything else to the JavaScript command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(FAILED)
}

/// The status of a command line that failed by itself.
const FAILED: u8 = 125;
