//! A model disk: names, inodes that outlive their names while they are open, numbers used again,
//! and a checkpoint file that can be torn. No faults: those are the world's.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::checkpoint::PLACE_BYTES;
use crate::fs::{FileId, Probe};

#[derive(Clone, Debug, Default)]
pub(crate) struct Inode {
    pub(crate) number: u64,
    pub(crate) born_ns: u64,
    pub(crate) written_ns: u64,
    pub(crate) links: u32,
    /// Descriptors of writers.
    pub(crate) writers: u32,
    /// The process under test may not open it.
    pub(crate) denied: bool,
    /// Zeros in it are holes.
    pub(crate) sparse: bool,
    pub(crate) changed_ns: u64,
    pub(crate) data: Vec<u8>,
    /// Blocks that take no space any more.
    freed: BTreeSet<usize>,
}

impl Inode {
    /// Space that the first `len` bytes take, what is NULs not counted.
    pub(crate) fn used_bytes(&self, len: usize) -> usize {
        let blocks = self.data[..len].chunks(BLOCK_BYTES).enumerate();
        let is_used = |block: &[u8]| block.iter().any(|byte| *byte != 0);
        let used = blocks.filter(|(at, block)| !self.freed.contains(at) && is_used(block));
        used.count() * BLOCK_BYTES
    }
}

/// The disk. Inodes are never forgotten, only their numbers are given away again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) names: BTreeMap<PathBuf, usize>,
    /// Symbolic links, and where they lead to.
    pub(crate) links: BTreeMap<PathBuf, PathBuf>,
    pub(crate) inodes: Vec<Inode>,
    /// Open files of the process under test.
    pub(crate) open: BTreeMap<u64, usize>,
    pub(crate) slots: [Vec<u8>; 2],
    /// The one that was written last.
    pub(crate) last_slot: usize,
    pub(crate) has_births: bool,
    free_numbers: Vec<u64>,
    next_number: u64,
    next_handle: u64,
    clock_ns: u64,
    serial: u64,
}

/// Bytes of a hole, at least.
const BLOCK_BYTES: usize = 16;
/// Steps of the clock are so far apart that times never repeat.
const CLOCK_STEP_NS: u64 = 1 << 24;

impl Disk {
    /// An empty disk, with or without times of birth.
    pub(crate) fn new(has_births: bool) -> Disk {
        Disk { has_births, clock_ns: CLOCK_STEP_NS << 8, ..Disk::default() }
    }

    fn tick(&mut self) -> u64 {
        self.serial += 1;
        self.clock_ns + self.serial
    }

    /// The wall clock is set back or forth; no time comes twice.
    pub(crate) fn step_clock(&mut self, back: bool) {
        match back {
            true => self.clock_ns -= CLOCK_STEP_NS,
            false => self.clock_ns += CLOCK_STEP_NS + CLOCK_STEP_NS / 2,
        }
    }

