//! Following log files without losing a line.
//!
//! In scope: which files are a path's generations and in what order they are read, rotation by
//! rename, copy and delete, lines of several files in one output, the checkpoint, bounded turns.
//! Out of scope: the operating system, clocks, threads, what becomes of the bytes. Effects go
//! through [`fs::Fs`] and [`fs::Sink`]; time is an argument.
//!
//! Words: a *generation* is one file that is, or was, at a followed path; its *frontier* is the
//! first byte that is not safe yet; the *guard* is the run of bytes before the frontier that
//! proves the file is still the same; a *place* is one of two in the checkpoint file, for a log each.
//!
//! What is promised: every byte of every generation is written out, in order, as long as the file
//! can still be found and read; a checkpoint holds only what the sink acknowledged; after a death
//! at any point, what was not acknowledged by the last checkpoint is written again, and nothing else.

mod admission;
mod begin;
pub mod checkpoint;
pub mod checkpoint_log;
mod checkpoint_v1;
pub mod compressed;
mod content;
mod cut;
mod discover;
pub mod engine;
pub mod envelope;
mod expand;
mod folder;
pub mod format;
pub mod frame;
pub mod fs;
mod gap;
#[cfg(feature = "gzip")]
mod gzip;
mod index;
pub mod json;
mod ledger;
mod look;
pub mod multiline;
mod offer;
mod packed;
mod packed_others;
pub mod pattern;
#[cfg(feature = "regex")]
pub mod pattern_start;
mod peek;
mod persist;
#[cfg(test)]
pub(crate) mod planted;
pub mod position;
mod read;
pub mod reclaim;
mod records;
pub mod report;
mod room;
pub mod rotation;
pub mod stream;
mod survey;
pub mod template;
mod unpack;
#[cfg(feature = "zstd")]
mod zstd;

#[cfg(test)]
#[path = "../tests/sim/mod.rs"]
mod sim;
