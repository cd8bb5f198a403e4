//! Finds where a run of bytes ends, some bytes at a time. What belongs to a run is said in
//! [`grammar`](crate::grammar); here it is only found fast.

use crate::grammar::{
    NO_NAME, ODD, Peer, UNDERSCORE, bits, is_target_byte, is_value_byte, is_written_byte,
};

/// The length of the field's name at the front of `bytes`, and which of [`ODD`] and [`UNDERSCORE`]
/// are set for any of its bytes.
#[inline]
pub(crate) fn name(bytes: &[u8]) -> (usize, u8) {
    let plain = plain_len(bytes);
    if bytes.get(plain) == Some(&b':') {
        return (plain, 0);
    }
    name_from(bytes, plain)
}

/// The same, where the first `plain` bytes are known to be plain.
fn name_from(bytes: &[u8], plain: usize) -> (usize, u8) {
    let mut seen = 0;
    for (at, &byte) in bytes.iter().enumerate().skip(plain) {
        let bits = bits(byte);
        if bits & NO_NAME != 0 {
            return (at, seen);
        }
        seen |= bits & (ODD | UNDERSCORE);
    }
    (bytes.len(), seen)
}

/// The length of the field's value or the reason at the front of `bytes`.
#[inline(always)]
pub(crate) fn value(bytes: &[u8], peer: Peer) -> usize {
    let len = first::<b' '>(bytes, is_value_byte);
    match peer {
        Peer::Upstream if bytes.get(len).is_some_and(|&byte| is_written_byte(byte)) => {
            value_with_controls(bytes, len)
        }
        _ => len,
    }
}

/// Whether all of `bytes` may stand in a value that a client sends: no control byte but tab.
pub fn is_plain_value(bytes: &[u8]) -> bool {
    value(bytes, Peer::Client) == bytes.len()
}

/// The length of an upstream's value, where the first `len` bytes are known to belong.
#[cold]
fn value_with_controls(bytes: &[u8], len: usize) -> usize {
    let rest = bytes.get(len..).unwrap_or_default();
    len + rest.iter().position(|&byte| !is_written_byte(byte)).unwrap_or(rest.len())
}

/// The length of the target at the front of `bytes`.
#[inline(always)]
pub(crate) fn target(bytes: &[u8]) -> usize {
    first::<{ b' ' + 1 }>(bytes, is_target_byte)
}

/// The offset of the first byte that does not belong. Each of those is less than `FLOOR`, or 0x7f;
/// few of the others are.
#[inline(always)]
fn first<const FLOOR: u8>(bytes: &[u8], belongs: impl Fn(u8) -> bool + Copy) -> usize {
    let near = bytes.get(..NEAR_BYTES).unwrap_or(bytes);
    match first_near::<FLOOR>(near, belongs) {
        NEAR_BYTES => first_far::<FLOOR>(bytes, belongs),
        len => len,
    }
}

/// A run that is longer than this is taken to go on for long.
const NEAR_BYTES: usize = 128;

/// Looks at whole pieces with vector instructions.
#[cold]
fn first_far<const FLOOR: u8>(bytes: &[u8], belongs: impl Fn(u8) -> bool + Copy) -> usize {
    let mut rest = bytes;
    while let Some((piece, after)) = rest.split_first_chunk::<NEAR_BYTES>()
        && !piece.iter().fold(false, |bad, &byte| bad | !belongs(byte))
    {
        rest = after;
    }
    bytes.len() - rest.len() + first_near::<FLOOR>(rest, belongs)
}

#[inline(always)]
fn first_near<const FLOOR: u8>(bytes: &[u8], belongs: impl Fn(u8) -> bool + Copy) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let suspects = suspects::<FLOOR>(u64::from_le_bytes(*word));
        if suspects != 0 {
            let at = suspects.trailing_zeros() as usize / 8;
            if word.get(at).is_some_and(|&byte| !belongs(byte)) {
                return index * 8 + at;
            }
            // The first suspect belongs after all: a tab.
            if let Some(at) = word.iter().position(|&byte| !belongs(byte)) {
                return index * 8 + at;
            }
        }
    }
    words.len() * 8 + rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len())
}

/// The highest bit of the first byte of `word` that is less than `FLOOR`, or 0x7f, and perhaps of
/// some after it: a byte has its highest bit set after the subtraction, and had not before, if it
/// was less, or if it was equal and the byte before borrowed from it.
#[inline(always)]
fn suspects<const FLOOR: u8>(word: u64) -> u64 {
    let low = word.wrapping_sub(each(FLOOR));
    let delete = (word ^ each(0x7f)).wrapping_sub(each(1));
    (low | delete) & !word & HIGH
}

