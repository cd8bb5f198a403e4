//! A model disk: names, inodes that outlive their names while they are open, numbers used again,
//! and a checkpoint file that can be torn. No faults: those are the world's.

use std::collections::BTreeMap;
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
    pub(crate) data: Vec<u8>,
}

/// The disk. Inodes are never forgotten, only their numbers are given away again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) names: BTreeMap<PathBuf, usize>,
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
}

impl Disk {
    /// An empty disk, with or without times of birth.
    pub(crate) fn new(has_births: bool) -> Disk {
        Disk { has_births, ..Disk::default() }
    }

    fn tick(&mut self) -> u64 {
        self.clock_ns += 1;
        self.clock_ns
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
        self.inodes[inode].written_ns = now_ns;
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) {
        let inode = self.names.remove(from).expect("there is a file to rename");
        assert!(self.names.insert(to.to_owned(), inode).is_none(), "nothing is replaced");
    }

    pub(crate) fn unlink(&mut self, path: &Path) {
        let inode = self.names.remove(path).expect("there is a file to delete");
        self.inodes[inode].links = 0;
        self.free_if_unused(inode);
    }

    pub(crate) fn open_for_writing(&mut self, inode: usize) {
        self.inodes[inode].writers += 1;
    }

    pub(crate) fn close_for_writing(&mut self, inode: usize) {
        self.inodes[inode].writers -= 1;
        self.free_if_unused(inode);
    }

    pub(crate) fn open(&mut self, path: &Path) -> Option<u64> {
        let inode = *self.names.get(path)?;
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
