//! A disk, a sink and an engine on one desk. Nothing happens on it that the test does not do.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tail::engine::{Engine, Options, Outcome, Wake};
use tail::format::Format;
use tail::fs::{Fault, FileId, Fs, Handle, Probe, Sink, SinkFault, Taken};

/// Bytes per turn.
const BUDGET_BYTES: usize = 256 << 10;
/// The checkpoint file may have large holes.
const PAGE_BYTES: u64 = 4096;
/// Turns after which it must have come to rest.
const TURNS_MAX: u32 = 1000;

/// Options of every test: a checkpoint every 200 ms at the latest.
pub fn options(paths: &[&str]) -> Options {
    Options {
        paths: paths.iter().map(PathBuf::from).collect(),
        exclude: Vec::new(),
        from_end: false,
        ignore_older_ms: None,
        rotated: vec!["{path}.*".to_owned()],
        files_max: 100,
        open_files_max: 100,
        checkpoint: true,
        checkpoint_interval_ms: 200,
        checkpoint_bytes: 1 << 30,
        partial_line_ms: 1000,
        format: Format::default(),
        poll_ms: 1000,
        exit_on_eof: false,
        reclaim: tail::reclaim::Reclaim::default(),
    }
}

#[derive(Debug)]
struct File {
    number: u64,
    born_ns: u64,
    written_ns: u64,
    is_linked: bool,
    /// Length of the hole that it begins with.
    hole_bytes: u64,
    /// What follows the hole.
    data: Vec<u8>,
}

impl File {
    fn size(&self) -> u64 {
        self.hole_bytes + self.data.len() as u64
    }
}

/// A path, and names of files with those that they get.
type Shift = (&'static str, &'static [(&'static str, &'static str)]);

/// The disk, and what is wrong with it.
#[derive(Debug, Default)]
pub struct Disk {
    names: BTreeMap<PathBuf, usize>,
    /// Symbolic links.
    links: BTreeMap<PathBuf, PathBuf>,
    files: Vec<File>,
    open: BTreeMap<u64, usize>,
    handles: u64,
    clock_ns: u64,
    /// The checkpoint file's pages that were written.
    checkpoint: BTreeMap<u64, Vec<u8>>,
    /// Checkpoints written so far.
    pub checkpoints: u64,
    /// Number of the device.
    pub device: u64,
    /// No file's time of birth is known.
    pub has_no_births: bool,
    /// Bytes at each file's end that are not seen at present.
    pub hidden_bytes: usize,
    /// The same for reads only: the size is right.
    pub unread_bytes: usize,
    pub list_fault: Option<Fault>,
    /// A path at which nothing can be opened for lack of descriptors.
    pub unopenable: Option<&'static str>,
    pub checkpoint_fault: Option<Fault>,
    /// Nothing can be removed, and no space be freed.
    pub reclaim_fault: Option<Fault>,
    /// Bytes of files that were freed, by file.
    pub freed: BTreeMap<usize, Vec<(u64, u64)>>,
    /// A file gets another name as soon as it was seen under the first one.
    pub rename_when_seen: Option<(&'static str, &'static str)>,
    /// When this path is opened next, files have been renamed just now, in this order.
    pub shift_on_open: Option<Shift>,
    /// The same for when paths are asked about, one after the other.
    pub shifts_on_probe: VecDeque<Shift>,
    /// A file whose reads fail.
    pub unreadable: Option<usize>,
    /// The next read of a file ends where it ended before; then this is all the file has.
    pub before_second_read: Option<String>,
    /// When this file is asked about next, it has just grown.
    pub grow_on_probe: Option<(usize, String)>,
    /// When the first file is read next, these have just grown, in this order.
    pub grow_on_read: Option<(usize, [(usize, String); 2])>,
}

/// Where the bytes go.
#[derive(Debug, Default)]
pub struct Memory {
    pub bytes: Vec<u8>,
    /// Most it takes at once.
    pub most: usize,
    /// What it takes before it blocks, if it does.
    pub room: Option<usize>,
    pub fault: Option<SinkFault>,
    /// What it takes is not safe, and nothing is acknowledged unless the test says so.
    pub never_safe: bool,
    /// The numbers of the offers it took.
    pub offers: Vec<u64>,
    /// Those it acknowledges next.
    pub acknowledged: Vec<u64>,
}

