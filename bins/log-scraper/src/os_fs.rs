//! The engine's file system over the real one.
//!
//! Owns the open descriptors, and knows which files this program writes itself and where links
//! lead that are followed. Errors go to the engine as they are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use log::warn;
use rustix::io::Errno;
use sys::file;
use tail::fs::{Fault, FileId, Fs, Handle, Probe};

use crate::checkpoint_file::CheckpointFile;
use crate::roots::Roots;

/// The real file system.
#[derive(Debug)]
pub(crate) struct OsFs {
    open: BTreeMap<u64, OwnedFd>,
    next: u64,
    checkpoint: Option<CheckpointFile>,
    roots: Roots,
    /// Where followed links lead: the file's real path, the followed one, the open file.
    links: BTreeMap<PathBuf, (PathBuf, u64)>,
    /// The real path of each open file that a link led to.
    linked: BTreeMap<u64, PathBuf>,
    links_changed: bool,
    /// Files that stdout and stderr go to: device, inode, name.
    own: Vec<(u64, u64, &'static str)>,
    /// What of its own was left out and said so.
    said: Vec<&'static str>,
}

/// Links in a row that are followed, as many as the system follows.
const LINKS_MAX: u32 = 40;

impl OsFs {
    /// With the checkpoint in this file, if there is to be one.
    pub(crate) fn new(checkpoint: Option<CheckpointFile>, roots: Roots) -> OsFs {
        let regular = |fd: &dyn AsFd, name| {
            let seen = file::probe(fd.as_fd()).ok().filter(|seen| seen.regular)?;
            Some((seen.dev, seen.ino, name))
        };
        let own = [regular(&sys::stdout::fd(), "stdout"), regular(&io::stderr(), "stderr")];
        OsFs {
            open: BTreeMap::new(),
            next: 0,
            checkpoint,
            roots,
            links: BTreeMap::new(),
            linked: BTreeMap::new(),
            links_changed: false,
            own: own.into_iter().flatten().collect(),
            said: Vec::new(),
        }
    }

    /// What this program writes to the file at `path`, if it does.
    pub(crate) fn own_file(&self, path: &Path) -> Option<&'static str> {
        self.own_name(&file::probe_path(path).ok()?)
    }

    /// Folders that followed links lead to: what happens there is told by the files' real paths.
    pub(crate) fn link_folders(&self) -> impl Iterator<Item = PathBuf> {
        self.links.keys().filter_map(|real| real.parent()).map(Path::to_owned)
    }

    /// The followed path that leads to this real one by a link.
    pub(crate) fn followed(&self, real: &Path) -> Option<&Path> {
        self.links.get(real).map(|(followed, _)| followed.as_path())
    }

    /// Whether other folders are to be watched because of links, since this was asked last.
    pub(crate) fn take_links_changed(&mut self) -> bool {
        std::mem::take(&mut self.links_changed)
    }

    fn own_name(&self, seen: &file::Probe) -> Option<&'static str> {
        let id = (seen.dev, seen.ino);
        if self.checkpoint.as_ref().and_then(CheckpointFile::id) == Some(id) {
            return Some("checkpoint");
        }
        self.own.iter().find(|own| (own.0, own.1) == id).map(|own| own.2)
    }

    fn get(&self, handle: Handle) -> Result<&OwnedFd, Fault> {
        self.open.get(&handle.0).ok_or(Fault::Other(Errno::BADF.raw_os_error()))
    }
}

