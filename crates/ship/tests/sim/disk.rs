//! A model disk, and death: files that are appended to and renamed, a checkpoint that may be torn, and
//! a fuse that burns down with every call. After the end no call has an effect.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tail::checkpoint::PLACE_BYTES;
use tail::fs::{Fault, FileId, Fs, Handle, Probe};

use super::Prng;

/// Calls that are left to live; `u64::MAX` for all there are.
#[derive(Clone, Debug)]
pub(crate) struct Fuse(Rc<Cell<u64>>);

impl Fuse {
    pub(crate) fn new(calls: u64) -> Fuse {
        Fuse(Rc::new(Cell::new(calls)))
    }

    /// A call begins. False if the process is dead, or dies now.
    pub(crate) fn burn(&self) -> bool {
        match self.0.get() {
            u64::MAX => true,
            left => {
                self.0.set(left.saturating_sub(1));
                left > 1
            }
        }
    }

    pub(crate) fn is_out(&self) -> bool {
        self.0.get() == 0
    }
}

#[derive(Debug, Default)]
struct File {
    data: Vec<u8>,
    written_ns: u64,
    is_linked: bool,
}

/// The disk, as one life of the process sees it.
#[derive(Debug)]
pub(crate) struct Disk {
    names: BTreeMap<PathBuf, usize>,
    files: Vec<File>,
    open: BTreeMap<u64, usize>,
    handles: u64,
    /// The two places in the checkpoint file.
    places: [Vec<u8>; 2],
    /// Writes of it that were whole.
    pub(crate) saves: u64,
    clock_ns: u64,
    pub(crate) fuse: Fuse,
    pub(crate) rng: Prng,
}

/// Which place an offset in the checkpoint file is in, and where.
fn place_of(offset: u64) -> (usize, usize) {
    ((offset / PLACE_BYTES) as usize, (offset % PLACE_BYTES) as usize)
}

const DEAD: Fault = Fault::Other(5);

impl Disk {
    pub(crate) fn new(seed: u64) -> Disk {
        Disk {
            names: BTreeMap::new(),
            files: Vec::new(),
            open: BTreeMap::new(),
            handles: 0,
            places: Default::default(),
            saves: 0,
            clock_ns: 1 << 40,
            fuse: Fuse::new(u64::MAX),
            rng: Prng(seed),
        }
    }

    /// Another life begins, with nothing open.
    pub(crate) fn begin(&mut self, fuse: &Fuse) {
        self.open.clear();
        self.fuse = fuse.clone();
    }

    /// Appends to the file at a path, which is made if need be.
    pub(crate) fn append(&mut self, path: &Path, bytes: &[u8]) {
        self.clock_ns += 1;
        let fresh = self.files.len();
        let file = *self.names.entry(path.to_owned()).or_insert(fresh);
        if file == fresh {
            self.files.push(File { is_linked: true, ..File::default() });
        }
        if file != fresh && bytes.is_empty() {
            // Nothing is written, nor is the time of it another one.
            return;
        }
        self.files[file].data.extend_from_slice(bytes);
        self.files[file].written_ns = self.clock_ns;
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        self.names.remove(from).into_iter().for_each(|file| {
            self.names.insert(to.to_owned(), file);
        });
    }

    fn look(&self, file: usize) -> Probe {
        let one = &self.files[file];
        Probe {
            id: FileId { dev: 1, ino: file as u64 + 1, born_ns: file as u64 + 1 },
            size: one.data.len() as u64,
            written_ns: one.written_ns,
            changed_ns: one.written_ns,
            linked: one.is_linked,
        }
    }
}

impl Fs for Disk {
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        if !self.fuse.burn() {
            return Err(DEAD);
        }
        let within = self.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(within.filter_map(|path| path.file_name().map(OsString::from)).collect())
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        if !self.fuse.burn() {
            return Err(DEAD);
        }
        self.names.get(path).map(|file| self.look(*file)).ok_or(Fault::Missing)
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        Ok(path.to_owned())
    }

    fn is_link(&mut self, _: &Path) -> bool {
        false
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        if !self.fuse.burn() {
            return Err(DEAD);
        }
        let file = *self.names.get(path).ok_or(Fault::Missing)?;
        self.handles += 1;
        self.open.insert(self.handles, file);
        Ok(Handle(self.handles))
    }

    fn probe(&mut self, file: Handle) -> Result<Probe, Fault> {
        if !self.fuse.burn() {
            return Err(DEAD);
        }
        Ok(self.look(self.open[&file.0]))
    }

    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        if !self.fuse.burn() {
            return Err(DEAD);
        }
        let data = &self.files[self.open[&file.0]].data;
        let rest = data.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn data_from(&mut self, _: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        Ok(Some(offset))
    }

    fn remove(&mut self, _: &Path, _: FileId, _: u64) -> Result<bool, Fault> {
        Ok(false)
    }

    fn free(&mut self, _: Handle, _: u64, _: u64) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }

    fn close(&mut self, file: Handle) {
        self.open.remove(&file.0);
    }

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        if !self.fuse.burn() {
            return Err(DEAD);
        }
        if self.places.iter().all(Vec::is_empty) {
            return Err(Fault::Missing);
        }
        let (place, at) = place_of(offset);
        let rest = self.places[place].get(at..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let was_alive = !self.fuse.is_out();
        let is_whole = self.fuse.burn();
        let count = match is_whole {
            true => bytes.len(),
            // Death within the call.
            false if was_alive => self.rng.below(bytes.len() as u64 + 1) as usize,
            false => return Err(DEAD),
        };
        let (place, at) = place_of(offset);
        let place = &mut self.places[place];
        place.resize(place.len().max(at + count), 0);
        place[at..at + count].copy_from_slice(&bytes[..count]);
        self.saves += u64::from(is_whole);
        is_whole.then_some(()).ok_or(DEAD)
    }
}
