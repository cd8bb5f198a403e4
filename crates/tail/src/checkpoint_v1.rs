//! What version 1 of the checkpoint was: two slots, each whole or worthless by its checksum.
//!
//! It is read after an upgrade and never written.
//!
//! ```text
//! slot 0 at 0, slot 1 at SLOT_BYTES_MAX; little endian
//! 0   8  magic "logscrap"
//! 8   2  format version, 1   10  2  zero
//! 12  4  length of the body  16  8  sequence number, one higher at each write
//! 24  -  body: a count of files, then for each its path and its known generations
//! end 4  CRC-32 of all before it
//! ```

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::checkpoint::{
    CRC_BYTES, Damage, Entries, HEADER_BYTES, MAGIC, Reader, decode_all_known,
};

/// Room for one slot.
pub(crate) const SLOT_BYTES_MAX: usize = 2 << 20;

/// How many bytes the slot that begins with `header` has, checksum included; `None` if it is not
/// one of version 1.
pub(crate) fn slot_len(header: &[u8]) -> Option<usize> {
    let mut reader = Reader { rest: header };
    let is_ours = reader.take(8).ok()? == MAGIC && reader.u16().ok()? == 1;
    reader.u16().ok()?;
    let body_len = reader.u32().ok()? as usize;
    let len = HEADER_BYTES.checked_add(body_len)?.checked_add(CRC_BYTES)?;
    is_ours.then(|| len.min(SLOT_BYTES_MAX))
}

/// Decodes a slot: its sequence number, the higher one of two being the newer, and what it says.
pub(crate) fn decode(bytes: &[u8]) -> Result<(u64, Entries), Damage> {
    let (slot, crc) =
        bytes.split_at_checked(bytes.len().wrapping_sub(CRC_BYTES)).ok_or(Damage::Torn)?;
    if crc32fast::hash(slot).to_le_bytes() != crc {
        return Err(Damage::Torn);
    }
    let mut reader = Reader { rest: slot };
    reader.take(16)?;
    let sequence = reader.u64()?;
    let entries = decode_body(reader).map_err(|_| Damage::Inconsistent)?;
    Ok((sequence, entries))
}

fn decode_body(mut reader: Reader) -> Result<Entries, Damage> {
    let mut entries = Entries::new();
    for _ in 0..reader.u32()? {
        let path_len = usize::from(reader.u16()?);
        let path = Path::new(OsStr::from_bytes(reader.take(path_len)?)).to_owned();
        entries.insert(path, decode_all_known(&mut reader)?);
    }
    match reader.rest.is_empty() {
        true => Ok(entries),
        false => Err(Damage::Inconsistent),
    }
}

/// Encodes a slot as version 1 did.
#[cfg(test)]
pub(crate) fn encode(sequence: u64, entries: &Entries) -> Vec<u8> {
    let mut body = (entries.len() as u32).to_le_bytes().to_vec();
    for (path, known) in entries {
        let path = path.as_os_str().as_bytes();
        body.extend_from_slice(&(path.len() as u16).to_le_bytes());
        body.extend_from_slice(path);
        crate::checkpoint_log::encode_all_known(known.iter().copied(), &mut body);
    }
    let mut slot = MAGIC.to_vec();
    slot.extend_from_slice(&[1, 0, 0, 0]);
    slot.extend_from_slice(&(body.len() as u32).to_le_bytes());
    slot.extend_from_slice(&sequence.to_le_bytes());
    slot.extend_from_slice(&body);
    let crc = crc32fast::hash(&slot);
    slot.extend_from_slice(&crc.to_le_bytes());
    slot
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::tests::entries;

    #[test]
    fn what_version_1_wrote_is_read() {
        let bytes = encode(7, &entries(3));
        assert_eq!(slot_len(&bytes[..HEADER_BYTES]), Some(bytes.len()));
        assert_eq!(decode(&bytes), Ok((7, entries(3))));
    }

    #[test]
    fn every_prefix_and_every_changed_byte_is_refused() {
        let bytes = encode(7, &entries(3));
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "prefix of {end}");
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(decode(&changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_it() {
        assert_eq!(slot_len(&[0; HEADER_BYTES]), None);
        assert_eq!(slot_len(b"logscrap\x02\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(slot_len(b"root:x:0:0:root:/root:/bin/bash\n"), None);
        let torn = b"logscrap\x01\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0";
        assert_eq!(slot_len(torn), Some(SLOT_BYTES_MAX));
    }
}
