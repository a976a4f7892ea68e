//! The console on Windows.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::windows::io::AsRawHandle;
use std::ptr;

use keychain_core::{Code, Error, Result, SecretBytes};
use windows_sys::Win32::System::Console::{
    ENABLE_LINE_INPUT, ENABLE_PROCESSED_INPUT, GetConsoleMode, GetNumberOfConsoleInputEvents, ReadConsoleW,
    SetConsoleMode,
};
use zeroize::Zeroizing;

use super::{dismissed, several_lines, too_long};
use crate::typed_line::TypedLine;

/// The process's console.
pub(super) struct Terminal {
    input: File,
    output: File,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let open = |name| OpenOptions::new().read(true).write(true).open(name);
        Ok(Self { input: open("CONIN$")?, output: open("CONOUT$")? })
    }

    /// Writes a line for the person. That the console has gone shows at the next read.
    pub(super) fn say(&mut self, text: &str) {
        let _ = self.output.write_all(text.as_bytes());
    }

    /// Asks for one line; the console does the editing. Ctrl-C ends the process, and Windows puts the console right.
    pub(super) fn ask(&mut self, text: &str) -> Result<SecretBytes> {
        self.say(text);
        let line = self.read_line();
        self.say("\n");
        let line = line
            .map_err(|error| Error::new(Code::InteractionRequired, "the console cannot be read").with_source(error))?;
        let Some(line) = line.strip_suffix(&[u16::from(b'\r'), u16::from(b'\n')]) else {
            return Err(if line.len() < TypedLine::MAX_BYTES { dismissed() } else { too_long() });
        };
        let text = Zeroizing::new(
            String::from_utf16(line).map_err(|_| Error::new(Code::InvalidOption, "what was typed is not text"))?,
        );
        Ok(SecretBytes::copy_from(text.as_bytes()))
    }

    /// Refuses what else was entered at once, such as the rest of a paste.
    pub(super) fn expect_nothing_more(&mut self) -> Result<()> {
        let mut waiting = 0;
        // SAFETY: the handle is a console's; one number is written. The release of Enter counts as one event.
        unsafe { GetNumberOfConsoleInputEvents(self.input.as_raw_handle(), &raw mut waiting) };
        if waiting > 1 { Err(several_lines()) } else { Ok(()) }
    }

    fn read_line(&mut self) -> io::Result<Zeroizing<Vec<u16>>> {
        let handle = self.input.as_raw_handle();
        let mut before = 0;
        let mut line = Zeroizing::new(vec![0_u16; TypedLine::MAX_BYTES]);
        let mut len = 0;
        // SAFETY: the handle is a console's and open; the buffer has the length given.
        let read = unsafe {
            if GetConsoleMode(handle, &raw mut before) == 0
                || SetConsoleMode(handle, ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT) == 0
            {
                return Err(io::Error::last_os_error());
            }
            let read = ReadConsoleW(handle, line.as_mut_ptr().cast(), line.len() as u32, &raw mut len, ptr::null());
            SetConsoleMode(handle, before);
            read
        };
        if read == 0 {
            return Err(io::Error::last_os_error());
        }
        line.truncate(len as usize);
        Ok(line)
    }
}
