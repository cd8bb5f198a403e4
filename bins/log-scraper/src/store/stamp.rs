//! Whether a file is another one than it was, or was written to.
//!
//! Owns what that is told by. A mount of Kubernetes changes by a link that leads elsewhere: what is asked is
//! the file that it leads to.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Which file it is, how long, and when it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp([i64; 5]);

impl Stamp {
    /// Of a file that links were followed to.
    pub(crate) fn of(status: &Metadata) -> Stamp {
        Stamp([
            status.ino() as i64,
            status.size() as i64,
            status.mtime(),
            status.mtime_nsec(),
            status.dev() as i64,
        ])
    }
}
