//! Whole exchanges without a connection: each case is fed in one piece, cut at every point, and
//! byte by byte, and must come out the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]
#![allow(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

mod answers;
mod bodies;
mod case;
#[path = "../common/config.rs"]
mod config;
mod deadlines;
mod error_pages;
mod fastcgi;
mod own;
mod passing;
mod redirects;
mod tunnels;
mod waiting;
