//! The wire in bytes: secrets in JSON and protobuf, and a client that asks a daemon over a Unix socket.
//!
//! Values go from [`keychain_core::SecretBytes`] to the bytes that are sent, and back, without a copy elsewhere. The
//! wire itself is told in `docs/wire.md`. Nothing here reads a message beyond the limits that its caller gives.

mod answer_lines;
mod base64;
#[cfg(unix)]
mod client;
mod envelope;
mod growing;
mod http;
mod json;
mod message;
mod output;
mod protobuf;
mod template;
mod time;

pub use answer_lines::decode_answer_lines;
#[cfg(unix)]
pub use client::{Call, Client};
pub use envelope::{Envelope, Facts};
pub use growing::Growing;
pub use http::{MAX_BODY_BYTES, MAX_HEAD_BYTES, Response, ResponseReader, request};
pub use json::{Reply, decode_json, decode_member, decode_reply};
pub use message::{Form, Message};
pub use output::Output;
pub use protobuf::decode_protobuf;
pub use template::splice;
