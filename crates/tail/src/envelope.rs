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
    // Where each field is is known here, so that nothing of it is asked when it runs.
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (halves, fields) = head.split_first_chunk::<12>()?;
    let [len, path_len, number] = [0, 1, 2].map(|at| u32::from_le_bytes(halves.as_chunks().0[at]));
    let [time_ms, offset, ino, born_ns, part_ino, part_offset] =
        [0, 1, 2, 3, 4, 5].map(|at| u64::from_le_bytes(fields.as_chunks().0[at]));
    let (path, rest) = rest.split_at_checked(path_len as usize)?;
    let text = rest.get(..(len as usize).checked_sub(HEAD_BYTES + path.len())?)?;
    let file = Origin { ino, born_ns, cuts: head[HEAD_BYTES - 1] };
    let part = (number != 0).then_some(Part {
        ino: part_ino,
        offset: part_offset,
        number: number & !GOES_ON,
        goes_on: number & GOES_ON != 0,
    });
    let source = Path::new(OsStr::from_bytes(path));
    Some((Record { text, offset, time_ms, file, source, part }, len as usize))
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
