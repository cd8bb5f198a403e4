//! The exit codes of all three programs, one table.
//!
//! Only numbers: what each program does before it ends is its own business. The values follow
//! sysexits.h where it has one (64 EX_USAGE, 78 EX_CONFIG), so that a person who sees one in
//! `kubectl describe pod` can look it up.

/// All went well, or the person asked for `--help` or `--version`.
pub const OK: u8 = 0;
/// A check said no: `check http`, `proxy -t`.
pub const FAILED: u8 = 1;
/// Something outside refused while the program ran: a port, a file, a signal.
pub const RUNTIME: u8 = 2;
/// The command line is wrong (EX_USAGE).
pub const USAGE: u8 = 64;
/// The configuration cannot be used (EX_CONFIG).
pub const CONFIG: u8 = 78;
