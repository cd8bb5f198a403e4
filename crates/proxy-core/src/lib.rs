//! Everything the proxy decides.

pub mod config;
