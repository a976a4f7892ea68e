//! What this process was started with, as the system left it.

use std::ffi::{CStr, c_char, c_int};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The arguments and variables, which stay where the system put them.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// The program's name first.
    pub(crate) arguments: &'static [&'static CStr],
    /// `NAME=value`, in order, duplicates and malformed ones too.
    pub(crate) variables: &'static [&'static CStr],
}

impl Start {
    /// # Safety
    /// As many arguments as `count` says, and `environ` as at the start: lists of C strings that stay for ever.
    pub(crate) unsafe fn new(count: c_int, arguments: *const *const c_char) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: as the caller promises; a list of variables, if there is one, ends with NULL.
        unsafe {
            let mut variables = 0;
            while !environ.is_null() && !(*environ.add(variables)).is_null() {
                variables += 1;
            }
            Self { arguments: strings(arguments, count), variables: strings(environ, variables) }
        }
    }

    /// Whether the program was called by Docker's name for it.
    pub(crate) fn is_docker_pass(self) -> bool {
        let name = self.arguments.first().map_or(&[][..], |name| name.to_bytes());
        name.rsplit(|byte| *byte == b'/').next() == Some(b"docker-pass")
    }

    /// The bytes of the first variable of this name, as `getenv` finds it.
    pub(crate) fn bytes(self, name: &str) -> Option<&'static [u8]> {
        self.variables.iter().find_map(|variable| variable.to_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// A variable as text; empty where it is not set. None: it is no text.
    pub(crate) fn text(self, name: &str) -> Option<&'static str> {
        std::str::from_utf8(self.bytes(name).unwrap_or_default()).ok()
    }
}

/// # Safety
/// The list has `count` C strings, which stay for ever.
unsafe fn strings(list: *const *const c_char, count: usize) -> &'static [&'static CStr] {
    // SAFETY: as the caller promises.
    let strings: Vec<&'static CStr> = (0..count).map(|at| unsafe { CStr::from_ptr(*list.add(at)) }).collect();
    strings.leak()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ffi::CString;

    use super::*;

    /// A start with these variables.
    pub(crate) fn start(variables: &[&'static str]) -> Start {
        let variables = variables.iter().map(|text| CString::new(*text).unwrap());
        let leaked: Vec<&'static CStr> = variables.map(|text| &*Box::leak(text.into_boxed_c_str())).collect();
        Start { arguments: &[c"se"], variables: leaked.leak() }
    }

    #[test]
    fn the_first_variable_of_a_name_counts() {
        let start = start(&["AB=0", "A=1", "A=2", "EMPTY=", "none"]);
        assert_eq!(start.text("A"), Some("1"));
        assert_eq!(start.text("EMPTY"), Some(""));
        assert_eq!(start.text("none"), Some(""));
        assert_eq!(start.bytes("none"), None);
    }

    #[test]
    fn docker_calls_the_program_by_another_name() {
        for (name, is) in
            [(c"docker-pass", true), (c"/a/docker-pass", true), (c"/docker-pass/se", false), (c"se", false)]
        {
            let arguments: &'static [&'static CStr] = vec![name].leak();
            assert_eq!(Start { arguments, variables: &[] }.is_docker_pass(), is);
        }
    }
}
