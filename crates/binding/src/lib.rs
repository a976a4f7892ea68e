//! The Node-API face of the crates: converts and exports, decides nothing.

#[cfg(unix)]
pub mod answer;
pub mod client;
mod held;
pub mod mask;
pub mod matcher;
mod metadata;
pub mod outcome;
pub mod process;
pub mod protection;
pub mod secret;
pub mod socket;
pub mod store;
pub mod store_keys;
pub mod task;
pub mod wire;

/// Zeroes every heap block when it is freed, so that copies made by dependencies (D-Bus messages, age's buffers) do not
/// outlive their use.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);