impl Fs for OsFs {
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        let entries = std::fs::read_dir(dir).map_err(fault)?;
        entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(fault)).collect()
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        let seen = file::probe_path(path);
        // What it writes itself would be read, and written again, for ever.
        if let Some(name) = seen.as_ref().ok().and_then(|seen| self.own_name(seen)) {
            if !self.said.contains(&name) {
                warn!("{}: is this program's own {name}, left out", path.display());
                self.said.push(name);
            }
            return Err(Fault::NotAFile);
        }
        to_probe(seen)
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        match std::fs::canonicalize(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => end_of_links(path),
            resolved => resolved.map_err(fault),
        }
    }

    fn is_link(&mut self, path: &Path) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|seen| seen.is_symlink())
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        let split = self.roots.split(path).map_err(|_| Fault::Outside)?;
        let opened = match split {
            Some((root, path)) => sys::beneath::open(&root, &path),
            None => file::open(path),
        };
        let fd = opened.map_err(fault_beneath)?;
        self.next += 1;
        self.open.insert(self.next, fd);
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|seen| seen.is_symlink());
        // Only then: the call takes one for each part of the path.
        if is_link && let Ok(real) = std::fs::canonicalize(path) {
            self.linked.insert(self.next, real.clone());
            self.links.insert(real, (path.to_owned(), self.next));
            self.links_changed = true;
        }
        Ok(Handle(self.next))
    }

    fn probe(&mut self, handle: Handle) -> Result<Probe, Fault> {
        to_probe(file::probe(self.get(handle)?))
    }

    fn read_at(&mut self, handle: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        file::read_at(self.get(handle)?, buf, offset).map_err(fault)
    }

    fn data_from(&mut self, handle: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        Ok(file::data_from(self.get(handle)?, offset))
    }

    fn remove(&mut self, path: &Path, id: FileId, size: u64) -> Result<bool, Fault> {
        let name = path.file_name().ok_or(Fault::Missing)?;
        let folder_of = |path: &Path| path.parent().unwrap_or(Path::new("")).to_owned();
        let folder = match self.roots.split(path).map_err(|_| Fault::Outside)? {
            Some((root, path)) => sys::beneath::open_folder(&root, &folder_of(&path)),
            None => file::open_folder(&Path::new(".").join(folder_of(path))),
        };
        let folder = folder.map_err(fault_beneath)?;
        let is_it = |seen: &file::Probe| {
            let seen_id = FileId { dev: seen.dev, ino: seen.ino, born_ns: seen.born_ns };
            (seen_id, seen.size) == (id, size)
        };
        file::remove(folder, name, is_it).map_err(fault)
    }

    fn free(&mut self, handle: Handle, from: u64, to: u64) -> Result<(), Fault> {
        file::free(self.get(handle)?, from, to).map_err(fault)
    }

    fn close(&mut self, handle: Handle) {
        self.open.remove(&handle.0);
        if let Some(real) = self.linked.remove(&handle.0)
            && self.links.get(&real).is_some_and(|(_, file)| *file == handle.0)
        {
            self.links.remove(&real);
        }
    }

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        self.checkpoint.as_mut().ok_or(Fault::Missing)?.read(offset, buf)
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.checkpoint.as_mut().ok_or(Fault::Missing)?.write(offset, bytes)
    }
}

/// Where a link leads to at whose end there is no file; its folder has to be there.
fn end_of_links(path: &Path) -> Result<PathBuf, Fault> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let name = path.file_name().ok_or(Fault::Missing)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = std::fs::canonicalize(dir.unwrap_or(Path::new("."))).map_err(fault)?;
        path = dir.join(name);
        match std::fs::read_link(&path) {
            Ok(target) => path = dir.join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(Fault::Missing)
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
        changed_ns: seen.changed_ns,
        linked: seen.links > 0,
    })
}

/// The same where links must stay beneath a folder.
fn fault_beneath(error: io::Error) -> Fault {
    match Errno::from_io_error(&error) {
        Some(Errno::XDEV) => Fault::Outside,
        _ => fault(error),
    }
}

/// The engine's words for the system's errors.
pub(crate) fn fault(error: io::Error) -> Fault {
    match Errno::from_io_error(&error) {
        Some(Errno::ACCESS | Errno::PERM) => Fault::Denied,
        Some(Errno::NOENT | Errno::NOTDIR) => Fault::Missing,
        Some(Errno::ISDIR) => Fault::NotAFile,
        Some(Errno::NOSPC | Errno::DQUOT) => Fault::Full,
        Some(Errno::MFILE | Errno::NFILE) => Fault::TooManyOpen,
        Some(Errno::OPNOTSUPP | Errno::NOSYS) => Fault::Unsupported,
        Some(errno) => Fault::Other(errno.raw_os_error()),
        None => Fault::Other(Errno::IO.raw_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_to_nothing_yet_tells_where_it_leads() {
        let folder = std::env::temp_dir().join(format!("links-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("pods")).unwrap();
        let folder = std::fs::canonicalize(folder).unwrap();
        let link = |name: &str, target: &str| {
            std::os::unix::fs::symlink(target, folder.join(name)).unwrap();
        };
        link("first", "second");
        link("second", "pods/app.log");
        link("loop", "loop");
        link("lost", "nowhere/app.log");
        let check = |name: &str, expected: Result<&str, Fault>| {
            let seen = end_of_links(&folder.join(name));
            assert_eq!(seen, expected.map(|name| folder.join(name)), "{name}");
        };
        check("first", Ok("pods/app.log"));
        check("pods/app.log", Ok("pods/app.log"));
        check("loop", Err(Fault::Missing));
        check("lost", Err(Fault::Missing));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
