//! Everything the proxy decides: which server answers and how, which upstream server is tried,
//! what passes to either side, when something has taken too long, what becomes of a connection.
//!
//! In scope: what the configuration means, exchanges, upstreams, listeners, drain, deadlines, the
//! lines of the logs.
//!
//! Out of scope: sockets, files, threads, clocks, the environment. Time, randomness and facts of
//! the host are arguments; sockets are reached through the traits of [`net`] only, so that a
//! simulator can stand in for the system.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod body;
pub mod canary;
pub mod clock;
pub mod config;
pub mod connection;
mod content;
pub mod counters;
pub mod course;
pub mod downstream;
pub mod engine;
pub mod exchange;
pub mod fault;
pub mod files;
pub mod forwarded;
pub mod generation;
pub mod listeners;
pub mod log;
pub mod net;
pub mod pace;
mod phases;
pub mod proxy_protocol;
pub mod request;
pub mod resolver;
pub mod response;
pub mod slab;
pub mod stream;
#[cfg(test)]
mod test_case;
#[cfg(test)]
mod test_socket;
pub mod timers;
pub mod upstream;
pub mod values;
pub mod variables;
pub mod zones;
