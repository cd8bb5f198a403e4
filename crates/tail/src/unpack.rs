//! Compressed files as the bytes that were compressed: a file system over another one.
//!
//! Owns the decoders. A file that is read by an unpacked handle ([`Handle::unpacked`]) has offsets,
//! and an end, of the bytes that were compressed; to whoever reads it is a file like any other,
//! except that a read may want more work than one call may do ([`Fault::More`]). Reads go forth;
//! one that goes back further than a guard begins the file anew. Memory is bounded by the number of
//! decoders at work, and by the window that each of them may have.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::compressed::{BEGINNING_BYTES, Packing};
use crate::fs::{Fault, FileId, Fs, Handle, Probe};
#[cfg(feature = "gzip")]
use crate::gzip::Gzip;
use crate::position::{GUARD_BYTES_MAX, Position};

/// Whether anything can be unpacked. Where nothing can, all that does it is left out of the program.
pub(crate) const UNPACKS: bool = cfg!(any(feature = "gzip", feature = "zstd"));
/// Decoders at work at a time; whoever needs another one waits.
const DECODERS_MAX: usize = 2;
/// Compressed bytes that are read at a time.
const PACKED_BYTES: usize = 16 << 10;
/// Bytes that one decoder's step makes at most.
const STEP_BYTES: usize = 32 << 10;
/// Room for what is read or made: copied, it costs little in a build without optimisation, too.
static ZEROS: [u8; STEP_BYTES] = [0; STEP_BYTES];
/// Bytes that one call may take in and make, together, before it gives what it has.
const WORK_BYTES_MAX: usize = 512 << 10;
/// Reads for the bytes before a frontier.
const GUARD_READS_MAX: u32 = 64;

/// What a decoder took and made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) taken: usize,
    pub(crate) made: usize,
}

enum Codec {
    #[cfg(feature = "gzip")]
    Gzip(Gzip),
    #[cfg(feature = "zstd")]
    Zstd(Box<crate::zstd::Zstd>),
}

impl Codec {
    fn new(packing: Option<Packing>) -> Result<Codec, Fault> {
        match packing {
            #[cfg(feature = "gzip")]
            Some(Packing::Gzip) => Ok(Codec::Gzip(Gzip::new())),
            #[cfg(feature = "zstd")]
            Some(Packing::Zstd) => Ok(Codec::Zstd(Box::new(crate::zstd::Zstd::new()))),
            _ => Err(Fault::Packed),
        }
    }

    #[allow(unused_variables, reason = "in a build that unpacks nothing")]
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        match *self {
            #[cfg(feature = "gzip")]
            Codec::Gzip(ref mut gzip) => gzip.step(input, output),
            #[cfg(feature = "zstd")]
            Codec::Zstd(ref mut zstd) => zstd.step(input, output),
        }
    }

    /// Whether one of several parts, each of which was compressed on its own, is over.
    fn has_members(&self) -> bool {
        match *self {
            #[cfg(feature = "gzip")]
            Codec::Gzip(ref gzip) => gzip.has_members(),
            #[cfg(feature = "zstd")]
            Codec::Zstd(_) => false,
        }
    }

    fn is_whole(&self) -> bool {
        match *self {
            #[cfg(feature = "gzip")]
            Codec::Gzip(ref gzip) => gzip.is_whole(),
            #[cfg(feature = "zstd")]
            Codec::Zstd(ref zstd) => zstd.is_whole(),
        }
    }
}

/// Why nothing more comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// That was all.
    Whole,
    /// The compressed file ends in the middle; it may be written to.
    CutShort,
    /// Its bytes make no sense, or want more than there may be.
    Broken(Fault),
}

/// A file that is being decoded.
struct Decoder {
    codec: Codec,
    /// Compressed bytes that were read, and how many of them the codec took.
    packed: Vec<u8>,
    taken: usize,
    /// Where in the compressed file the next ones are.
    packed_at: u64,
    /// Bytes that came out, as far back as they may be asked for again.
    plain: Vec<u8>,
    /// Where they begin.
    plain_from: u64,
    stop: Option<Stop>,
}

