//! Fuzz targets with their oracles: each takes any bytes and asserts what must hold for them.
//!
//! In scope: heads of requests, heads of answers, chunked bodies, configurations, the whole engine
//! driven by a list of operations, answers of name servers, checkpoints, records of log files,
//! and answers of log stores. A failed assertion is a finding, and so is a panic.
//!
//! Out of scope: finding the bytes. `fuzz/` beside this crate hands them over from libFuzzer; the
//! test of this crate runs the seeds in `corpus/`, what they begin with, and drawn changes of
//! them. What the fuzzer finds becomes a seed, or a test beside what it tests.

mod answers;
mod checkpoint;
mod chunks;
mod configuration;
mod draw;
mod exchange;
mod heads;
mod names;
mod records;
mod stores;
mod verdict;

pub use answers::answers;
pub use checkpoint::checkpoint;
pub use chunks::chunks;
pub use configuration::configuration;
pub use draw::Draw;
pub use exchange::exchange;
pub use heads::heads;
pub use names::names;
pub use records::records;
pub use stores::stores;

/// A target: it panics where something does not hold.
pub type Target = fn(&[u8]);

/// Every target with the name of its folder in `corpus/`.
pub const TARGETS: [(&str, Target); 9] = [
    ("answers", answers),
    ("checkpoint", checkpoint),
    ("chunks", chunks),
    ("configuration", configuration),
    ("exchange", exchange),
    ("heads", heads),
    ("names", names),
    ("records", records),
    ("stores", stores),
];
