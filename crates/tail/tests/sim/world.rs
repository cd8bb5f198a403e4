//! The world around the engine: the disk, those who write and rotate, faults, and death.
//!
//! Every call of the engine is a chance for the others to act, for a fault, and for the end of
//! the process. After that end no call has an effect, so the engine may finish its turn in peace.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::actors::Odd;
use super::disk::Disk;
use super::prng::Prng;
use super::reclaim::Given;
use super::store::Output;
use super::{lines_of, numbers};
use crate::checkpoint::Known;
use crate::fs::{Fault, FileId, Fs, Handle, Probe};
use crate::stream::Stream;

/// How a path is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Copied to a new file, then cut.
    Copy,
    /// Renamed to a name with a date or a number that stays.
    Date,
    Delete,
    Rename,
    /// Replaced by a longer copy of itself.
    Replace,
}

/// How far a copy and the cut that follows it have come; nothing is written meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copying {
    /// None is under way.
    No,
    /// The copy is in this file, and has so much of the original.
    Under(usize, usize),
}

/// One that writes numbered lines to a path.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    pub(crate) number: usize,
    pub(crate) path: PathBuf,
    pub(crate) style: Style,
    pub(crate) appends: bool,
    /// The file it has open, and where it is in it.
    pub(crate) file: Option<usize>,
    pub(crate) offset: usize,
    pub(crate) lines: u64,
    /// The rest of a line it has begun.
    pub(crate) rest: Vec<u8>,
    pub(crate) rotations: u32,
    pub(crate) copying: Copying,
    /// Zeros are put before what is to be written, so many at a time; 0 for none.
    pub(crate) ahead: usize,
    /// A write of it has begun, whose bytes come before the turn ends.
    pub(crate) writing: bool,
}

/// A rotated file that is being compressed. Nobody rotates meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct Packing {
    pub(crate) path: PathBuf,
    pub(crate) file: usize,
    /// The compressed file, and what is to be in it.
    pub(crate) to: usize,
    pub(crate) bytes: Vec<u8>,
}

/// Everything outside the engine.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: Prng,
    pub(crate) disk: Disk,
    pub(crate) writers: Vec<Writer>,
    /// What the process under test got out in its present life.
    pub(crate) output: Output,
    pub(crate) checkpoints: u64,
    /// The first look ever at all paths is over.
    pub(crate) looked_around: bool,
    pub(crate) dead: bool,
    /// Calls left to live.
    pub(crate) calls_left: Option<u64>,
    pub(crate) faults: bool,
    /// Others act during calls.
    pub(crate) busy: bool,
    /// How often they may until the turn ends.
    pub(crate) acts_left: u32,
    pub(crate) line_bytes_max: u64,
    /// Open files, and how far they were read when the last turn ended.
    pub(crate) read_to: Vec<(usize, u64)>,
    /// Lines written out in earlier lives.
    pub(crate) delivered: BTreeSet<(usize, u64)>,
    /// What else may happen.
    pub(crate) odd: Odd,
    /// Rotated files that were moved away, and where they were.
    pub(crate) away: Vec<(PathBuf, PathBuf)>,
    /// Two paths have exchanged their files, and not both have been looked at since.
    pub(crate) exchanged: bool,
    /// Paths that were touched since the last turn.
    pub(crate) touched: Vec<PathBuf>,
    /// Files that the process may have open.
    pub(crate) open_max: usize,
    /// One rotation in so many takes place; 0 for all.
    pub(crate) calm: u64,
    /// Disk space that was given back.
    pub(crate) given: Given,
    pub(crate) packing: Option<Packing>,
    /// How many bytes are in each compressed file, and which file they were in.
    pub(crate) packed: BTreeMap<usize, (u64, usize)>,
}

/// The bytes of a line; its length follows from its numbers, too.
pub(crate) fn line(writer: usize, number: u64, line_bytes_max: u64) -> Vec<u8> {
    let mut rng = Prng::new(number * 31 + writer as u64);
    let long = rng.once_in(20);
    let padding = rng.below(if long { line_bytes_max } else { 40 });
    let mut line = format!("w{writer} {number:06} ").into_bytes();
    // No stretch of a long line is that of another one, as far as a guard: where a file was cut and has
    // grown again, the same bytes before the frontier say that it was not.
    let drift = number % 23 + 1;
    line.extend((0..padding).map(|i| b'a' + ((i + number + i / 64 * drift) % 26) as u8));
    line.push(b'\n');
    line
}

/// What a stream knows of its files: numbers and frontiers.
pub(crate) fn files_of(stream: &Stream) -> String {
    let open = stream.generations.iter().map(|one| (one.id().ino, one.written.frontier));
    let known = |known: &Known| {
        let kind = if known.foreign { " foreign" } else { "" };
        format!("{}:{}{kind}", known.position.id.ino, known.position.frontier)
    };
    let closed: Vec<_> = stream.closed.iter().map(known).collect();
    let gone: Vec<_> = stream.gone.iter().map(known).collect();
    format!(
        "  {} open {:?} closed {closed:?} gone {gone:?}",
        stream.path.display(),
        open.collect::<Vec<_>>()
    )
}

