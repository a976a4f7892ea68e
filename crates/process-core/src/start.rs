//! This process's own start, as bytes: Node turns what is not UTF-8 in arguments and variables into U+FFFD.

use keychain_core::{Code, Error, Result};

/// An argument vector or a list of `NAME=value` strings, each without its NUL.
pub type Arguments = Vec<Vec<u8>>;

/// All arguments that this process was started with, the program's own name included.
///
/// Source: Linux `/proc/self/cmdline`; macOS `sysctl KERN_PROCARGS2`; Windows `GetCommandLineW`, where an argument
/// that is not Unicode keeps its lone surrogates (WTF-8).
pub fn arguments() -> Result<Arguments> {
    system::arguments().map_err(|error| unreadable("arguments", error))
}

/// All variables that this process was started with, in order, duplicates and malformed entries included.
/// Changes made since by the process itself are not in it.
pub(crate) fn environment() -> Result<Arguments> {
    system::environment().map_err(|error| unreadable("environment", error))
}

fn unreadable(what: &str, error: std::io::Error) -> Error {
    Error::new(Code::Internal, format!("the {what} that this process was started with cannot be read"))
        .with_source(error)
}

/// Takes a block of NUL-terminated strings apart. A last string without its NUL counts as well.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn split_block(block: &[u8]) -> Arguments {
    let mut strings: Arguments = block.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    if strings.last().is_some_and(Vec::is_empty) {
        strings.pop();
    }
    strings
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::io;

    use super::{Arguments, split_block};

    pub(super) fn arguments() -> io::Result<Arguments> {
        fs::read("/proc/self/cmdline").map(|block| split_block(&block))
    }

    pub(super) fn environment() -> io::Result<Arguments> {
        let read = || fs::read("/proc/self/environ").map(|block| split_block(&block));
        match read() {
            // A process that is not dumpable finds this file owned by root: give it back for the one read.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                crate::harden::set_dumpable(true)?;
                let result = read();
                crate::harden::set_dumpable(false)?;
                result
            }
            result => result,
        }
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::io;
    use std::ptr;

    use super::Arguments;

    pub(super) fn arguments() -> io::Result<Arguments> {
        procargs().and_then(|block| super::split_procargs(&block)).map(|(arguments, _)| arguments)
    }

    pub(super) fn environment() -> io::Result<Arguments> {
        procargs().and_then(|block| super::split_procargs(&block)).map(|(_, environment)| environment)
    }

    fn procargs() -> io::Result<Vec<u8>> {
        let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, i32::try_from(std::process::id()).unwrap_or(0)];
        // ARG_MAX bounds what an exec can have passed; the kernel puts a count and the program's path before it.
        // SAFETY: sysconf takes no pointer.
        let limit = unsafe { libc::sysconf(libc::_SC_ARG_MAX) };
        let mut block = vec![0_u8; usize::try_from(limit).unwrap_or(1 << 20) + 8192];
        let mut len = block.len();
        // SAFETY: name has three elements, block has len bytes, and nothing is written to the system.
        let status =
            unsafe { libc::sysctl(name.as_mut_ptr(), 3, block.as_mut_ptr().cast(), &raw mut len, ptr::null_mut(), 0) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        block.truncate(len);
        Ok(block)
    }
}

#[cfg(windows)]
mod system {
    use std::env;
    use std::io;

    use super::Arguments;

    pub(super) fn arguments() -> io::Result<Arguments> {
        Ok(env::args_os().map(|argument| argument.into_encoded_bytes()).collect())
    }

    pub(super) fn environment() -> io::Result<Arguments> {
        Ok(env::vars_os()
            .map(|(name, value)| [name.as_encoded_bytes(), b"=", value.as_encoded_bytes()].concat())
            .collect())
    }
}

/// Takes the answer of macOS's `KERN_PROCARGS2` apart: a count, the program's path, padding, the arguments, then the
/// variables up to an empty string.
#[cfg(any(target_os = "macos", test))]
fn split_procargs(block: &[u8]) -> std::io::Result<(Arguments, Arguments)> {
    let truncated = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let (count, rest) = block.split_first_chunk::<4>().ok_or_else(truncated)?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).map_err(|_| truncated())?;
    let path = rest.iter().position(|byte| *byte == 0).ok_or_else(truncated)?;
    let padding = rest[path..].iter().position(|byte| *byte != 0).unwrap_or(rest.len() - path);
    let mut strings = rest[path + padding..].split(|byte| *byte == 0).map(<[u8]>::to_vec);
    let arguments: Arguments = strings.by_ref().take(count).collect();
    if arguments.len() < count {
        return Err(truncated());
    }
    Ok((arguments, strings.take_while(|variable| !variable.is_empty()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_empty_strings_and_bytes_that_are_not_utf8() {
        assert_eq!(split_block(b"node\0\0\xff\xfe\0\0"), [&b"node"[..], b"", b"\xff\xfe", b""]);
        assert_eq!(split_block(b""), Arguments::new());
        assert_eq!(split_block(b"a\0unterminated"), [&b"a"[..], b"unterminated"]);
    }

    #[test]
    fn procargs_are_taken_apart_with_their_padding() {
        let mut block = 3_i32.to_ne_bytes().to_vec();
        block.extend_from_slice(b"/usr/bin/node\0\0\0\0node\0\0\xff\0A=1\0A=2\0\0ignored\0");
        let (arguments, environment) = split_procargs(&block).unwrap();
        assert_eq!(arguments, [&b"node"[..], b"", b"\xff"]);
        assert_eq!(environment, [&b"A=1"[..], b"A=2"]);
    }

    #[test]
    fn truncated_procargs_are_an_error() {
        assert!(split_procargs(b"\x01\0").is_err());
        let mut block = 9_i32.to_ne_bytes().to_vec();
        block.extend_from_slice(b"/bin/x\0\0x\0");
        assert!(split_procargs(&block).is_err());
    }

    #[test]
    fn this_process_reads_its_own_start() {
        assert_eq!(arguments().unwrap().len(), std::env::args_os().count());
        let path = std::env::var_os("PATH").unwrap();
        let entry = [b"PATH=", path.as_encoded_bytes()].concat();
        assert!(environment().unwrap().contains(&entry));
    }
}
