//! Where files and sockets are, as `src/config/paths.ts` and `src/daemon/addresses.ts` say. None: an unusual environment.

use crate::start::Start;

const FOLDER: &str = "se-native";
/// The longest path of a socket in bytes, on the system that allows least (macOS; Linux: 107).
const MAX_SOCKET_PATH_BYTES: usize = 103;
const IS_MACOS: bool = cfg!(target_os = "macos");

/// The folder of the user's own files.
fn home(start: Start) -> Option<&'static str> {
    start.text("HOME").filter(|home| home.starts_with('/'))
}

/// A folder of the XDG specification, by its variable or below the home folder: an empty or relative variable counts as
/// unset.
fn folder(start: Start, variable: &str, fallback: &str) -> Option<String> {
    let value = start.text(variable)?;
    Some(normal(&match value.starts_with('/') {
        true => format!("{value}/{FOLDER}"),
        false => format!("{}/{fallback}/{FOLDER}", home(start)?),
    }))
}

/// `config.toml`, unless `SE_CONFIG` names another.
pub(crate) fn default_config_file(start: Start) -> Option<String> {
    let fallback = if IS_MACOS { "Library/Application Support" } else { ".config" };
    folder(start, "XDG_CONFIG_HOME", fallback).map(|folder| folder + "/config.toml")
}

/// The encrypted file, unless configured otherwise.
pub(crate) fn default_store_file(start: Start) -> Option<String> {
    let fallback = if IS_MACOS { "Library/Application Support" } else { ".local/share" };
    folder(start, "XDG_DATA_HOME", fallback).map(|folder| folder + "/store.age")
}

/// What a client dials: `SE_SOCKET` where that is set, else the daemon's own address.
pub(crate) fn dialled_address(start: Start) -> Option<String> {
    match start.text("SE_SOCKET")? {
        "" => daemon_address(start),
        named if named.starts_with('@') => Some(named.to_owned()),
        named => absolute(start, named, None),
    }
}

/// The folder where files at paths are noted, as `src/deliver/file-records.ts` says.
pub(crate) fn record_folder(start: Start) -> Option<String> {
    let address = daemon_address(start)?;
    Some(format!("{}/files", address.strip_suffix("/daemon.sock")?))
}

fn daemon_address(start: Start) -> Option<String> {
    let runtime = start.text("XDG_RUNTIME_DIR")?;
    let own = normal(&format!("{runtime}/{FOLDER}/daemon.sock"));
    if runtime.starts_with('/') && own.len() <= MAX_SOCKET_PATH_BYTES {
        return Some(own);
    }
    let cache = match start.text("XDG_CACHE_HOME")? {
        _ if IS_MACOS => format!("{}/Library/Caches", home(start)?),
        cache if cache.starts_with('/') => cache.to_owned(),
        _ => format!("{}/.cache", home(start)?),
    };
    Some(normal(&format!("{cache}/{FOLDER}/daemon.sock")))
}

/// An absolute path: `~/` is the home folder, a relative path begins at `from`, the working folder by default.
pub(crate) fn absolute(start: Start, path: &str, from: Option<&str>) -> Option<String> {
    if path == "~" || path.starts_with("~/") {
        // One slash at the end would stay.
        return (!path.ends_with('/'))
            .then_some(())
            .and_then(|()| Some(normal(&format!("{}{}", home(start)?, &path[1..]))));
    }
    if path.starts_with('/') {
        return Some(normal(path));
    }
    let from = match from {
        Some(from) => from.to_owned(),
        None => std::env::current_dir().ok()?.into_os_string().into_string().ok()?,
    };
    Some(normal(&format!("{from}/{path}")))
}

/// An absolute path without `.`, `..` and slashes that say nothing.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::tests::start;

    #[test]
    fn paths_are_made_normal() {
        assert_eq!(normal("/a//b/./c/../d/"), "/a/b/d");
        assert_eq!(normal("/../.."), "/");
    }

    #[test]
    fn a_path_begins_at_the_home_folder_at_another_or_here() {
        let start = start(&["HOME=/h/u"]);
        assert_eq!(absolute(start, "~/x", None).as_deref(), Some("/h/u/x"));
        assert_eq!(absolute(start, "~", None).as_deref(), Some("/h/u"));
        assert_eq!(absolute(start, "~x", Some("/a")).as_deref(), Some("/a/~x"));
        assert_eq!(absolute(start, "../x", Some("/a/b")).as_deref(), Some("/a/x"));
        assert_eq!(absolute(start, "/x/", Some("/a")).as_deref(), Some("/x"));
        assert_eq!(absolute(start, "~/", None), None);
    }

    #[test]
    fn a_relative_or_missing_home_is_left_to_javascript() {
        for variables in [&["HOME=h"][..], &["HOME="], &[]] {
            assert_eq!(absolute(start(variables), "~/x", None), None);
            assert_eq!(default_store_file(start(variables)), None);
        }
    }

    #[test]
    fn the_socket_is_named_or_in_the_runtime_or_cache_folder() {
        let dialled = |variables: &[&'static str]| dialled_address(start(variables));
        assert_eq!(dialled(&["SE_SOCKET=@x"]).as_deref(), Some("@x"));
        assert_eq!(dialled(&["SE_SOCKET=/a/../b", "XDG_RUNTIME_DIR=/r"]).as_deref(), Some("/b"));
        assert_eq!(dialled(&["SE_SOCKET=", "XDG_RUNTIME_DIR=/r"]).as_deref(), Some("/r/se-native/daemon.sock"));
        if !IS_MACOS {
            let long = Box::leak(format!("XDG_RUNTIME_DIR=/{}", "r".repeat(90)).into_boxed_str());
            for runtime in ["XDG_RUNTIME_DIR=r", "XDG_RUNTIME_DIR=", long] {
                let cache = dialled(&[runtime, "HOME=/h", "XDG_CACHE_HOME=c"]);
                assert_eq!(cache.as_deref(), Some("/h/.cache/se-native/daemon.sock"));
                let records = record_folder(self::start(&[runtime, "HOME=/h"]));
                assert_eq!(records.as_deref(), Some("/h/.cache/se-native/files"));
                assert_eq!(dialled(&[runtime, "XDG_CACHE_HOME=/c"]).as_deref(), Some("/c/se-native/daemon.sock"));
            }
        }
    }
}