/// All of it.
#[derive(Debug)]
pub struct Desk {
    pub engine: Engine,
    pub disk: Disk,
    pub sink: Memory,
    options: Options,
}

impl Desk {
    pub fn new(paths: &[&str]) -> Desk {
        Desk::with(options(paths))
    }

    pub fn with(options: Options) -> Desk {
        let sink = Memory { most: usize::MAX, ..Memory::default() };
        Desk { engine: Engine::new(options.clone()), disk: Disk::default(), sink, options }
    }

    /// The process dies and begins anew, with an empty output.
    pub fn restart(&mut self) {
        self.engine = Engine::new(self.options.clone());
        self.disk.open.clear();
        self.sink.bytes.clear();
    }

    pub fn turn(&mut self, now_ms: u64) -> Wake {
        self.engine.turn(&mut self.disk, &mut self.sink, now_ms, BUDGET_BYTES)
    }

    /// Everything is looked at, then turns follow as they are due, for a second and a half.
    pub fn settle(&mut self, now_ms: u64) -> Outcome {
        self.engine.hint_all();
        let mut at_ms = now_ms;
        for _ in 0..TURNS_MAX {
            let wake = self.turn(at_ms);
            at_ms = wake.at_ms.max(at_ms);
            if wake.outcome != Outcome::Following || at_ms > now_ms + 1500 {
                return wake.outcome;
            }
        }
        unreachable!("it never comes to rest")
    }

    pub fn output(&self) -> String {
        String::from_utf8(self.sink.bytes.clone()).unwrap()
    }

    pub fn append(&mut self, path: &str, text: &str) -> usize {
        let file = match self.disk.names.get(Path::new(path)) {
            Some(file) => *file,
            None => self.disk.create(path, None),
        };
        self.append_to(file, text);
        file
    }

    pub fn append_to(&mut self, file: usize, text: &str) {
        self.append_bytes_to(file, text.as_bytes());
    }

    pub fn append_bytes_to(&mut self, file: usize, bytes: &[u8]) {
        self.disk.clock_ns += 1;
        self.disk.files[file].data.extend_from_slice(bytes);
        self.disk.files[file].written_ns = self.disk.clock_ns;
    }

    pub fn text(&self, path: &str) -> String {
        let file = self.disk.names[Path::new(path)];
        String::from_utf8(self.disk.files[file].data.clone()).unwrap()
    }

    /// Makes a file with the same bytes, or writes them over one that is there.
    pub fn copy(&mut self, from: &str, to: &str) {
        let bytes = self.disk.files[self.disk.names[Path::new(from)]].data.clone();
        let file = self.append(to, "");
        self.disk.files[file].data = bytes;
    }

