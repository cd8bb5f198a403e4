//! A record as bytes, with all that is known of it.
//!
//! Owns how records get through [`crate::fs::Sink`] to a sink that makes something else of them: a
//! store's requests. Nothing of it leaves the process or is kept. Pure.
//!
//! ```text
//! little endian: length of all (4), of the path (4), number of the part or 0, its highest bit for
//! one that goes on (4), time (8), offset (8), file (8 + 8), part's file (8) and offset (8), cuts (1),
//! path, text
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::checkpoint::{Damage, Reader};
use crate::format::{Origin, Part, Record};

/// All before the path.
const HEAD_BYTES: usize = 61;
const GOES_ON: u32 = 1 << 31;

/// Appends a record.
pub fn push(out: &mut Vec<u8>, record: &Record) {
    let path = record.source.as_os_str().as_bytes();
    let len = HEAD_BYTES + path.len() + record.text.len();
    let part = record
        .part
        .map_or(0, |part| part.number.min(GOES_ON - 1) | if part.goes_on { GOES_ON } else { 0 });
    let Origin { ino, born_ns, cuts } = record.file;
    let (part_ino, part_offset) = record.part.map_or((0, 0), |part| (part.ino, part.offset));
    let mut head = [0; HEAD_BYTES];
    for (place, number) in [len as u32, path.len() as u32, part].into_iter().enumerate() {
        head[4 * place..][..4].copy_from_slice(&number.to_le_bytes());
    }
    let numbers = [record.time_ms, record.offset, ino, born_ns, part_ino, part_offset];
    for (place, number) in numbers.into_iter().enumerate() {
        head[12 + 8 * place..][..8].copy_from_slice(&number.to_le_bytes());
    }
    head[HEAD_BYTES - 1] = cuts;
    out.reserve(len);
    out.extend_from_slice(&head);
    out.extend_from_slice(path);
    out.extend_from_slice(record.text);
}

/// The record that `bytes` begin with, and how many of them it takes; `None` if none is there.
#[inline]
pub fn first(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    read(&mut Reader { rest: bytes }).ok()
}

#[inline]
fn read<'a>(reader: &mut Reader<'a>) -> Result<(Record<'a>, usize), Damage> {
    let (len, path_len) = (reader.u32()? as usize, reader.u32()? as usize);
    let number = reader.u32()?;
    let (time_ms, offset) = (reader.u64()?, reader.u64()?);
    let (ino, born_ns) = (reader.u64()?, reader.u64()?);
    let (part_ino, part_offset) = (reader.u64()?, reader.u64()?);
    let file = Origin { ino, born_ns, cuts: reader.take(1)?[0] };
    let path = reader.take(path_len)?;
    let text_len = len.checked_sub(HEAD_BYTES + path_len).ok_or(Damage::Torn)?;
    let text = reader.take(text_len)?;
    let part = (number != 0).then_some(Part {
        ino: part_ino,
        offset: part_offset,
        number: number & !GOES_ON,
        goes_on: number & GOES_ON != 0,
    });
    let source = Path::new(OsStr::from_bytes(path));
    Ok((Record { text, offset, time_ms, file, source, part }, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &Record) {
        let mut bytes = Vec::new();
        push(&mut bytes, record);
        let len = bytes.len();
        bytes.extend_from_slice(b"what follows");
        assert_eq!(first(&bytes), Some((*record, len)));
        for cut in 0..len {
            assert_eq!(first(&bytes[..cut]), None, "{cut} of {len} bytes");
        }
    }

    #[test]
    fn every_record_comes_out_as_it_went_in() {
        let file = Origin { ino: 7, born_ns: u64::MAX, cuts: 63 };
        let source = Path::new(OsStr::from_bytes(b"/log/\xff\n.log"));
        let record = Record { text: b"a\0\xffb", offset: 3, time_ms: 4, file, source, part: None };
        check(&record);
        check(&Record { text: b"", source: Path::new(""), ..record });
        for goes_on in [false, true] {
            let part = Part { ino: 9, offset: 1 << 40, number: 1, goes_on };
            check(&Record { part: Some(part), ..record });
        }
    }

    #[test]
    fn lengths_that_contradict_each_other_are_no_record() {
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[0] = HEAD_BYTES as u8 - 1;
        assert_eq!(first(&bytes), None);
        bytes[0] = HEAD_BYTES as u8;
        assert!(first(&bytes).is_some());
        bytes[4] = 1;
        assert_eq!(first(&bytes), None);
    }
}
