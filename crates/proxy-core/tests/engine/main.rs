//! Promises of the engine, one by one: connections in memory on both sides, and time as the test
//! says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on ends there")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "so does one with a wrong index")]

mod additions;
mod blame;
mod bounds;
mod closing;
#[path = "../common/config.rs"]
mod config;
mod drain;
mod error_pages;
mod failover;
mod files;
mod guards;
mod held;
mod kept;
mod logs;
mod mirrors;
mod names;
mod net;
mod own;
mod packed;
mod proxied;
mod redirects;
mod reload;
mod serving;
mod shortage;
mod trailers;
mod tunnels;
mod turns;
mod unpacked;
mod world;
