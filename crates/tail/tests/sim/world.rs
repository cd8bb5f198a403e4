//! The world around the engine: the disk, those who write and rotate, faults, and death.
//!
//! Every call of the engine is a chance for the others to act, for a fault, and for the end of
//! the process. After that end no call has an effect, so the engine may finish its turn in peace.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::disk::Disk;
use super::prng::Prng;
use super::store::Output;
use crate::fs::{Fault, Fs, Handle, Probe};

/// Rotations of one path in all: they are never deleted, and each is looked at again and again.
const ROTATIONS_MAX: u32 = 12;

/// How a path is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Copy,
    Delete,
    Rename,
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
    pub(crate) dead: bool,
    /// Calls left to live.
    pub(crate) calls_left: Option<u64>,
    pub(crate) faults: bool,
    /// Others act during calls.
    pub(crate) busy: bool,
    /// How often they may until the turn ends.
    pub(crate) acts_left: u32,
    pub(crate) line_bytes_max: u64,
    /// Files, and their sizes, that were read to their end when the last turn ended.
    pub(crate) caught_up: Vec<(usize, u64)>,
}

/// The bytes of a line; its length follows from its numbers, too.
pub(crate) fn line(writer: usize, number: u64, line_bytes_max: u64) -> Vec<u8> {
    let mut rng = Prng::new(number * 31 + writer as u64);
    let long = rng.once_in(20);
    let padding = rng.below(if long { line_bytes_max } else { 40 });
    let mut line = format!("w{writer} {number:06} ").into_bytes();
    line.extend((0..padding).map(|i| b'a' + ((i + number) % 26) as u8));
    line.push(b'\n');
    line
}

/// Tells what happens, on request: `SIM_TRACE=1` with one seed.
pub(crate) fn trace(what: impl FnOnce() -> String) {
    if std::env::var_os("SIM_TRACE").is_some() {
        println!("{}", what());
    }
}

impl World {
    /// One of the others does something.
    pub(crate) fn act(&mut self) {
        let at = self.rng.below(self.writers.len() as u64) as usize;
        match self.rng.below(12) {
            0 => self.rotate(at),
            1 => self.reopen(at),
            _ => self.write(at),
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let writer = &mut self.writers[at];
        let Some(file) = writer.file else { return };
        match writer.appends {
            true => self.disk.append(file, bytes),
            false => self.disk.write_at(file, writer.offset, bytes),
        }
        writer.offset += bytes.len();
    }

    pub(crate) fn finish_line(&mut self, at: usize) {
        let rest = std::mem::take(&mut self.writers[at].rest);
        self.put(at, &rest);
    }

    fn write(&mut self, at: usize) {
        if self.writers[at].file.is_none() {
            return self.reopen(at);
        }
        if !self.writers[at].rest.is_empty() {
            return self.finish_line(at);
        }
        for _ in 0..self.rng.between(1, 6) {
            let writer = &mut self.writers[at];
            let line = line(writer.number, writer.lines, self.line_bytes_max);
            writer.lines += 1;
            self.put(at, &line);
        }
        if self.rng.once_in(4) {
            let writer = &mut self.writers[at];
            let line = line(writer.number, writer.lines, self.line_bytes_max);
            writer.lines += 1;
            let cut = self.rng.between(1, line.len() as u64 - 1) as usize;
            self.put(at, &line[..cut]);
            self.writers[at].rest = line[cut..].to_vec();
        }
    }

    /// The writer goes over to the file that is at its path now.
    pub(crate) fn reopen(&mut self, at: usize) {
        self.finish_line(at);
        trace(|| format!("  reopen {at} line {}", self.writers[at].lines));
        let path = self.writers[at].path.clone();
        let file = match self.disk.names.get(&path) {
            Some(file) => *file,
            None => self.disk.create(&path),
        };
        self.disk.open_for_writing(file);
        if let Some(old) = self.writers[at].file.replace(file) {
            self.disk.close_for_writing(old);
        }
        self.writers[at].offset = self.disk.inodes[file].data.len();
    }

    fn rotate(&mut self, at: usize) {
        let path = self.writers[at].path.clone();
        trace(|| {
            format!(
                "  rotate? {} {:?} file {:?} names {:?}",
                path.display(),
                self.writers[at].style,
                self.writers[at].file,
                self.disk.names
            )
        });
        // Until the first checkpoint is there, nothing that is rotated is known to be ours.
        let often = self.writers[at].rotations >= ROTATIONS_MAX;
        if self.checkpoints == 0 || often || !self.disk.names.contains_key(&path) {
            return;
        }
        match self.writers[at].style {
            Style::Rename => {
                self.shift(&path);
                self.disk.rename(&path, &with_suffix(&path, 1));
                // The new file may be made at once or by the writer, which may come late.
                if self.rng.once_in(2) {
                    self.disk.create(&path);
                }
                if self.rng.once_in(2) {
                    self.reopen(at);
                }
            }
            Style::Delete => {
                let file = self.disk.names[&path];
                // What nobody holds is lost with its name, to whoever reads.
                if self.dead || !self.disk.is_open(file) {
                    return;
                }
                self.disk.unlink(&path);
                self.reopen(at);
            }
            Style::Copy => self.copy_and_cut(at, &path),
        }
        self.writers[at].rotations += 1;
    }

    fn copy_and_cut(&mut self, at: usize, path: &Path) {
        self.finish_line(at);
        let file = self.disk.names[path];
        // Only what was read before is promised to survive a cut.
        let size = self.disk.inodes[file].data.len() as u64;
        if self.dead || !self.caught_up.contains(&(file, size)) {
            return;
        }
        self.shift(path);
        let copy = self.disk.create(&with_suffix(path, 1));
        let data = self.disk.inodes[file].data.clone();
        self.disk.append(copy, &data);
        self.disk.cut(file);
        if self.rng.once_in(3) {
            self.write(at);
        }
    }

    fn shift(&mut self, path: &Path) {
        let count = (1..).take_while(|n| self.disk.names.contains_key(&with_suffix(path, *n)));
        for n in (1..=count.count() as u32).rev() {
            self.disk.rename(&with_suffix(path, n), &with_suffix(path, n + 1));
        }
    }

    /// Lines that can no longer be had by anybody, after the process died.
    pub(crate) fn unreachable_files(&self) -> Vec<usize> {
        let open = self.disk.open.values();
        open.copied().filter(|file| self.disk.inodes[*file].links == 0).collect()
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

fn with_suffix(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
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
        let names = world.disk.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| path.file_name()).map(OsString::from).collect())
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        let file = world.disk.names.get(path).copied().ok_or(Fault::Missing)?;
        Ok(world.disk.probe(file))
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        let mut world = self.0.borrow_mut();
        if !world.enter() {
            return Err(EIO);
        }
        if world.fault(100) {
            return Err(Fault::TooManyOpen);
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