    /// Writes over a part of what is there.
    pub fn write_at(&mut self, file: usize, offset: usize, text: &str) {
        self.append_to(file, "");
        self.disk.files[file].data[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    }

    /// Puts a hole before all that a file has.
    pub fn put_hole(&mut self, path: &str, bytes: u64) {
        let file = self.append(path, "");
        self.disk.files[file].hole_bytes = bytes;
    }

    /// Makes a symbolic link, or lets it lead elsewhere.
    pub fn link(&mut self, path: &str, target: &str) {
        self.disk.links.insert(path.into(), target.into());
    }

    /// Gives a file another name beside the one it has.
    pub fn name(&mut self, path: &str, second: &str) {
        let file = self.disk.names[Path::new(path)];
        self.disk.names.insert(second.into(), file);
    }

    pub fn cut(&mut self, path: &str) {
        let file = self.disk.names[Path::new(path)];
        self.disk.files[file].data.clear();
    }

    /// Writes other bytes over all that a file has.
    pub fn overwrite(&mut self, path: &str, text: &str) {
        self.cut(path);
        self.append(path, text);
    }

    pub fn rename(&mut self, from: &str, to: &str) -> usize {
        let file = self.disk.names.remove(Path::new(from)).unwrap();
        self.disk.names.insert(to.into(), file);
        file
    }

    pub fn delete(&mut self, path: &str) -> usize {
        let file = self.disk.names.remove(Path::new(path)).unwrap();
        self.disk.files[file].is_linked = false;
        file
    }

    /// Gives a file another number and time of birth, as an overlay does when it is written to for
    /// the first time.
    pub fn renumber(&mut self, path: &str) {
        self.disk.clock_ns += 1;
        let file = self.disk.names[Path::new(path)];
        self.disk.files[file].number += 1000;
        self.disk.files[file].born_ns = self.disk.clock_ns;
    }

    /// Deletes a file and makes an empty one that gets its number.
    pub fn replace(&mut self, path: &str) {
        self.replace_as(path, path);
    }

    /// Deletes a file and makes an empty one elsewhere that gets its number.
    pub fn replace_as(&mut self, path: &str, new: &str) {
        let old = self.delete(path);
        let number = self.disk.files[old].number;
        self.disk.create(new, Some(number));
    }
}

impl Disk {
    fn create(&mut self, path: &str, number: Option<u64>) -> usize {
        self.clock_ns += 1;
        let number = number.unwrap_or(self.files.len() as u64 + 1);
        let (born_ns, written_ns) = (self.clock_ns, self.clock_ns);
        let (is_linked, hole_bytes, data) = (true, 0, Vec::new());
        self.files.push(File { number, born_ns, written_ns, is_linked, hole_bytes, data });
        self.names.insert(path.into(), self.files.len() - 1);
        self.files.len() - 1
    }

    pub fn has(&self, path: &str) -> bool {
        self.names.contains_key(Path::new(path))
    }

    /// Bytes of a file, NULs where space was freed.
    pub fn bytes(&self, path: &str) -> &[u8] {
        &self.files[self.names[Path::new(path)]].data
    }

    /// The checkpoint file is gone.
    pub fn lose_checkpoint(&mut self) {
        self.checkpoint.clear();
    }

    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    fn lookup(&self, path: &Path) -> Result<usize, Fault> {
        let path = self.links.get(path).map_or(path, PathBuf::as_path);
        self.names.get(path).copied().ok_or(Fault::Missing)
    }

    fn shift(&mut self, shift: Option<Shift>) {
        for (from, to) in shift.map_or(&[][..], |shift| shift.1) {
            let file = self.names.remove(Path::new(from)).unwrap();
            self.names.insert(to.into(), file);
        }
    }

