//! The engine's file system over the real one.
//!
//! Owns the open descriptors and the checkpoint file. It decides nothing: errors go to the engine
//! as they are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use sys::file;
use tail::fs::{Fault, FileId, Fs, Handle, Probe};

/// The real file system.
#[derive(Debug)]
pub(crate) struct OsFs {
    open: BTreeMap<u64, OwnedFd>,
    next: u64,
    checkpoint_path: Option<PathBuf>,
    checkpoint: Option<OwnedFd>,
}

impl OsFs {
    /// With the checkpoint at this path, if there is to be one.
    pub(crate) fn new(checkpoint_path: Option<PathBuf>) -> OsFs {
        OsFs { open: BTreeMap::new(), next: 0, checkpoint_path, checkpoint: None }
    }

    fn get(&self, handle: Handle) -> Result<&OwnedFd, Fault> {
        self.open.get(&handle.0).ok_or(Fault::Other(Errno::BADF.raw_os_error()))
    }

    fn checkpoint_path(&self) -> Result<&Path, Fault> {
        self.checkpoint_path.as_deref().ok_or(Fault::Missing)
    }
}

impl Fs for OsFs {
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        let entries = std::fs::read_dir(dir).map_err(fault)?;
        entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(fault)).collect()
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        to_probe(file::probe_path(path))
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        let fd = file::open(path).map_err(fault)?;
        self.next += 1;
        self.open.insert(self.next, fd);
        Ok(Handle(self.next))
    }

    fn probe(&mut self, handle: Handle) -> Result<Probe, Fault> {
        to_probe(file::probe(self.get(handle)?))
    }

    fn read_at(&mut self, handle: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        file::read_at(self.get(handle)?, buf, offset).map_err(fault)
    }

    fn close(&mut self, handle: Handle) {
        self.open.remove(&handle.0);
    }

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        if self.checkpoint.is_none() {
            self.checkpoint = Some(file::open(self.checkpoint_path()?).map_err(fault)?);
        }
        let opened = self.checkpoint.as_ref().ok_or(Fault::Missing)?;
        file::read_at(opened, buf, offset).map_err(fault)
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        // By name each time: a checkpoint in a file that was deleted meanwhile is none.
        let path = self.checkpoint_path()?;
        let opened = file::open_or_create(path).map_err(fault)?;
        file::write_all_at(&opened, bytes, offset).map_err(fault)
    }
}

fn to_probe(seen: io::Result<file::Probe>) -> Result<Probe, Fault> {
    let seen = seen.map_err(fault)?;
    if !seen.regular {
        return Err(Fault::NotAFile);
    }
    Ok(Probe {
        id: FileId { dev: seen.dev, ino: seen.ino, born_ns: seen.born_ns },
        size: seen.size,
        written_ns: seen.written_ns,
        linked: seen.links > 0,
    })
}

/// The engine's words for the system's errors.
pub(crate) fn fault(error: io::Error) -> Fault {
    match Errno::from_io_error(&error) {
        Some(Errno::ACCESS | Errno::PERM) => Fault::Denied,
        Some(Errno::NOENT | Errno::NOTDIR) => Fault::Missing,
        Some(Errno::ISDIR) => Fault::NotAFile,
        Some(Errno::NOSPC | Errno::DQUOT) => Fault::Full,
        Some(Errno::MFILE | Errno::NFILE) => Fault::TooManyOpen,
        Some(errno) => Fault::Other(errno.raw_os_error()),
        None => Fault::Other(0),
    }
}
