//! Protocol buffers as far as OTLP needs them: fields are appended, and a short answer is read.
//!
//! Owns the wire format (protobuf.dev, "Encoding"): tags, variable-length integers, fixed 64 bits
//! and bytes. It knows no message.

/// Kinds of fields on the wire.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

/// Appends an integer of variable length.
pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that an integer takes.
pub(crate) fn varint_len(value: u64) -> usize {
    // Nearly all are lengths of a field: a division takes longer than two questions.
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        _ => (64 - value.leading_zeros() as usize).div_ceil(7),
    }
}

fn push_tag(out: &mut Vec<u8>, field: u32, kind: u32) {
    push_varint(out, u64::from(field << 3 | kind));
}

/// Appends a field that is an integer.
pub(crate) fn push_number(out: &mut Vec<u8>, field: u32, value: u64) {
    push_tag(out, field, VARINT);
    push_varint(out, value);
}

/// A few short fields, put together where nothing has to grow, for what every record has.
#[derive(Clone, Debug)]
pub(crate) struct Short {
    bytes: [u8; Short::BYTES_MAX],
    len: usize,
}

impl Default for Short {
    fn default() -> Short {
        Short { bytes: [0; Short::BYTES_MAX], len: 0 }
    }
}

impl Short {
    /// All its fields take less.
    const BYTES_MAX: usize = 64;

    /// What was appended.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    fn push_byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[inline]
    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push_byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.push_byte(value as u8);
    }

    /// Fields are below 16, so that it is a byte.
    #[inline]
    fn push_tag(&mut self, field: u32, kind: u32) {
        self.push_byte((field << 3 | kind) as u8);
    }

    /// Appends a field that is an integer.
    #[inline]
    pub(crate) fn push_number(&mut self, field: u32, value: u64) {
        self.push_tag(field, VARINT);
        self.push_varint(value);
    }

    /// Appends a field of 64 bits.
    #[inline]
    pub(crate) fn push_fixed64(&mut self, field: u32, value: u64) {
        self.push_tag(field, FIXED64);
        self.push(&value.to_le_bytes());
    }

    /// Appends what stands before so many bytes of a field.
    #[inline]
    pub(crate) fn push_head(&mut self, field: u32, len: usize) {
        self.push_tag(field, BYTES);
        self.push_varint(len as u64);
    }

    /// Appends a field that is text, and short.
    #[inline]
    pub(crate) fn push_bytes(&mut self, field: u32, bytes: &[u8]) {
        self.push_head(field, bytes.len());
        self.push(bytes);
    }
}

/// Appends a field that is text, bytes or a message that was made before.
pub(crate) fn push_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    push_head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends what stands before so many bytes of a field.
pub(crate) fn push_head(out: &mut Vec<u8>, field: u32, len: usize) {
    push_tag(out, field, BYTES);
    push_varint(out, len as u64);
}

/// Bytes of a field that is text, bytes or a message of that length. Fields are below 16.
pub(crate) fn bytes_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

/// A field that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Of variable length, or fixed.
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
}

/// Takes the first field off `rest`: its number and value. `None` where there is none that is whole.
pub(crate) fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = take_varint(rest)?;
    let value = match (tag & 7) as u32 {
        VARINT => Value::Number(take_varint(rest)?),
        FIXED64 => Value::Number(u64::from_le_bytes(*take(rest, 8)?.first_chunk()?)),
        FIXED32 => Value::Number(u64::from(u32::from_le_bytes(*take(rest, 4)?.first_chunk()?))),
        BYTES => {
            let len = usize::try_from(take_varint(rest)?).ok()?;
            Value::Bytes(take(rest, len)?)
        }
        _ => return None,
    };
    Some((tag >> 3, value))
}

/// What there is of a field's bytes where not all of them are there.
pub(crate) fn without_head(field: &[u8]) -> &[u8] {
    let mut rest = field;
    let _ = take_varint(&mut rest).and_then(|_| take_varint(&mut rest));
    rest
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let len = rest.iter().take(10).position(|byte| byte & 0x80 == 0)? + 1;
    let bytes = take(rest, len)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_as_long_as_they_must_be() {
        let check = |value: u64, expected: &[u8]| {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!((out.as_slice(), varint_len(value)), (expected, expected.len()), "{value}");
            assert_eq!(take_varint(&mut out.as_slice()), Some(value));
        };
        check(0, &[0]);
        check(1, &[1]);
        check(127, &[127]);
        check(128, &[128, 1]);
        check(300, &[0xac, 2]);
        check(16_383, &[0xff, 0x7f]);
        check(16_384, &[0x80, 0x80, 1]);
        check(u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn fields_are_read_as_they_were_written() {
        let mut out = Vec::new();
        push_number(&mut out, 1, 300);
        push_bytes(&mut out, 2, b"abc");
        let mut short = Short::default();
        short.push_fixed64(11, 5);
        short.push_number(12, 300);
        short.push_bytes(13, b"WARN");
        short.push_head(14, 2);
        out.extend_from_slice(short.bytes());
        out.extend_from_slice(b"yz");
        assert_eq!(out.len(), 3 + bytes_len(3) + 9 + 3 + bytes_len(4) + bytes_len(2));
        let mut rest = out.as_slice();
        assert_eq!(next_field(&mut rest), Some((1, Value::Number(300))));
        assert_eq!(next_field(&mut rest), Some((2, Value::Bytes(b"abc"))));
        assert_eq!(next_field(&mut rest), Some((11, Value::Number(5))));
        assert_eq!(next_field(&mut rest), Some((12, Value::Number(300))));
        assert_eq!(next_field(&mut rest), Some((13, Value::Bytes(b"WARN"))));
        assert_eq!(next_field(&mut rest), Some((14, Value::Bytes(b"yz"))));
        assert_eq!(next_field(&mut rest), None);
        for cut in [1, 4, 8, 12] {
            let mut rest = &out[..cut];
            while next_field(&mut rest).is_some() {}
        }
        assert_eq!(next_field(&mut &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f][..]), None);
        assert_eq!(next_field(&mut &[0xff; 20][..]), None);
    }
}
