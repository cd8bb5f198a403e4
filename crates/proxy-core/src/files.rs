//! What the core asks of a file system: to look at a name, to open a file, to read it.
//!
//! Traits and plain answers only. The program's is the system's, tests have one in memory. No call
//! waits for anything but the disk.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::net::Cause;

/// A file system. Paths are bytes without NUL.
pub trait Files: fmt::Debug + Send + Sync {
    /// Opens for reading what a path leads to; a folder too, which has no bytes to read.
    fn open(&self, path: &[u8], links: Links) -> Result<Opened, Cause>;
    /// Looks at what a path leads to.
    fn look(&self, path: &[u8], links: Links) -> Result<Facts, Cause>;
    /// The first names in a folder, 100,000 of them, with what they lead to; a link that leads nowhere stands for itself.
    fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Facts)>, Cause>;
    /// The path without links in it.
    fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, Cause>;
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    /// Of which kind it is.
    pub kind: Kind,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub modified_s: i64,
    /// Whether its owner may execute it.
    pub is_executable: bool,
}

impl Facts {
    /// When it was last written, as dates tell it: what is before 1970 is at its beginning.
    pub fn told_modified_s(&self) -> u64 {
        u64::try_from(self.modified_s).unwrap_or(0)
    }
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A device, a pipe or a socket: nothing that has a length.
    Other,
}

/// Which links of a path are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// nginx: `disable_symlinks`.
    pub rule: LinkRule,
    /// Where the part of the path begins, at a slash, that the rule is for; 0 is all of it.
    pub from: usize,
}

/// nginx: `disable_symlinks`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkRule {
    /// All are followed.
    #[default]
    All,
    /// Those whose owner is that of what they lead to.
    SameOwner,
    /// None is.
    Nothing,
}

impl Links {
    /// All links are followed.
    pub const FOLLOWED: Links = Links { rule: LinkRule::All, from: 0 };
}

/// An open file and what it was when it was opened.
#[derive(Debug)]
pub struct Opened {
    /// What it is.
    pub facts: Facts,
    /// Its bytes.
    pub file: Box<dyn File>,
}

/// An open file.
pub trait File: fmt::Debug {
    /// Reads at `offset`; 0 at or behind the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Cause>;
    /// For a socket that knows a way of its own to send it.
    fn as_any(&self) -> &dyn Any;
}

/// Fills the room from a place of a file on; how much of it, which is less where the file ends.
///
/// # Errors
/// The first read that fails.
pub fn fill(file: &dyn File, room: &mut [u8], from: u64) -> Result<usize, Cause> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// What sending a part of a file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSent {
    /// So many bytes went, at least one.
    Bytes(usize),
    /// The socket takes none now.
    Nothing,
    /// The connection is gone.
    Broken(Cause),
    /// The file has no bytes there any more.
    Cut,
    /// The file cannot be read.
    Unreadable(Cause),
}

/// No file system: nothing is anywhere.
#[derive(Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn open(&self, _: &[u8], _: Links) -> Result<Opened, Cause> {
        Err(Cause::NO_ENTRY)
    }

    fn look(&self, _: &[u8], _: Links) -> Result<Facts, Cause> {
        Err(Cause::NO_ENTRY)
    }

    fn list(&self, _: &[u8]) -> Result<Vec<(Vec<u8>, Facts)>, Cause> {
        Err(Cause::NO_ENTRY)
    }

    fn real_path(&self, _: &[u8]) -> Result<Vec<u8>, Cause> {
        Err(Cause::NO_ENTRY)
    }
}

/// The file system that there is.
pub type FileSystem = Arc<dyn Files>;
