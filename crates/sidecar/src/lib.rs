//! What the programs of the kit share.
//!
//! In scope: exit codes, the command line's common types, logging, signals, the `check`
//! subcommand, the admin endpoint and its metrics text.
//! Out of scope: anything one program alone needs, the proxy's data path, the tail engine.

pub mod admin;
pub mod check;
pub mod cli;
pub mod exit;
pub mod logging;
pub mod metrics;
pub mod signals;