/// Tells what happens, on request: `SIM_TRACE=1` with one seed.
pub(crate) fn trace(what: impl FnOnce() -> String) {
    if std::env::var_os("SIM_TRACE").is_some() {
        println!("{}", what());
    }
}

impl World {
    /// Lines that can no longer be had by anybody, after the process died.
    pub(crate) fn unreachable_files(&self) -> Vec<usize> {
        let open = self.disk.open.values();
        open.copied().filter(|file| self.disk.inodes[*file].links == 0).collect()
    }

    /// Lines of files that were compressed, or are being, and of which one each: the README promises
    /// no order of them among those of other files.
    pub(crate) fn packed_lines(&self) -> BTreeMap<(usize, u64), usize> {
        let whole = self.packed.values().map(|(_, from)| *from);
        let files = whole.chain(self.packing.iter().map(|packing| packing.file));
        let mut packed = BTreeMap::new();
        for file in files.filter(|file| *file < self.disk.inodes.len()) {
            let mut text = self.disk.inodes[file].data.clone();
            text.retain(|byte| *byte != 0);
            packed.extend(lines_of(&text).filter_map(numbers).map(|line| (line, file)));
        }
        packed
    }

    /// A call begins. False if the process is dead, or dies now.
    pub(crate) fn enter(&mut self) -> bool {
        if self.dead {
            return false;
        }
        if self.busy && self.acts_left > 0 && self.rng.once_in(6) {
            self.acts_left -= 1;
            self.act();
        }
        match &mut self.calls_left {
            Some(0) => {
                trace(|| "  dies".to_owned());
                self.dead = true;
                false
            }
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        }
    }

    pub(crate) fn fault(&mut self, once_in: u64) -> bool {
        self.faults && self.rng.once_in(once_in)
    }
}

/// The traits of the engine over a shared world.
#[derive(Clone, Debug)]
pub(crate) struct Hands(pub(crate) Rc<RefCell<World>>);

const EIO: Fault = Fault::Other(5);

impl Fs for Hands {
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() || world.fault(100) {
            return Err(EIO);
        }
        Ok(world.disk.list(dir))
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        let file = world.disk.lookup(path).ok_or(Fault::Missing)?;
        Ok(world.disk.probe(file))
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        let world = self.0.borrow();
        Ok(world.disk.resolve(path))
    }

    fn is_link(&mut self, path: &Path) -> bool {
        self.0.borrow().disk.links.contains_key(path)
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        if world.fault(100) || world.disk.open.len() >= world.open_max {
            return Err(Fault::TooManyOpen);
        }
        if world.disk.lookup(path).is_some_and(|file| world.disk.inodes[file].denied) {
            return Err(Fault::Denied);
        }
        world.disk.open(path).map(Handle).ok_or(Fault::Missing)
    }

    fn probe(&mut self, file: Handle) -> Result<Probe, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        let file = world.disk.open[&file.0];
        Ok(world.disk.probe(file))
    }

    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() || world.fault(60) {
            return Err(EIO);
        }
        let file = world.disk.open[&file.0];
        let there = world.disk.inodes[file].data.len().saturating_sub(offset as usize);
        let mut count = there.min(buf.len());
        if count > 1 && world.faults && world.rng.once_in(5) {
            count = world.rng.between(1, count as u64) as usize;
        }
        let data = world.disk.inodes[file].data.get(offset as usize..).unwrap_or_default();
        buf[..count].copy_from_slice(&data[..count]);
        Ok(count)
    }

    fn data_from(&mut self, file: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        let file = world.disk.open[&file.0];
        Ok(world.disk.data_from(file, offset))
    }

    fn remove(&mut self, path: &Path, id: FileId, size: u64) -> Result<bool, Fault> {
        self.0.borrow_mut().remove(path, id, size)
    }

    fn free(&mut self, file: Handle, from: u64, to: u64) -> Result<(), Fault> {
        self.0.borrow_mut().free(file.0, from, to)
    }

    fn close(&mut self, file: Handle) {
        let mut world = self.0.borrow_mut();
        if world.enter() {
            world.disk.close(file.0);
        }
    }

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        let (slot, at) = Disk::slot_of(offset);
        let rest = world.disk.slots[slot].get(at..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let mut world = self.0.borrow_mut();
        if world.dead {
            return Err(EIO);
        }
        let first = world.checkpoints == 0;
        if !world.enter() || !first && world.fault(10) {
            // Any part of it may have been written.
            let count = world.rng.below(bytes.len() as u64) as usize;
            world.disk.write_slot(offset, &bytes[..count]);
            world.output.promised_bytes = None;
            return Err(Fault::Full);
        }
        world.disk.write_slot(offset, bytes);
        world.checkpoints += 1;
        trace(|| format!("  checkpoint of {} bytes at {offset}", bytes.len()));
        world.output.note_checkpoint();
        Ok(())
    }
}
