//! Reads gzip streams (RFC 1952) as a client does, piece by piece.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

const HEAD_BYTES: usize = 10;

/// A stream as far as it was read.
pub struct Unpacker {
    state: Box<InflateState>,
    head: Vec<u8>,
    sum: crc32fast::Hasher,
    /// Bytes that have come out.
    pub count: u64,
    is_ended: bool,
    tail: Vec<u8>,
}

impl Unpacker {
    pub fn new() -> Unpacker {
        Unpacker {
            state: InflateState::new_boxed(DataFormat::Raw),
            head: Vec::new(),
            sum: crc32fast::Hasher::new(),
            count: 0,
            is_ended: false,
            tail: Vec::new(),
        }
    }

    /// What a piece becomes.
    pub fn push(&mut self, data: &[u8]) -> Result<Vec<u8>, String> {
        let (head, mut data) = data.split_at(data.len().min(HEAD_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        if !self.head.starts_with(&[0x1f, 0x8b, 8, 0][..self.head.len().min(4)]) {
            return Err(format!("no gzip stream begins with {:?}", self.head));
        }
        let mut out = Vec::new();
        let mut room = [0; 4_096];
        while !self.is_ended && (!data.is_empty() || out.len() % room.len() == 0) {
            let step = inflate(&mut self.state, data, &mut room, MZFlush::None);
            data = &data[step.bytes_consumed..];
            out.extend_from_slice(&room[..step.bytes_written]);
            match step.status {
                Ok(MZStatus::StreamEnd) => self.is_ended = true,
                Ok(_) if step.bytes_written == 0 && step.bytes_consumed == 0 => break,
                Ok(_) => {}
                Err(miniz_oxide::MZError::Buf) => break,
                Err(wrong) => return Err(format!("a gzip stream is broken: {wrong:?}")),
            }
        }
        self.tail.extend_from_slice(data);
        self.sum.update(&out);
        self.count += out.len() as u64;
        Ok(out)
    }

    /// Whether that was all of it.
    pub fn end(&self) -> Result<(), String> {
        let sum = self.sum.clone().finalize();
        let tail = [sum.to_le_bytes(), (self.count as u32).to_le_bytes()].concat();
        match self.is_ended && self.tail == tail {
            true => Ok(()),
            false => Err(format!("a gzip stream of {} bytes does not end well", self.count)),
        }
    }
}

#[test]
fn a_stream_is_read_however_it_is_cut_and_its_end_is_looked_at() {
    let content: Vec<u8> = (0..20_000_u32).map(|at| (at * at % 251) as u8).collect();
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    stream.extend(miniz_oxide::deflate::compress_to_vec(&content, 6));
    stream.extend(crc32fast::hash(&content).to_le_bytes());
    stream.extend((content.len() as u32).to_le_bytes());
    for piece in [1, 7, 4_096, usize::MAX] {
        let mut unpacker = Unpacker::new();
        let pieces = stream.chunks(piece).map(|part| unpacker.push(part).unwrap());
        assert_eq!(pieces.collect::<Vec<_>>().concat(), content);
        unpacker.end().unwrap();
    }
    let mut cut = Unpacker::new();
    cut.push(&stream[..stream.len() - 1]).unwrap();
    cut.end().unwrap_err();
    assert!(Unpacker::new().push(b"<html>").is_err());
}