/// The count of letters, digits and hyphens at the front of `bytes`.
#[inline]
fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let others = !plain(u64::from_le_bytes(*word)) & HIGH;
        if others != 0 {
            return index * 8 + others.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'-';
    words.len() * 8 + rest.iter().take_while(|byte| is_plain(byte)).count()
}

/// The highest bit of each byte of `word` that is a letter, a digit or a hyphen.
#[inline(always)]
fn plain(word: u64) -> u64 {
    let low = word & !HIGH;
    let lower = low | each(0x20);
    let letter = from(lower, b'a') & !from(lower, b'z' + 1);
    let digit = from(low, b'0') & !from(low, b'9' + 1);
    let other_than_hyphen = from(low ^ each(b'-'), 1);
    (letter | digit | !other_than_hyphen) & !word & HIGH
}

/// The highest bit of each byte of `low` that is `floor` or more. The bytes must be below 0x80, so
/// that none carries into the next.
#[inline(always)]
fn from(low: u64, floor: u8) -> u64 {
    low + each(0x80 - floor)
}

const HIGH: u64 = each(0x80);

const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::is_name_byte;
    use alloc::vec;

    #[test]
    fn a_run_ends_at_the_first_byte_that_does_not_belong_wherever_it_stands() {
        for len in 0..40 {
            for at in 0..=len {
                for byte in 0..=255 {
                    let mut bytes = vec![b'a'; len];
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                    let expected = |belongs: bool| if belongs { len } else { at };
                    let client = value(&bytes, Peer::Client);
                    assert_eq!(client, expected(at == len || is_value_byte(byte)));
                    let upstream = value(&bytes, Peer::Upstream);
                    assert_eq!(upstream, expected(at == len || is_written_byte(byte)));
                    assert_eq!(target(&bytes), expected(at == len || is_target_byte(byte)));
                    let (name_len, seen) = name(&bytes);
                    assert_eq!(name_len, expected(at == len || is_name_byte(byte)));
                    assert!(at == len || seen == bits(byte) & (ODD | UNDERSCORE), "{byte}");
                }
            }
        }
    }

    #[test]
    fn a_run_of_any_length_is_followed_to_its_end() {
        for len in [0, 7, 8, 127, 128, 129, 255, 256, 300, 1_000] {
            for stop in [&b""[..], b"\r\n", b"\0", b"\x7f", b"\t\t \r"] {
                let bytes = [&vec![b'a'; len][..], stop, &[b'a'; 300]].concat();
                let slow = |belongs: fn(u8) -> bool| {
                    bytes.iter().position(|&byte| !belongs(byte)).unwrap_or(bytes.len())
                };
                assert_eq!(value(&bytes, Peer::Client), slow(is_value_byte), "{len} {stop:?}");
                assert_eq!(value(&bytes, Peer::Upstream), slow(is_written_byte), "{len} {stop:?}");
                assert_eq!(target(&bytes), slow(is_target_byte), "{len} {stop:?}");
            }
        }
    }

    #[test]
    fn bytes_of_every_pair_are_told_apart_within_a_word() {
        for low in 0..=255 {
            for high in 0..=255 {
                let bytes = [b'a', low, high, b'a', b'a', b'a', b'a', b'a'];
                let slow = bytes.iter().position(|&byte| !is_value_byte(byte)).unwrap_or(8);
                assert_eq!(value(&bytes, Peer::Client), slow, "{bytes:?}");
                let slow = bytes.iter().position(|&byte| !is_target_byte(byte)).unwrap_or(8);
                assert_eq!(target(&bytes), slow, "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_name_ends_at_a_colon_white_space_or_a_control_byte() {
        let check = |bytes: &[u8], expected| assert_eq!(name(bytes), expected, "{bytes:?}");
        check(b"Host: a", (4, 0));
        check(b"Host", (4, 0));
        check(b"a_b:", (3, UNDERSCORE));
        check(b"a_(:", (3, UNDERSCORE | ODD));
        check(b"\xc3\xbc :", (2, ODD));
        for stop in [b":", b" ", b"\t", b"\r", b"\n", b"\0", b"\x7f"] {
            check(stop, (0, 0));
        }
    }
}
