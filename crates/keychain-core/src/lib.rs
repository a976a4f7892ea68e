//! Stores that keep secrets, and bytes that wipe themselves.
//!
//! A [`Store`] is one place that keeps secrets; its documentation lists what each operation answers in every case.
//! Everything here blocks, and a prompt may block for minutes: callers run it on threads of their own.

#[cfg(test)]
extern crate self as keychain_core;

#[cfg(test)]
#[macro_use]
#[path = "../tests/contract/mod.rs"]
mod contract;
#[cfg(any(windows, test))]
mod credential_manager;
pub mod entries;
mod error;
pub mod file;
#[cfg(any(target_os = "macos", test))]
mod gob;
pub mod keychain;
mod limits;
#[cfg(target_os = "macos")]
mod macos;
pub mod memory;
mod secret_bytes;
#[cfg(target_os = "linux")]
mod secret_service;
mod store;
#[cfg(windows)]
mod windows;

pub use error::{Code, Error, Result};
pub use limits::MAX_METADATA_BYTES;
pub use secret_bytes::{
    InUse, MAX_VALUE_BYTES, MemoryProtection, SecretBytes, clear_registers, in_use, memory_protection, wipe_all,
};
pub use store::{Description, Info, Item, NewItem, Selection, Store};
