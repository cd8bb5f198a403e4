//! The operating system as the kit sees it: a safe, thin layer over rustix.
//!
//! It owns no policy: no retries, no timeouts, no knowledge of HTTP or of log files.

pub mod beneath;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
#[allow(unsafe_code, reason = "machine code is nothing that the compiler could check")]
mod copy;
pub mod file;
pub mod inotify;
pub mod limits;
#[cfg(all(panic = "abort", target_env = "musl"))]
mod no_unwind;
pub mod poller;
pub mod signals;
pub mod socket;
pub mod start;
pub mod stdout;
pub mod wake;