impl Decoder {
    fn begin(fs: &mut dyn Fs, file: Handle) -> Result<Decoder, Fault> {
        let mut first = [0; BEGINNING_BYTES];
        let mut filled = 0;
        while filled < first.len() {
            match fs.read_at(file, filled as u64, &mut first[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        let packing = Packing::of(&first[..filled]);
        if packing.is_none() && filled < first.len() {
            return Err(Fault::CutShort);
        }
        Ok(Decoder {
            codec: Codec::new(packing)?,
            packed: Vec::new(),
            taken: 0,
            packed_at: 0,
            plain: Vec::new(),
            plain_from: 0,
            stop: None,
        })
    }

    fn end(&self) -> u64 {
        self.plain_from + self.plain.len() as u64
    }

    /// Decodes from `offset` up to `wanted`, as far as one call may. Of what is before `offset` only
    /// a guard's length is kept.
    fn decode(
        &mut self,
        fs: &mut dyn Fs,
        file: Handle,
        offset: u64,
        wanted: u64,
    ) -> Result<(), Fault> {
        let mut work = 0;
        // Its writer may have gone on.
        self.stop = self.stop.filter(|stop| *stop != Stop::CutShort);
        self.forget_before(offset);
        while self.end() < wanted && self.stop.is_none() && work < WORK_BYTES_MAX {
            if self.taken == self.packed.len() {
                work += self.read_packed(fs, file)?;
            }
            work += self.step();
            self.forget_before(offset);
        }
        Ok(())
    }

    /// One step of the codec with the bytes at hand. Returns how many it made.
    fn step(&mut self) -> usize {
        let before = self.plain.len();
        self.plain.extend_from_slice(&ZEROS);
        let input = &self.packed[self.taken..];
        let is_over = input.is_empty();
        let outcome = self.codec.step(input, &mut self.plain[before..]);
        let step = outcome.unwrap_or_default();
        self.plain.truncate(before + step.made);
        self.taken += step.taken;
        self.stop = match outcome {
            Ok(step) if step != Step::default() => None,
            Ok(_) if is_over && self.codec.is_whole() => Some(Stop::Whole),
            Ok(_) if is_over => Some(Stop::CutShort),
            outcome => Some(Stop::Broken(outcome.err().unwrap_or(Fault::Damaged))),
        };
        step.made
    }

    fn read_packed(&mut self, fs: &mut dyn Fs, file: Handle) -> Result<usize, Fault> {
        self.packed.clear();
        self.packed.extend_from_slice(&ZEROS[..PACKED_BYTES]);
        let read = fs.read_at(file, self.packed_at, &mut self.packed);
        let count = read.unwrap_or(0);
        self.packed.truncate(count);
        self.taken = 0;
        self.packed_at += count as u64;
        read
    }

    /// Forgets what is so far before `from` that it will not be asked for again.
    fn forget_before(&mut self, from: u64) {
        let kept = from.min(self.end()).saturating_sub(GUARD_BYTES_MAX as u64);
        let count = kept.saturating_sub(self.plain_from) as usize;
        self.plain.drain(..count);
        self.plain_from += count as u64;
    }

    /// What there is of `offset`.
    fn copy(&self, offset: u64, buf: &mut [u8]) -> usize {
        let skip = offset.saturating_sub(self.plain_from);
        let there = usize::try_from(skip).ok().and_then(|skip| self.plain.get(skip..));
        let there = there.unwrap_or_default();
        let count = there.len().min(buf.len());
        buf[..count].copy_from_slice(&there[..count]);
        count
    }
}

/// A compressed file, read as what was compressed.
#[derive(Default)]
pub(crate) struct Reader {
    decoder: Option<Box<Decoder>>,
    /// How many bytes were compressed, once that is known.
    len: Option<u64>,
}

impl Reader {
    /// Whether a part that was compressed on its own has ended before what was read, so that the end
    /// of the file does not say how long all of it is.
    pub(crate) fn has_members(&self) -> bool {
        self.decoder.as_ref().is_some_and(|decoder| decoder.codec.has_members())
    }

    /// As [`Fs::read_at`], of an open compressed file.
    pub(crate) fn read_at(
        &mut self,
        fs: &mut dyn Fs,
        file: Handle,
        offset: u64,
        buf: &mut [u8],
    ) -> Result<usize, Fault> {
        if self.len.is_some_and(|len| offset >= len) || buf.is_empty() {
            return Ok(0);
        }
        self.decoder.take_if(|decoder| offset < decoder.plain_from);
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Box::new(Decoder::begin(fs, file)?)),
        };
        decoder.decode(fs, file, offset, offset.saturating_add(buf.len() as u64))?;
        let count = decoder.copy(offset, buf);
        let stop = decoder.stop.filter(|_| count == 0);
        if decoder.stop == Some(Stop::Whole) {
            self.len = Some(decoder.end());
        }
        match stop {
            _ if count > 0 => Ok(count),
            None => Err(Fault::More),
            Some(Stop::CutShort) => Err(Fault::CutShort),
            Some(Stop::Broken(fault)) => Err(fault),
            Some(Stop::Whole) => {
                self.decoder = None;
                Ok(0)
            }
        }
    }
}

/// Whether the bytes before a position's frontier are what an open compressed file has there. `None`
/// if that cannot be read, or is too far from its beginning for one look.
pub(crate) fn has_guard(fs: &mut dyn Fs, file: Handle, position: &Position) -> Option<bool> {
    let (mut reader, mut filled) = (Reader::default(), 0);
    let mut seen = vec![0; position.guard.bytes()];
    for _ in 0..GUARD_READS_MAX {
        if filled == seen.len() {
            return Some(position.guard.is_of(&seen));
        }
        let from = position.guard_start() + filled as u64;
        match reader.read_at(fs, file, from, &mut seen[filled..]) {
            Ok(0) | Err(Fault::Damaged | Fault::Packed) => return Some(false),
            Ok(count) => filled += count,
            Err(Fault::CutShort) => return None,
            Err(_) => {}
        }
    }
    None
}

/// The readers of files that are open by an unpacked handle.
#[derive(Default)]
pub(crate) struct Readers(BTreeMap<u64, Reader>);

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A file system in which unpacked handles may be used.
pub(crate) struct Unpacked<'a> {
    pub(crate) fs: &'a mut dyn Fs,
    pub(crate) readers: &'a mut Readers,
}

