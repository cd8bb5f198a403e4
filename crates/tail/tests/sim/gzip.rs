//! gzip as compressors write it: with a name or without, in one member or two.

/// A gzip file of `plain`, in two members if `split` is within it and a multiple of three. Level 0
/// stores.
pub(crate) fn gzip(plain: &[u8], level: u8, split: u64) -> Vec<u8> {
    let split = if split.is_multiple_of(3) { split as usize } else { 0 };
    let (first, second) = plain.split_at(split);
    let first = if first.is_empty() { Vec::new() } else { member(first, level, true) };
    [first, member(second, level, false)].concat()
}

fn member(plain: &[u8], level: u8, has_name: bool) -> Vec<u8> {
    let flags = if has_name { 8 } else { 0 };
    let mut bytes = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    if has_name {
        bytes.extend(b"app.log.1\0");
    }
    bytes.extend(miniz_oxide::deflate::compress_to_vec(plain, level));
    bytes.extend(crc32fast::hash(plain).to_le_bytes());
    bytes.extend((plain.len() as u32).to_le_bytes());
    bytes
}
