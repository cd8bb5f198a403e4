//! The checkpoint's way to and from its file.
//!
//! Owns when a slot is written and what is made of what is read at the start. The bytes are
//! [`crate::checkpoint`]'s business.

use crate::checkpoint::{self, Choice, Damage, Found, HEADER_BYTES, SLOT_BYTES_MAX};
use crate::engine::Engine;
use crate::fs::{Fault, Fs};
use crate::pattern;
use crate::report::Notice;
use crate::stream::Stream;

impl Engine {
    /// Reads the checkpoint and makes a stream of each path.
    pub(crate) fn start(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        self.checkpoint_at_ms = now_ms;
        self.ending |= self.options.exit_on_eof;
        let choice = match self.options.checkpoint {
            true => {
                let first = self.read_slot(fs, 0);
                checkpoint::choose_slot(first, self.read_slot(fs, 1))
            }
            false => checkpoint::choose_slot(Ok(None), Ok(None)),
        };
        let Choice { slot, next, damage } = choice;
        let damaged = damage.iter().any(Option::is_some);
        self.notices.extend(damage.into_iter().flatten().map(Notice::BadCheckpoint));
        self.next_slot = next;
        self.first_start = slot.is_none() && !damaged;
        // The other slot is older: what it does not know may have been cut since.
        self.recovering = damaged;
        if damaged && slot.is_none() {
            self.notices.push(Notice::Recovering);
        }
        for path in self.options.paths.clone() {
            if !pattern::is_pattern(&path) {
                self.add_stream(path, true);
            }
        }
        let Some(slot) = slot else { return };
        self.sequence = slot.sequence;
        for entry in slot.entries {
            let at = match self.streams.iter().position(|stream| stream.path == entry.path) {
                Some(at) => at,
                None if self.is_wanted(&entry.path) => self.add_stream(entry.path, false),
                None => continue,
            };
            self.streams[at].closed = entry.known;
            self.streams[at].restored = true;
        }
    }

    fn read_slot(&mut self, fs: &mut dyn Fs, slot: usize) -> Found {
        let start = (slot * SLOT_BYTES_MAX) as u64;
        let mut header = [0; HEADER_BYTES];
        let filled = read_slot_part(fs, start, &mut header)?;
        let header = &header[..filled];
        if filled < HEADER_BYTES && header.iter().any(|byte| *byte != 0) {
            return Err(Damage::Torn);
        }
        let Some(len) = checkpoint::slot_len(header)? else { return Ok(None) };
        let mut bytes = vec![0; len];
        let filled = read_slot_part(fs, start, &mut bytes)?;
        checkpoint::decode(&bytes[..filled])
    }

    pub(crate) fn write_checkpoint(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        self.checkpoint_at_ms = now_ms;
        // What is not acknowledged is not in it.
        self.bytes_since_checkpoint = self.outgoing.ledger.bytes();
        if !self.options.checkpoint {
            self.changed = false;
            return;
        }
        let generations = self.streams.iter().flat_map(|stream| &stream.generations);
        for one in generations {
            // A checkpoint ahead of the output loses lines with certainty, and silently.
            assert!(one.settled.frontier <= one.written.frontier, "checkpoint behind the output");
        }
        let mut known: Vec<_> = self.streams.iter().map(Stream::known).collect();
        let entries = self.streams.iter().zip(&mut known).map(|(stream, known)| {
            let known: &mut dyn Iterator<Item = checkpoint::Known> = known;
            (stream.path.as_path(), known)
        });
        let fits = checkpoint::encode(self.sequence + 1, entries, &mut self.encoded);
        let start = (self.next_slot * SLOT_BYTES_MAX) as u64;
        let written = match fits {
            true => fs.write_checkpoint(start, &self.encoded),
            false => Err(Fault::Full),
        };
        match written {
            Ok(()) => {
                self.sequence += 1;
                self.next_slot = 1 - self.next_slot;
                self.changed = false;
            }
            Err(fault) => {
                self.stats.checkpoint_failures += 1;
                self.notices.push(Notice::CheckpointFailed(fault));
            }
        }
    }
}

fn read_slot_part(fs: &mut dyn Fs, start: u64, buf: &mut [u8]) -> Result<usize, Damage> {
    let mut filled = 0;
    while filled < buf.len() {
        match fs.read_checkpoint(start + filled as u64, &mut buf[filled..]) {
            Ok(0) | Err(Fault::Missing) => break,
            Ok(count) => filled += count,
            Err(_) => return Err(Damage::Unreadable),
        }
    }
    Ok(filled)
}
