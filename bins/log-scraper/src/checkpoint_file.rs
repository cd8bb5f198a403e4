//! The checkpoint's file: claimed at the start, held and locked to the end.
//!
//! Owns who may have it. Of what is in it it knows only whether it is a checkpoint at all.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use log::warn;
use rustix::io::Errno;
use sys::file::{self, Lock};
use tail::checkpoint;
use tail::fs::Fault;

use crate::flags::CheckpointSync;
use crate::os_fs::fault;

/// Why the program must not start with this file.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is something else than a checkpoint.
    Foreign(String),
    /// Another process has it.
    Taken(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Refusal::Foreign(why) | Refusal::Taken(why)) = self;
        f.write_str(why)
    }
}

/// Why it is not held.
enum Failure {
    System(io::Error),
    Refused(Refusal),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::System(error)
    }
}

/// The file, or the place where it is to be.
#[derive(Debug)]
pub(crate) struct CheckpointFile {
    path: PathBuf,
    sync: CheckpointSync,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    fd: OwnedFd,
    /// Device and inode.
    id: (u64, u64),
    regular: bool,
    writable: bool,
    /// Behind the last byte written: a file that ends before was cut.
    end: u64,
}

impl CheckpointFile {
    /// Takes the file at `path`, and makes it if there is none. One that cannot be had for another
    /// reason than a [`Refusal`] is tried again at each write.
    ///
    /// # Errors
    /// When it must be left to somebody else.
    pub(crate) fn claim(path: &Path, sync: CheckpointSync) -> Result<CheckpointFile, Refusal> {
        let mut file = CheckpointFile { path: path.to_owned(), sync, held: None };
        match file.hold() {
            Ok(()) | Err(Failure::System(_)) => Ok(file),
            Err(Failure::Refused(refusal)) => Err(refusal),
        }
    }

    /// Device and inode of the file, as long as it is held.
    pub(crate) fn id(&self) -> Option<(u64, u64)> {
        Some(self.held.as_ref()?.id)
    }

    /// Opens, locks and looks into the file.
    fn hold(&mut self) -> Result<(), Failure> {
        self.held = None;
        let shown = self.path.display();
        let opened = file::open_or_create(&self.path).map(|fd| (fd, true));
        let opened = opened.or_else(|error| match Errno::from_io_error(&error) {
            // What it says is worth having even where it cannot be brought up to date.
            Some(Errno::ACCESS | Errno::ROFS) => file::open(&self.path).map(|fd| (fd, false)),
            _ => Err(error),
        });
        let (fd, writable) = match opened {
            Ok(opened) => opened,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::ISDIR) => {
                return foreign(format!("{shown} is a folder: name a file for the checkpoint"));
            }
            Err(error) => return Err(error.into()),
        };
        let seen = file::probe(&fd)?;
        let read = |at: u64, buf: &mut [u8]| file::read_at(&fd, buf, at).unwrap_or(0);
        if seen.regular && checkpoint::is_foreign(read) {
            let advice = "is not a checkpoint and is left as it is: name another file";
            return foreign(format!("{shown} {advice}"));
        }
        if seen.regular && writable {
            match file::lock(&fd) {
                Ok(Lock::Ours) => {}
                Ok(Lock::Held(by)) => {
                    let by = by.map_or_else(|| "another process".to_owned(), name_of);
                    let advice = "each log scraper needs a checkpoint file of its own";
                    let why = format!("{shown} is in use by {by}: {advice}");
                    return Err(Failure::Refused(Refusal::Taken(why)));
                }
                Err(error) => warn!("{shown} cannot be locked: {}; going on", fault(error)),
            }
        }
        let id = (seen.dev, seen.ino);
        self.held = Some(Held { fd, id, regular: seen.regular, writable, end: 0 });
        Ok(())
    }

    /// Reads at `offset`.
    ///
    /// # Errors
    /// [`Fault::Missing`] if there is no file.
    pub(crate) fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        match &self.held {
            // A device gives bytes without end and remembers none.
            Some(held) if !held.regular => Ok(0),
            Some(held) => file::read_at(&held.fd, buf, offset).map_err(fault),
            None => Err(Fault::Missing),
        }
    }

    /// Writes at `offset`, and to the disk if that is asked for.
    ///
    /// # Errors
    /// [`Fault::Missing`] if what was written before is not there any more: the next call begins
    /// with a new file.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        if self.was_taken_away() {
            let held_before = self.held.take().is_some_and(|held| held.end > 0);
            self.hold().map_err(|error| match error {
                Failure::System(error) => fault(error),
                Failure::Refused(_) => Fault::Foreign,
            })?;
            if self.sync == CheckpointSync::Data {
                sync_folder(&self.path)?;
            }
            if held_before {
                return Err(Fault::Missing);
            }
        }
        let Some(held) = self.held.as_mut().filter(|held| held.writable) else {
            return Err(Fault::Denied);
        };
        if !held.regular && self.sync == CheckpointSync::Data {
            // What cannot reach the disk must not count as if it had.
            return Err(Fault::NotAFile);
        }
        file::write_all_at(&held.fd, bytes, offset).map_err(fault)?;
        if self.sync == CheckpointSync::Data {
            file::sync_data(&held.fd).map_err(fault)?;
        }
        held.end = held.end.max(offset + bytes.len() as u64);
        Ok(())
    }

    /// By name each time: a checkpoint in a file that was deleted meanwhile is none.
    fn was_taken_away(&self) -> bool {
        let Some(held) = self.held.as_ref().filter(|held| held.writable) else { return true };
        let seen = file::probe_path(&self.path);
        let is_there = |seen: file::Probe| {
            (seen.dev, seen.ino) == held.id && (!held.regular || seen.size >= held.end)
        };
        !seen.is_ok_and(is_there)
    }
}

fn foreign(why: String) -> Result<(), Failure> {
    Err(Failure::Refused(Refusal::Foreign(why)))
}

/// A new file is on the disk only when its folder is.
fn sync_folder(path: &Path) -> Result<(), Fault> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = file::open(folder.unwrap_or(Path::new("."))).map_err(fault)?;
    file::sync_all(&folder).map_err(fault)
}

fn name_of(process: u32) -> String {
    match std::fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("process {process} ({})", name.trim_end()),
        Err(_) => format!("process {process}"),
    }
}
