//! Records on their way to a log store: made into requests, whose answers are judged.
//!
//! In scope: batches, the wire formats of log stores, what an answer means, when a request is made
//! again, and which records count as taken. Out of scope: sockets, files, threads, clocks and
//! randomness, which come as arguments; compression, authentication and TLS, which the program adds.
//!
//! Words: an *offer* is some records that the engine hands on under one number; a *batch* is what is
//! sent together; a *piece* is a part of a record that is too long to be sent as one.
//!
//! ```text
//!  offers ──▶ Courier ──▶ Parcel ──▶ (the program sends it) ──▶ Answer ──▶ Courier ──▶ numbers
//! ```
//!
//! What is promised: an offer's number comes back when the store has acknowledged each of its
//! records, or refused that very record by itself; nothing else is ever left out, however long the
//! store is away.

pub mod answer;
mod backoff;
mod batch;
pub mod courier;
mod elastic;
pub mod format;
mod identity;
mod items;
mod loki;
pub mod long;
mod ndjson;
mod otlp;
#[cfg(test)]
mod planted;
mod protobuf;
pub mod severity;
mod success;
mod text;
pub mod told;

#[cfg(test)]
#[path = "../tests/sim/mod.rs"]
mod sim;
