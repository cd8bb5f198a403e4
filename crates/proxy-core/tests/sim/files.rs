//! The simulated files: one for each request that asks for one, in the owner's pattern. Some are cut
//! after they were opened, some cannot be read to their end.

use std::any::Any;

use proxy_core::files::{Facts, File, Files, Kind, Links, Opened};
use proxy_core::net::Cause;

use crate::pattern::{self, Owner};
use crate::prng::mix;

/// Which faults there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimFiles {
    pub are_cut: bool,
    pub are_unreadable: bool,
}

/// What goes wrong with a file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    Cut(u64),
    Unreadable(u64),
}

/// How large the file of a request is: none, one that goes with its head, and others.
pub fn size(ask: usize) -> u64 {
    let sizes = [0, 1, 700, 20_000, 32 << 10, (32 << 10) + 1, 60_000, 120_000];
    sizes[(mix(ask as u64 ^ 0xf11e) % sizes.len() as u64) as usize]
}

impl SimFiles {
    pub fn flaw(self, ask: usize) -> Option<Flaw> {
        let drawn = mix(ask as u64 ^ 0xc07);
        let at = (drawn >> 8) % size(ask).max(1);
        match drawn % 3 {
            0 if self.are_cut && size(ask) > 0 => Some(Flaw::Cut(at)),
            1 if self.are_unreadable && size(ask) > 0 => Some(Flaw::Unreadable(at)),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct SimFile {
    ask: usize,
    flaw: Option<Flaw>,
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Cause> {
        let (end, after) = match self.flaw {
            None => (size(self.ask), Ok(0)),
            Some(Flaw::Cut(at)) => (at, Ok(0)),
            Some(Flaw::Unreadable(at)) => (at, Err(Cause(5))),
        };
        let count = end.saturating_sub(offset).min(buffer.len() as u64);
        if count == 0 {
            return after;
        }
        let bytes = pattern::bytes(Owner::File(self.ask), offset, count);
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The request whose file has this path.
fn ask_of(path: &[u8]) -> Result<usize, Cause> {
    let name = path.strip_prefix(b"/srv/file/").ok_or(Cause::NO_ENTRY)?;
    std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(Cause::NO_ENTRY)
}

impl Files for SimFiles {
    fn open(&self, path: &[u8], links: Links) -> Result<Opened, Cause> {
        let ask = ask_of(path)?;
        let facts = self.look(path, links)?;
        Ok(Opened { facts, file: Box::new(SimFile { ask, flaw: self.flaw(ask) }) })
    }

    fn look(&self, path: &[u8], _: Links) -> Result<Facts, Cause> {
        let bytes = size(ask_of(path)?);
        Ok(Facts { kind: Kind::File, bytes, modified_s: 784_111_777, is_executable: false })
    }

    fn list(&self, _: &[u8]) -> Result<Vec<(Vec<u8>, Facts)>, Cause> {
        Err(Cause::NO_ENTRY)
    }

    fn real_path(&self, _: &[u8]) -> Result<Vec<u8>, Cause> {
        Err(Cause::NO_ENTRY)
    }
}