    fn look(&mut self, file: usize) -> Probe {
        if let Some((grown, text)) = self.grow_on_probe.take_if(|(grown, _)| *grown == file) {
            self.files[grown].data.extend_from_slice(text.as_bytes());
        }
        let one = &self.files[file];
        let born_ns = if self.has_no_births { 0 } else { one.born_ns };
        Probe {
            id: FileId { dev: self.device, ino: one.number, born_ns },
            size: one.size().saturating_sub(self.hidden_bytes as u64),
            written_ns: one.written_ns,
            changed_ns: one.written_ns,
            linked: one.is_linked,
        }
    }
}

impl Fs for Disk {
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        if let Some(fault) = self.list_fault {
            return Err(fault);
        }
        let paths = self.names.keys().chain(self.links.keys());
        let names = paths.filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| path.file_name()).map(OsString::from).collect())
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        if self.shifts_on_probe.front().is_some_and(|shift| Path::new(shift.0) == path) {
            let shift = self.shifts_on_probe.pop_front();
            self.shift(shift);
        }
        let file = self.lookup(path)?;
        if let Some((from, to)) = self.rename_when_seen.take_if(|(from, _)| path == Path::new(from))
        {
            self.names.remove(Path::new(from));
            self.names.insert(to.into(), file);
        }
        Ok(self.look(file))
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        if self.unopenable.is_some_and(|one| Path::new(one) == path) {
            return Err(Fault::TooManyOpen);
        }
        let is_it = |shift: &mut Shift| Path::new(shift.0) == path;
        let shift = self.shift_on_open.take_if(is_it);
        self.shift(shift);
        let file = self.lookup(path)?;
        self.handles += 1;
        self.open.insert(self.handles, file);
        Ok(Handle(self.handles))
    }

    fn probe(&mut self, file: Handle) -> Result<Probe, Fault> {
        let file = self.open[&file.0];
        Ok(self.look(file))
    }

    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        let number = self.open[&file.0];
        if self.unreadable == Some(number) {
            return Err(Fault::Other(5));
        }
        if let Some((_, grown)) = self.grow_on_read.take_if(|(read, _)| *read == number) {
            for (file, text) in grown {
                self.files[file].data.extend_from_slice(text.as_bytes());
            }
        }
        let file = &mut self.files[number];
        let zeros = file.hole_bytes.saturating_sub(offset).min(buf.len() as u64) as usize;
        buf[..zeros].fill(0);
        let end = file.data.len().saturating_sub(self.hidden_bytes + self.unread_bytes);
        let from = offset.saturating_sub(file.hole_bytes) as usize;
        let rest = file.data[..end].get(from..).unwrap_or_default();
        let count = zeros + rest.len().min(buf.len() - zeros);
        buf[zeros..count].copy_from_slice(&rest[..count - zeros]);
        if let Some(text) = self.before_second_read.take() {
            file.data = text.into_bytes();
        }
        Ok(count)
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        self.lookup(path)?;
        Ok(self.links.get(path).cloned().unwrap_or_else(|| path.to_owned()))
    }

    fn is_link(&mut self, path: &Path) -> bool {
        self.links.contains_key(path)
    }

    fn data_from(&mut self, file: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        let file = &self.files[self.open[&file.0]];
        Ok((offset < file.size()).then_some(offset.max(file.hole_bytes)))
    }

    fn remove(&mut self, path: &Path, id: FileId, size: u64) -> Result<bool, Fault> {
        let file = self.names.get(path).copied().ok_or(Fault::Missing)?;
        let seen = self.look(file);
        match self.reclaim_fault {
            Some(fault) => Err(fault),
            None if (seen.id, seen.size) != (id, size) => Ok(false),
            None => {
                self.names.remove(path);
                self.files[file].is_linked = false;
                Ok(true)
            }
        }
    }

    fn free(&mut self, file: Handle, from: u64, to: u64) -> Result<(), Fault> {
        if let Some(fault) = self.reclaim_fault {
            return Err(fault);
        }
        let file = self.open[&file.0];
        self.files[file].data[from as usize..to as usize].fill(0);
        self.clock_ns += 1;
        self.files[file].written_ns = self.clock_ns;
        self.freed.entry(file).or_default().push((from, to));
        Ok(())
    }

    fn close(&mut self, file: Handle) {
        self.open.remove(&file.0);
    }

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        let Some((last, page)) = self.checkpoint.last_key_value() else {
            return Err(Fault::Missing);
        };
        let end = last * PAGE_BYTES + page.len() as u64;
        let count = end.saturating_sub(offset).min(buf.len() as u64) as usize;
        for (at, byte) in buf[..count].iter_mut().enumerate() {
            let at = offset + at as u64;
            let page = self.checkpoint.get(&(at / PAGE_BYTES));
            *byte = page.and_then(|page| page.get((at % PAGE_BYTES) as usize)).map_or(0, |b| *b);
        }
        Ok(count)
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = self.checkpoint_fault {
            return Err(fault);
        }
        for (at, byte) in bytes.iter().enumerate() {
            let at = offset + at as u64;
            let page = self.checkpoint.entry(at / PAGE_BYTES).or_default();
            let at = (at % PAGE_BYTES) as usize;
            page.resize(page.len().max(at + 1), 0);
            page[at] = *byte;
        }
        self.checkpoints += 1;
        Ok(())
    }
}

impl Sink for Memory {
    fn offer(&mut self, number: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.room == Some(0) {
            return Err(SinkFault::Blocked);
        }
        let count = bytes.len().min(self.most).min(self.room.unwrap_or(usize::MAX));
        self.room = self.room.map(|room| room - count);
        self.bytes.extend_from_slice(&bytes[..count]);
        self.offers.push(number);
        Ok(Taken { bytes: count, safe: !self.never_safe })
    }

    fn acknowledged(&mut self) -> Option<u64> {
        self.acknowledged.pop()
    }
}
