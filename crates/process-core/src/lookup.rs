//! Where a command is: on the PATH of the environment that it gets, as a shell would look.

/// Where a command is looked for when there is no PATH at all: what `confstr(_CS_PATH)` says everywhere.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The places where a command may be, in order. A name with a slash is one place; an empty component of the PATH is
/// the current folder, written so that the result never begins with a dash.
pub(crate) fn candidates(command: &[u8], path: Option<&[u8]>) -> Vec<Vec<u8>> {
    if command.is_empty() {
        return Vec::new();
    }
    if command.contains(&b'/') {
        return vec![command.to_vec()];
    }
    let path = path.unwrap_or(DEFAULT_PATH);
    path.split(|byte| *byte == b':')
        .map(|folder| [if folder.is_empty() { b"." } else { folder }, b"/", command].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(command: &str, path: Option<&str>) -> Vec<String> {
        let found = candidates(command.as_bytes(), path.map(str::as_bytes));
        found.into_iter().map(|place| String::from_utf8(place).unwrap()).collect()
    }

    #[test]
    fn each_component_is_a_place_and_an_empty_one_is_here() {
        assert_eq!(places("x", Some("/a::b:")), ["/a/x", "./x", "b/x", "./x"]);
        assert_eq!(places("-x", Some("")), ["./-x"]);
    }

    #[test]
    fn a_name_with_a_slash_is_not_searched() {
        assert_eq!(places("./x", Some("/a")), ["./x"]);
        assert_eq!(places("d/x", Some("/a")), ["d/x"]);
    }

    #[test]
    fn without_a_path_the_system_folders_are_searched() {
        assert_eq!(places("x", None), ["/bin/x", "/usr/bin/x"]);
    }

    #[test]
    fn an_empty_name_is_nowhere() {
        assert_eq!(places("", Some("/a")), Vec::<String>::new());
    }
}
