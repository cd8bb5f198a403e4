//! What the engine tells: counters, and notices for the operator.
//!
//! Owns their names and words. It must not decide how often a notice is said: the program that
//! logs them does, by [`Notice::topic`].

use std::fmt;
use std::path::PathBuf;

use crate::checkpoint::Damage;
use crate::fs::Fault;

/// Counters since the start, and gauges as of the last turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Line ends written out.
    pub lines: u64,
    /// Bytes of files written out.
    pub bytes: u64,
    /// Gauge: bytes known to be in files and not written out yet, or not acknowledged.
    pub lag_bytes: u64,
    /// Generations that took over a path from another one.
    pub rotations: u64,
    /// Files that were cut.
    pub truncations: u64,
    /// Gauge: files held open.
    pub files: u64,
    /// Checkpoints that could not be written.
    pub checkpoint_failures: u64,
    /// Reads and listings that failed.
    pub read_errors: u64,
    /// NUL bytes left out: holes, and the start of a file that was cut under a writer that does not
    /// append.
    pub nul_bytes_skipped: u64,
    /// Gauge: paths that a pattern leads to and that are left out for want of room.
    pub left_out: u64,
    /// Rotated files that were removed, delivered.
    pub removed_files: u64,
    /// Rotated files that could not be removed.
    pub remove_failures: u64,
    /// Bytes of files at their paths whose space was freed.
    pub freed_bytes: u64,
    /// Space that could not be freed.
    pub free_failures: u64,
    /// Gauge: folders that a pattern leads to and that are left out for want of room.
    pub folders_left_out: u64,
    /// Compressed files of which something, or all, could not be read and is lost.
    pub packed_lost: u64,
}

/// Something an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A part of the checkpoint is not believed.
    BadCheckpoint(Damage),
    /// Nothing of the checkpoint can be believed: everything is read from the beginning.
    Recovering,
    /// The checkpoint could not be written; the bytes are out all the same.
    CheckpointFailed(Fault),
    /// A path cannot be opened, read or listed. It is tried again.
    Unreadable(PathBuf, Fault),
    /// A path that could not be read is followed now.
    Following(PathBuf),
    /// There is no such file yet.
    Waiting(PathBuf),
    /// Another file took over this path.
    Rotated(PathBuf),
    /// The file was cut and is read from its beginning.
    Truncated(PathBuf),
    /// A generation that the checkpoint knew is gone.
    Gone(PathBuf),
    /// So many paths that a pattern leads to are left out; so many are followed at most.
    LeftOut(usize, usize),
    /// So many folders that a pattern leads to are left out; so many are listed at most.
    FoldersLeftOut(usize, usize),
    /// Two followed paths lead to one file, which is read once.
    SameFile(PathBuf),
    /// A file that was compressed before it was read cannot be read; so many bytes of it are there.
    Unpackable(PathBuf, Fault, u64),
    /// What a compressed file has from so many bytes on cannot be read.
    BrokenOff(PathBuf, Fault, u64),
    /// The sink failed. It is tried again.
    SinkFailed(Fault),
    /// A rotated file was removed: all of it is out, and a checkpoint says so.
    Removed(PathBuf),
    /// A rotated file of a followed path cannot be removed. It is tried again.
    NotRemoved(PathBuf, PathBuf, Fault),
    /// What was read of a file keeps its space. It is tried again where the file system can do it.
    NotFreed(PathBuf, Fault),
}

impl Notice {
    /// Whether it tells of trouble.
    pub fn is_fault(&self) -> bool {
        match self {
            Notice::BadCheckpoint(_)
            | Notice::Recovering
            | Notice::CheckpointFailed(_)
            | Notice::Unreadable(..)
            | Notice::Gone(_)
            | Notice::LeftOut(..)
            | Notice::NotRemoved(..)
            | Notice::NotFreed(..)
            | Notice::FoldersLeftOut(..)
            | Notice::Unpackable(..)
            | Notice::BrokenOff(..)
            | Notice::SinkFailed(_) => true,
            Notice::Following(_)
            | Notice::Waiting(_)
            | Notice::Rotated(_)
            | Notice::Removed(_)
            | Notice::Truncated(_)
            | Notice::SameFile(_) => false,
        }
    }

    /// What to throttle by: notices of one topic and one path say the same again.
    pub fn topic(&self) -> (&'static str, Option<&PathBuf>) {
        match self {
            Notice::BadCheckpoint(_) => ("bad-checkpoint", None),
            Notice::Recovering => ("recovering", None),
            Notice::CheckpointFailed(_) => ("checkpoint", None),
            Notice::Unreadable(path, _) => ("unreadable", Some(path)),
            Notice::Following(path) => ("following", Some(path)),
            Notice::Waiting(path) => ("waiting", Some(path)),
            Notice::Rotated(path) => ("rotated", Some(path)),
            Notice::Truncated(path) => ("truncated", Some(path)),
            Notice::Gone(path) => ("gone", Some(path)),
            Notice::LeftOut(..) => ("left-out", None),
            Notice::FoldersLeftOut(..) => ("folders-left-out", None),
            Notice::SameFile(path) => ("same-file", Some(path)),
            Notice::Unpackable(path, ..) | Notice::BrokenOff(path, ..) => ("packed", Some(path)),
            Notice::SinkFailed(_) => ("sink", None),
            Notice::Removed(path) => ("removed", Some(path)),
            Notice::NotRemoved(_, of, _) => ("not-removed", Some(of)),
            Notice::NotFreed(path, _) => ("not-freed", Some(path)),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::BadCheckpoint(damage) => write!(f, "checkpoint: a part is left out: {damage}"),
            Notice::Recovering => {
                f.write_str("checkpoint: nothing of it can be believed, reading from the beginning")
            }
            Notice::CheckpointFailed(fault) => {
                write!(f, "checkpoint: cannot write: {fault}; going on, trying again")
            }
            Notice::Unreadable(path, fault) => {
                write!(f, "{}: {fault}; trying again", path.display())
            }
            Notice::Following(path) => write!(f, "{}: following", path.display()),
            Notice::Waiting(path) => write!(f, "{}: not there yet, waiting", path.display()),
            Notice::Rotated(path) => write!(f, "{}: rotated", path.display()),
            Notice::Truncated(path) => {
                write!(f, "{}: truncated, reading from its beginning", path.display())
            }
            Notice::Gone(path) => {
                write!(f, "{}: a file the checkpoint knows is gone", path.display())
            }
            Notice::LeftOut(count, max) => {
                write!(f, "{count} files are left out: {max} are followed at most")
            }
            Notice::FoldersLeftOut(count, max) => {
                write!(f, "{count} folders are left out: {max} are listed for a pattern at most")
            }
            Notice::SameFile(path) => {
                write!(f, "{}: is another followed file too, read once", path.display())
            }
            Notice::Unpackable(path, fault, bytes) => write!(
                f,
                "{}: was compressed while it was not followed, and {fault}: what of its {bytes} bytes was not read is lost",
                path.display()
            ),
            Notice::BrokenOff(path, fault, frontier) => write!(
                f,
                "{}: {fault}: what follows its first {frontier} bytes is lost",
                path.display()
            ),
            Notice::SinkFailed(fault) => write!(f, "stdout: {fault}; trying again"),
            Notice::Removed(path) => write!(f, "{}: removed, delivered", path.display()),
            Notice::NotRemoved(path, _, fault) => {
                write!(f, "{}: cannot be removed: {fault}; trying again", path.display())
            }
            Notice::NotFreed(path, fault) => {
                write!(f, "{}: space cannot be freed: {fault}", path.display())
            }
        }
    }
}
