//! The wire in bytes: secrets in JSON and protobuf, and a client that asks a daemon over a Unix socket.
//!
//! Values go from [`keychain_core::SecretBytes`] to the bytes that are sent, and back, without a copy elsewhere. The
//! wire itself is told in `docs/wire.md`. Nothing here reads a message beyond the limits that its caller gives.

mod answer_lines;
mod base64;
mod envelope;
mod json;
mod output;
mod protobuf;
mod template;
mod time;

pub use answer_lines::decode_answer_lines;
pub use envelope::{Envelope, Facts};
pub use json::{Reply, decode_json, decode_member, decode_reply};
pub use output::Output;
pub use protobuf::{decode_protobuf, encode_envelope};
pub use template::splice;
