//! The effects the engine needs: a file system, a place for the checkpoint, and a sink.
//!
//! Owns the two traits and the plain values that cross them. It must not touch the operating
//! system: `bins/log-scraper` implements the traits over it, the simulator over a model disk.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// An open file, as its [`Fs`] numbers it. It outlives the name the file was opened by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle(pub u64);

/// The bit of a handle by which a compressed file is read as what was compressed. An [`Fs`] gives
/// and gets handles without it.
const UNPACKED: u64 = 1 << 63;

impl Handle {
    /// The same file, read as what was compressed.
    pub(crate) fn unpacked(self) -> Handle {
        Handle(self.0 | UNPACKED)
    }

    /// The same file, read as it is.
    pub(crate) fn packed(self) -> Handle {
        Handle(self.0 & !UNPACKED)
    }

    pub(crate) fn is_unpacked(self) -> bool {
        self.0 & UNPACKED != 0
    }
}

/// What tells one file from every other on a volume, as far as the file system knows it.
///
/// An inode number is used again once its file is gone; the time of birth tells the two apart
/// where the file system records it, and the content does where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// Device number, as one opaque value.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Time of birth in nanoseconds since 1970; 0 where the file system has none.
    pub born_ns: u64,
}

/// One look at a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probe {
    /// Which file it is.
    pub id: FileId,
    /// Its size in bytes.
    pub size: u64,
    /// Time of the last write in nanoseconds since 1970.
    pub written_ns: u64,
    /// Time of the last change to the file or its names in nanoseconds since 1970.
    pub changed_ns: u64,
    /// False once no name leads to the file any more.
    pub linked: bool,
}

/// Why the file system did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not allowed to.
    Denied,
    /// There is something else than a regular file at this path.
    NotAFile,
    /// Nothing is there.
    Missing,
    /// No room left on the volume.
    Full,
    /// The process or the system has no file descriptor left.
    TooManyOpen,
    /// A link leads out of the folder that links may stay in.
    Outside,
    /// The file belongs to another program, or another process has it.
    Foreign,
    /// The file system cannot do it.
    Unsupported,
    /// A compressed file: more work is left than one call does.
    More,
    /// Too many compressed files are being read.
    Crowded,
    /// A compressed file ends in the middle: it is being written, or never was to its end.
    CutShort,
    /// A compressed file's bytes make no sense.
    Damaged,
    /// It is compressed in a way that this program cannot read.
    Packed,
    /// Any other error, with the system's number for it.
    Other(i32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Denied => f.write_str("permission denied"),
            Fault::NotAFile => f.write_str("not a regular file"),
            Fault::Missing => f.write_str("no such file or directory"),
            Fault::Full => f.write_str("no space left on device"),
            Fault::TooManyOpen => f.write_str("too many open files"),
            Fault::Outside => f.write_str("a link leads out of its root folder"),
            Fault::Foreign => f.write_str("it is somebody else's file"),
            Fault::Unsupported => f.write_str("the file system cannot do it"),
            Fault::More => f.write_str("not all of it could be unpacked yet"),
            Fault::Crowded => f.write_str("too many compressed files at a time"),
            Fault::CutShort => f.write_str("its compressed data ends in the middle"),
            Fault::Damaged => f.write_str("its compressed data is damaged"),
            Fault::Packed => f.write_str("it is compressed in a way that cannot be read"),
            Fault::Other(number) => f.write_str(&words(*number)),
        }
    }
}

/// The system's words for an error number, in lower case and without the number.
fn words(number: i32) -> String {
    let text = std::io::Error::from_raw_os_error(number).to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let (first, rest) = words.split_at_checked(1).unwrap_or(("", words));
    // Abbreviations stay as they are: I/O error.
    let plain = rest.starts_with(|next: char| next.is_ascii_lowercase());
    if plain { first.to_ascii_lowercase() + rest } else { words.to_owned() }
}

/// The file system as the engine sees it. Object safe and synchronous: no call waits for an event.
pub trait Fs {
    /// Names in a directory, in any order, without `.` and `..`.
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault>;
    /// Looks at what a path leads to, symbolic links followed. [`Fault::NotAFile`] for anything
    /// but a regular file.
    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault>;
    /// The path without links in it: where it leads to, whether there is a file or not.
    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault>;
    /// Whether the path itself is a symbolic link, wherever it leads.
    fn is_link(&mut self, path: &Path) -> bool;
    /// Opens a regular file for reading.
    fn open(&mut self, path: &Path) -> Result<Handle, Fault>;
    /// Looks at an open file.
    fn probe(&mut self, file: Handle) -> Result<Probe, Fault>;
    /// Reads at `offset` into `buf`. Returns how much; it may be less than there is, and 0 means
    /// that the file ends at or before `offset`.
    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault>;
    /// Where data begins at or after `offset`, which is `offset` itself where the file system does
    /// not tell holes from data. `None` if there is none up to the file's end.
    fn data_from(&mut self, file: Handle, offset: u64) -> Result<Option<u64>, Fault>;
    /// Removes the name of a rotated file, if it still leads, by itself and not by a link, to this
    /// file of this size. False if it does not.
    fn remove(&mut self, path: &Path, id: FileId, size: u64) -> Result<bool, Fault>;
    /// Gives the space of a range of the file back: NULs are read there from now on, and its size
    /// stays. The content was proven just before; nothing else ever changes a followed file.
    fn free(&mut self, file: Handle, from: u64, to: u64) -> Result<(), Fault>;
    /// Nothing more is read of an open file for now: what is kept for reading on may be given up.
    fn put_down(&mut self, _file: Handle) {}
    /// Closes. The handle is never used again.
    fn close(&mut self, file: Handle);
    /// Reads from the checkpoint file at `offset`; 0 past its end, [`Fault::Missing`] if there is
    /// no checkpoint file.
    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault>;
    /// Writes all of `bytes` to the checkpoint file at `offset`, creating it if need be. After an
    /// error, or death within the call, any part of that range may have changed, nothing else.
    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault>;
}

/// Why the sink took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkFault {
    /// It has no room now; the caller learns elsewhere when it has.
    Blocked,
    /// Nobody will ever read it.
    Closed,
    /// Another failure, worth trying again later.
    Failed(Fault),
}

/// What a sink took of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// A first part of the bytes, at least one byte. What is left is offered again.
    pub bytes: usize,
    /// They are safe already. If not, the sink acknowledges the offer later, by its number.
    pub safe: bool,
}

/// Where the bytes go. A checkpoint holds only what is safe: where that is known at once, as with a
/// file or a pipe, the sink says so as it takes; where it is known later, as with a store behind
/// a network, it keeps what it took, tries until it is safe, and acknowledges then.
pub trait Sink {
    /// Takes a first part of `bytes`. `number` is one higher at each offer that was taken, and
    /// names what was taken of this one, not what was left. After an error the same bytes are
    /// offered next: a sink may have begun with them.
    fn offer(&mut self, number: u64, bytes: &[u8]) -> Result<Taken, SinkFault>;
    /// The number of an offer that became safe, in any order, perhaps again; `None` if there is
    /// no more to tell. Asked until then at each turn: whoever brings the turns brings one when
    /// something was acknowledged.
    fn acknowledged(&mut self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_said_in_words() {
        for number in 1..134 {
            let said = Fault::Other(number).to_string();
            assert!(said.len() > 4 && !said.contains("os error"), "{number}: {said}");
        }
        assert_eq!(Fault::Other(28).to_string(), Fault::Full.to_string());
    }
}
