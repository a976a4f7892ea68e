//! Stores that keep secrets, and bytes that wipe themselves.
//!
//! A [`Store`] is one place that keeps secrets; its documentation lists what each operation answers in every case.
//! Everything here blocks, and a prompt may block for minutes: callers run it on threads of their own.
//!
//! Without the feature `stores` there are the bytes and the types alone, for programs that open no store.

#[cfg(test)]
extern crate self as keychain_core;

#[cfg(test)]
#[macro_use]
#[path = "../tests/contract/mod.rs"]
mod contract;
#[cfg(all(feature = "stores", any(windows, test)))]
mod credential_manager;
#[cfg(feature = "stores")]
pub mod entries;
mod error;
#[cfg(feature = "stores")]
pub mod file;
#[cfg(all(feature = "stores", any(target_os = "macos", test)))]
mod gob;
#[cfg(feature = "stores")]
pub mod keychain;
#[cfg_attr(not(feature = "stores"), allow(dead_code, reason = "half of it is about what is written"))]
mod limits;
#[cfg(all(feature = "stores", target_os = "macos"))]
mod macos;
pub mod memory;
mod secret_bytes;
#[cfg(all(feature = "stores", target_os = "linux"))]
mod secret_service;
mod store;
#[cfg(all(feature = "stores", windows))]
mod windows;

pub use error::{Code, Error, Result};
pub use limits::MAX_METADATA_BYTES;
pub use secret_bytes::{
    InUse, MAX_VALUE_BYTES, MemoryProtection, SecretBytes, clear_registers, in_use, memory_protection, wipe_all,
};
pub use store::{Description, Info, Item, NewItem, Selection, Store};
