//! This process becomes Node with the JavaScript command line: the same words, the same environment, and a note of what
//! Node's start destroys.

use std::path::{Path, PathBuf};

use process_core::{Environment, NOTE_VARIABLE, StartNote};

use crate::start::Start;

/// The exit statuses of a failure: of `se run`, and of everything else.
pub(crate) const RUN_FAILED: libc::c_int = 125;
const FAILED: libc::c_int = 1;

/// Becomes Node. No value may be in memory any more.
pub(crate) fn hand_over(start: Start) -> ! {
    // What cannot be noted is guessed there.
    let note = StartNote::take().unwrap_or_default();
    let Some(cli) = std::env::current_exe().ok().and_then(|program| find_cli(&program)) else {
        fail(start, "its JavaScript is not beside the program", "install it again: npm install se-native");
    };
    let mut words: Vec<Vec<u8>> = vec![b"node".into(), b"--".into(), cli.into_os_string().into_encoded_bytes()];
    words.extend(start.arguments.iter().skip(1).map(|word| word.to_bytes().to_vec()));
    let name = if start.is_docker_pass() { "docker-pass" } else { "se" };
    let prefix = format!("{NOTE_VARIABLE}=");
    let others = start.variables.iter().map(|variable| variable.to_bytes());
    let mut variables: Vec<Vec<u8>> =
        others.filter(|variable| !variable.starts_with(prefix.as_bytes())).map(<[u8]>::to_vec).collect();
    variables.push(format!("{prefix}{}", note.to_text(name)).into_bytes());
    let error = process_core::execute(&words, &Environment::unfiltered(variables));
    fail(start, &format!("Node.js cannot be started: {error}"), "install Node.js 20.19 or newer: https://nodejs.org");
}

fn fail(start: Start, problem: &str, hint: &str) -> ! {
    // Where nobody listens, the status tells.
    let _ = process_core::write_to(libc::STDERR_FILENO, format!("se: {problem}\nhint: {hint}\n").as_bytes());
    let is_run = start.arguments.get(1).is_some_and(|word| word.to_bytes() == b"run");
    std::process::exit(if is_run { RUN_FAILED } else { FAILED });
}

/// The JavaScript command line, from where the program really is: at the top level of the package, as a local build is; or
/// in the package of its platform, which package managers put beside the main one, into it, or (pnpm) into a folder of its
/// own.
fn find_cli(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let folder = program.parent()?;
    let pnpm = concat!("../../../se-native@", env!("CARGO_PKG_VERSION"), "/node_modules/se-native");
    let places = ["", "../se-native", "../..", pnpm, "../../../node_modules/se-native"];
    let found = places.iter().map(|place| folder.join(place).join("dist/cli.cjs")).find(|cli| cli.is_file())?;
    found.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_javascript_is_found_wherever_package_managers_put_it() {
        let version = env!("CARGO_PKG_VERSION");
        let platform = "se-native-linux-x64-gnu";
        for (program, cli) in [
            ("se.linux-x64-gnu", "dist/cli.cjs"),
            (&*format!("node_modules/{platform}/se"), "node_modules/se-native/dist/cli.cjs"),
            (&*format!("node_modules/se-native/node_modules/{platform}/se"), "node_modules/se-native/dist/cli.cjs"),
            (
                &*format!("node_modules/.pnpm/{platform}@{version}/node_modules/{platform}/se"),
                &*format!("node_modules/.pnpm/se-native@{version}/node_modules/se-native/dist/cli.cjs"),
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().canonicalize().unwrap();
            for path in [program, cli] {
                let path = folder.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            let link = folder.join("link");
            std::os::unix::fs::symlink(folder.join(program), &link).unwrap();
            assert_eq!(find_cli(&link), Some(folder.join(cli)), "{program}");
        }
    }
}
