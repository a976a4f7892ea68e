//! What Node cannot do by itself: read its own start as bytes, become another program, take secrets in at the
//! terminal and give them out to a descriptor, harden the process, know who is at the other end of a socket.
//!
//! Values are [`keychain_core::SecretBytes`] from the first byte to the last. Everything here blocks; a prompt for
//! minutes. What Node's own start destroys, and what of it can be given back, is told in `docs/run.md`.

#[cfg(unix)]
mod descriptors;
mod edit_file;
mod environment;
#[cfg(unix)]
mod exec;
#[cfg(unix)]
mod file_lock;
mod generate;
mod harden;
mod input;
mod json_member;
#[cfg(unix)]
mod lookup;
mod mask;
mod output;
#[cfg(unix)]
mod peer;
#[cfg(unix)]
mod program;
mod prompt;
mod redact;
mod render;
mod secret_file;
#[cfg(unix)]
mod socket;
#[cfg(windows)]
mod spawn;
mod start;
#[cfg(unix)]
mod start_note;
#[cfg(unix)]
pub mod supervise;
mod trim;
#[cfg_attr(windows, allow(dead_code, reason = "the console edits the line; only the limit is used"))]
mod typed_line;

#[cfg(unix)]
pub use descriptors::{Descriptors, close_on_exec};
pub use edit_file::EditFile;
pub use environment::{Environment, MAX_VARIABLE_BYTES, Problem, Reference};
#[cfg(unix)]
pub use exec::{check, exec, exec_launcher, execute};
#[cfg(unix)]
pub use file_lock::FileLock;
pub use generate::generate;
pub use harden::harden;
pub use input::{Input, Mode, from_argument, from_stdin};
pub use json_member::json_member;
pub use mask::{
    MAX_MASKED_BYTES, MaskSet, Masker, RELEASE_AFTER, Unmasked, UnmaskedReason, github_masks, unmasked_warning,
};
pub use output::{write_file, write_to};
#[cfg(unix)]
pub use peer::{PeerCredentials, peer_credentials};
#[cfg(unix)]
pub use program::{Program, program_of};
pub use prompt::prompt;
pub use redact::redact_stream;
pub use render::{Format, render};
pub use secret_file::FileRequest;
#[cfg(target_os = "linux")]
pub use secret_file::MemoryFile;
#[cfg(unix)]
pub use secret_file::{Access, PathFile, PlacedFiles, WatcherProgram, sweep, watch};
#[cfg(unix)]
pub use socket::{Address, Found, MAX_ADDRESS_BYTES, Refusal, connect, listen, probe};
#[cfg(windows)]
pub use spawn::{check, spawn};
pub use start::{Arguments, arguments};
#[cfg(unix)]
pub use start_note::{NOTE_VARIABLE, StartNote};
pub use trim::trim_memory;
