//! The real binary and log stores: a scripted one for every kind of trouble, and real ones.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

#[path = "../common/mod.rs"]
mod common;
mod delivery;
mod ending;
mod examples;
mod real;
mod script;
#[cfg(feature = "tls")]
mod tls;
mod trouble;
mod wire;

use common::{Folder, append, line};

/// A folder with a file of so many lines.
fn folder_with(count: u64) -> Folder {
    let folder = Folder::new();
    let text: String = (0..count).map(line).collect();
    append(&folder.path("app.log"), text.as_bytes());
    folder
}

/// Arguments for a store at this address, uncompressed, without a wait for more lines.
fn arguments<'a>(output: &'a str, url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["--output", output, "--url", url, "--compression", "none"];
    [&usual, &["--batch-timeout", "50ms", "--poll-interval", "50ms"][..], more].concat()
}
