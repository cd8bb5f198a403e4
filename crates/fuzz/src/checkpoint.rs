//! The checkpoint file: whatever is in it, nothing is lost.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tail::checkpoint::{PLACE_BYTES, is_foreign};
use tail::engine::{Engine, Options, Outcome, ROTATED};
use tail::format::Format;
use tail::fs::{Fault, FileId, Fs, Handle, Probe, Sink, SinkFault, Taken};
use tail::reclaim::Reclaim;

use crate::draw::Draw;

const FILE: &str = "/log/a";
/// Turns of an engine that is to end; it takes three or four.
const TURNS_MAX: u32 = 50;

/// Takes `data` for a checkpoint file, for what became of one, and for what one says. The engine that
/// begins with it writes out the file from its beginning or from a position that was once written to a
/// checkpoint, to its end; and another one after it has nothing left to write.
pub fn checkpoint(data: &[u8]) {
    is_foreign(|offset, buf| read(data, offset as usize, buf));
    let content = lines(0..40);
    for place in [0, 1] {
        let mut disk = Disk { content: content.clone(), ..Disk::default() };
        disk.places[place] = data.to_vec();
        disk.check_lives(None);
    }
    for checkpoint in [sealed(data), sealed_of_version_1(data)] {
        let mut disk = Disk { content: content.clone(), ..Disk::default() };
        disk.places[0] = checkpoint;
        disk.check_lives(None);
    }
    check_damaged(data);
}

/// A checkpoint of two lives that was changed since: bytes of it, or where it ends.
fn check_damaged(data: &[u8]) {
    let mut disk = Disk { content: lines(0..40), ..Disk::default() };
    let mut written = vec![0];
    for numbers in [40..45, 45..50] {
        disk.live();
        written.push(disk.content.len());
        disk.content.extend(lines(numbers));
    }
    let mut draw = Draw::of(data);
    for change in data.chunks(4) {
        let place = &mut disk.places[draw.below(2)];
        match *change {
            [0, end, ..] => place.truncate(usize::from(end)),
            [at, more, to, ..] => {
                let at = usize::from(at) + 256 * usize::from(more & 1);
                place.get_mut(at).into_iter().for_each(|byte| *byte ^= to);
            }
            _ => {}
        }
    }
    disk.check_lives(Some(&written));
}

/// A log of one record that says `body`, with the checksums that are right for it.
fn sealed(body: &[u8]) -> Vec<u8> {
    let generation = 7_u64.to_le_bytes();
    let mut bytes = b"logscrap\x02\0\0\0".to_vec();
    bytes.extend(crc32fast::hash(&generation).to_le_bytes());
    bytes.extend(generation);
    let mut record = (body.len() as u32).to_le_bytes().to_vec();
    record.extend(1_u32.to_le_bytes());
    record.extend(body);
    let crc = crc32fast::hash(&[&generation[..], &record].concat());
    bytes.extend(record);
    bytes.extend(crc.to_le_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// The same in version 1.
fn sealed_of_version_1(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"logscrap\x01\0\0\0".to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(7_u64.to_le_bytes());
    bytes.extend(body);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn lines(numbers: std::ops::Range<u32>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:03} a line of a file\n").into_bytes()).collect()
}

fn read(bytes: &[u8], offset: usize, buf: &mut [u8]) -> usize {
    let rest = bytes.get(offset..).unwrap_or_default();
    let count = rest.len().min(buf.len());
    buf[..count].copy_from_slice(&rest[..count]);
    count
}

/// One file and the two places of a checkpoint file.
#[derive(Debug, Default)]
struct Disk {
    content: Vec<u8>,
    places: [Vec<u8>; 2],
}

/// What was written out.
#[derive(Debug, Default)]
struct Out(Vec<u8>);

impl Sink for Out {
    fn offer(&mut self, _: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        self.0.extend_from_slice(bytes);
        Ok(Taken { bytes: bytes.len(), safe: true })
    }
}

impl Disk {
    /// What an engine writes out that begins with the checkpoint as it is, and ends with the file.
    fn live(&mut self) -> Vec<u8> {
        let mut engine = Engine::new(options());
        let (mut out, mut now_ms) = (Out::default(), 0);
        for _ in 0..TURNS_MAX {
            let wake = engine.turn(self, &mut out, now_ms, 1 << 20);
            if wake.outcome != Outcome::Following {
                assert_eq!(wake.outcome, Outcome::Finished { incomplete: false });
                return out.0;
            }
            now_ms = wake.at_ms.max(now_ms + 1);
        }
        unreachable!("it does not end");
    }

    /// A life writes out the end of the file, from one of these positions if they are known; the next
    /// one writes nothing.
    fn check_lives(&mut self, written: Option<&[usize]>) {
        let out = self.live();
        assert!(self.content.ends_with(&out), "{:?}", out.escape_ascii().to_string());
        let from = self.content.len() - out.len();
        if let Some(written) = written {
            assert!(written.contains(&from), "from {from}, and {written:?} were written");
        }
        let again = self.live();
        assert!(again.is_empty(), "again {:?}", again.escape_ascii().to_string());
    }
}

fn options() -> Options {
    Options {
        paths: vec![FILE.into()],
        exclude: Vec::new(),
        from_end: false,
        ignore_older_ms: None,
        rotated: ROTATED.map(str::to_owned).to_vec(),
        files_max: 10,
        open_files_max: 10,
        checkpoint: true,
        checkpoint_interval_ms: 1000,
        checkpoint_bytes: 1 << 20,
        partial_line_ms: 1000,
        format: Format::Raw,
        poll_ms: 1000,
        exit_on_eof: true,
        reclaim: Reclaim::default(),
    }
}

impl Fs for Disk {
    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        let path = Path::new(FILE);
        let is_there = path.parent() == Some(dir);
        Ok(path.file_name().filter(|_| is_there).map(OsString::from).into_iter().collect())
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        if path != Path::new(FILE) {
            return Err(Fault::Missing);
        }
        self.probe(Handle(1))
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        Ok(path.to_owned())
    }

    fn is_link(&mut self, _: &Path) -> bool {
        false
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        self.probe_path(path).map(|_| Handle(1))
    }

    fn probe(&mut self, _: Handle) -> Result<Probe, Fault> {
        let id = FileId { dev: 1, ino: 1, born_ns: 1 };
        let size = self.content.len() as u64;
        Ok(Probe { id, size, written_ns: size, changed_ns: size, linked: true })
    }

    fn read_at(&mut self, _: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        Ok(read(&self.content, usize::try_from(offset).unwrap_or(usize::MAX), buf))
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

    fn close(&mut self, _: Handle) {}

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        if self.places.iter().all(Vec::is_empty) {
            return Err(Fault::Missing);
        }
        let place = &self.places[usize::from(offset >= PLACE_BYTES)];
        Ok(read(place, (offset % PLACE_BYTES) as usize, buf))
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let place = &mut self.places[usize::from(offset >= PLACE_BYTES)];
        let at = (offset % PLACE_BYTES) as usize;
        place.resize(place.len().max(at + bytes.len()), 0);
        place[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}