    /// Where a path leads to.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        let target = self.links.get(path).map_or(path, PathBuf::as_path);
        target.to_owned()
    }

    /// The file that a path leads to.
    /// The files that have a text, names or not.
    pub(crate) fn files_with(&self, text: &[u8]) -> Vec<usize> {
        let has = |file: &usize| {
            let data = &self.inodes[*file].data;
            memchr::memmem::find(data, text).is_some()
        };
        (0..self.inodes.len()).filter(has).collect()
    }

    pub(crate) fn lookup(&self, path: &Path) -> Option<usize> {
        self.names.get(&self.resolve(path)).copied()
    }

    pub(crate) fn is_free(&self, path: &Path) -> bool {
        !self.names.contains_key(path) && !self.links.contains_key(path)
    }

    pub(crate) fn create(&mut self, path: &Path) -> usize {
        let now_ns = self.tick();
        let number = self.free_numbers.pop().unwrap_or_else(|| {
            self.next_number += 1;
            self.next_number
        });
        self.inodes.push(Inode {
            number,
            born_ns: if self.has_births { now_ns } else { 0 },
            written_ns: now_ns,
            links: 1,
            ..Inode::default()
        });
        let inode = self.inodes.len() - 1;
        assert!(self.names.insert(path.to_owned(), inode).is_none(), "the name is free");
        inode
    }

    pub(crate) fn append(&mut self, inode: usize, bytes: &[u8]) {
        let now_ns = self.tick();
        self.inodes[inode].data.extend_from_slice(bytes);
        self.inodes[inode].written_ns = now_ns;
    }

    /// A write begins: its time is seen before its bytes are.
    pub(crate) fn begin_write(&mut self, inode: usize) {
        self.inodes[inode].written_ns = self.tick();
    }

    /// As a writer does that keeps its own offset: a hole of NULs where the file was cut.
    pub(crate) fn write_at(&mut self, inode: usize, offset: usize, bytes: &[u8]) {
        let now_ns = self.tick();
        let file = &mut self.inodes[inode];
        file.data.resize(file.data.len().max(offset + bytes.len()), 0);
        file.data[offset..offset + bytes.len()].copy_from_slice(bytes);
        file.written_ns = now_ns;
    }

    pub(crate) fn cut(&mut self, inode: usize) {
        let now_ns = self.tick();
        self.inodes[inode].data.clear();
        self.inodes[inode].freed.clear();
        self.inodes[inode].written_ns = now_ns;
    }

    /// Frees what whole blocks there are in a range, all of which is NULs afterwards.
    pub(crate) fn free(&mut self, inode: usize, from: usize, to: usize) {
        let now_ns = self.tick();
        let file = &mut self.inodes[inode];
        file.data[from..to].fill(0);
        file.freed.extend(from.div_ceil(BLOCK_BYTES)..to / BLOCK_BYTES);
        file.written_ns = now_ns;
    }

    /// What was at the new name has lost it.
    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        let now_ns = self.tick();
        let inode = self.names.remove(from).expect("there is a file to rename");
        self.inodes[inode].changed_ns = now_ns;
        if let Some(old) = self.names.insert(to.to_owned(), inode) {
            self.lose_link(old, now_ns);
        }
    }

    /// A second name.
    pub(crate) fn link(&mut self, inode: usize, path: &Path) {
        self.inodes[inode].changed_ns = self.tick();
        self.inodes[inode].links += 1;
        assert!(self.names.insert(path.to_owned(), inode).is_none(), "the name is free");
    }

    pub(crate) fn unlink(&mut self, path: &Path) {
        let now_ns = self.tick();
        let inode = self.names.remove(path).expect("there is a file to delete");
        self.lose_link(inode, now_ns);
    }

    fn lose_link(&mut self, inode: usize, now_ns: u64) {
        self.inodes[inode].changed_ns = now_ns;
        self.inodes[inode].links -= 1;
        self.free_if_unused(inode);
    }

    /// Names in a directory.
    pub(crate) fn list(&self, dir: &Path) -> Vec<OsString> {
        let paths = self.names.keys().chain(self.links.keys());
        let within = paths.filter(|path| path.parent() == Some(dir));
        within.filter_map(|path| path.file_name()).map(OsString::from).collect()
    }

    /// Where data begins at or behind an offset.
    pub(crate) fn data_from(&self, inode: usize, offset: u64) -> Option<u64> {
        let file = &self.inodes[inode];
        file.data.get(offset as usize..).filter(|rest| !rest.is_empty())?;
        let mut offset = offset;
        while file.freed.contains(&(offset as usize / BLOCK_BYTES)) {
            offset = ((offset as usize / BLOCK_BYTES + 1) * BLOCK_BYTES) as u64;
        }
        if !file.sparse {
            return Some(offset);
        }
        let rest = &file.data[offset as usize..];
        let first = rest.iter().position(|byte| *byte != 0)? + offset as usize;
        Some((first / BLOCK_BYTES * BLOCK_BYTES).max(offset as usize) as u64)
    }

    pub(crate) fn open_for_writing(&mut self, inode: usize) {
        self.inodes[inode].writers += 1;
    }

    pub(crate) fn close_for_writing(&mut self, inode: usize) {
        self.inodes[inode].writers -= 1;
        self.free_if_unused(inode);
    }

    pub(crate) fn open(&mut self, path: &Path) -> Option<u64> {
        let inode = self.lookup(path)?;
        self.next_handle += 1;
        self.open.insert(self.next_handle, inode);
        Some(self.next_handle)
    }

    pub(crate) fn close(&mut self, handle: u64) {
        let inode = self.open.remove(&handle).expect("only what is open is closed");
        self.free_if_unused(inode);
    }

    pub(crate) fn is_open(&self, inode: usize) -> bool {
        self.open.values().any(|open| *open == inode)
    }

    fn free_if_unused(&mut self, inode: usize) {
        let file = &self.inodes[inode];
        if file.links == 0 && file.writers == 0 && !self.is_open(inode) {
            let number = file.number;
            self.free_numbers.push(number);
            self.inodes[inode].number = 0;
        }
    }

    pub(crate) fn probe(&self, inode: usize) -> Probe {
        let file = &self.inodes[inode];
        Probe {
            id: FileId { dev: 1, ino: file.number, born_ns: file.born_ns },
            size: file.data.len() as u64,
            written_ns: file.written_ns,
            changed_ns: file.changed_ns.max(file.written_ns),
            linked: file.links > 0,
        }
    }

    pub(crate) fn slot_of(offset: u64) -> (usize, usize) {
        ((offset / PLACE_BYTES) as usize, (offset % PLACE_BYTES) as usize)
    }

    /// Writes to the checkpoint file.
    pub(crate) fn write_slot(&mut self, offset: u64, bytes: &[u8]) {
        let (slot, at) = Disk::slot_of(offset);
        self.last_slot = slot;
        let slot = &mut self.slots[slot];
        slot.resize(slot.len().max(at + bytes.len()), 0);
        slot[at..at + bytes.len()].copy_from_slice(bytes);
    }
}