impl Fs for Unpacked<'_> {
    fn read_at(&mut self, file: Handle, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        if !file.is_unpacked() {
            return self.fs.read_at(file, offset, buf);
        }
        let readers = &mut self.readers.0;
        let at_work = readers.values().filter(|one| one.decoder.is_some()).count();
        let reader = readers.entry(file.0).or_default();
        let is_over = reader.len.is_some_and(|len| offset >= len);
        if reader.decoder.is_none() && !is_over && at_work >= DECODERS_MAX {
            return Err(Fault::Crowded);
        }
        reader.read_at(self.fs, file.packed(), offset, buf)
    }

    /// The size is that of the compressed file until all of it was read.
    fn probe(&mut self, file: Handle) -> Result<Probe, Fault> {
        let seen = self.fs.probe(file.packed())?;
        let len = self.readers.0.get(&file.0).and_then(|reader| reader.len);
        Ok(Probe { size: len.unwrap_or(seen.size), ..seen })
    }

    fn data_from(&mut self, file: Handle, offset: u64) -> Result<Option<u64>, Fault> {
        if !file.is_unpacked() {
            return self.fs.data_from(file, offset);
        }
        let len = self.readers.0.get(&file.0).and_then(|reader| reader.len);
        Ok(Some(offset).filter(|offset| len.is_none_or(|len| *offset < len)))
    }

    fn put_down(&mut self, file: Handle) {
        self.readers.0.get_mut(&file.0).into_iter().for_each(|reader| reader.decoder = None);
    }

    fn close(&mut self, file: Handle) {
        self.readers.0.remove(&file.0);
        self.fs.close(file.packed());
    }

    fn list(&mut self, dir: &Path) -> Result<Vec<OsString>, Fault> {
        self.fs.list(dir)
    }

    fn probe_path(&mut self, path: &Path) -> Result<Probe, Fault> {
        self.fs.probe_path(path)
    }

    fn resolve(&mut self, path: &Path) -> Result<PathBuf, Fault> {
        self.fs.resolve(path)
    }

    fn is_link(&mut self, path: &Path) -> bool {
        self.fs.is_link(path)
    }

    fn remove(&mut self, path: &Path, id: FileId, size: u64) -> Result<bool, Fault> {
        self.fs.remove(path, id, size)
    }

    fn free(&mut self, file: Handle, from: u64, to: u64) -> Result<(), Fault> {
        if file.is_unpacked() {
            return Err(Fault::Unsupported);
        }
        self.fs.free(file, from, to)
    }

    fn open(&mut self, path: &Path) -> Result<Handle, Fault> {
        self.fs.open(path)
    }

    fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
        self.fs.read_checkpoint(offset, buf)
    }

    fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.fs.write_checkpoint(offset, bytes)
    }
}
