//! The checker: numbered lines of several writers, and what of them came out in which life. It
//! knows nothing of the program under test.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;

/// The bytes of a line; length and content follow from its numbers.
pub fn text(writer: u32, number: u64) -> String {
    let padding = "the quick brown fox jumps over the lazy dog, again and again";
    let end = (number * 7 + u64::from(writer)) as usize % padding.len();
    format!("w{writer:03} {number:09} {}\n", &padding[..end])
}

/// Lines of one writer, one after the other.
pub fn texts(writer: u32, numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| text(writer, number)).collect()
}

/// Which lines came out, over several lives of the program.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By writer: how often each line came.
    seen: BTreeMap<u32, Vec<u32>>,
}

impl Ledger {
    /// Enters what one life wrote: each line whole, each writer's in order and none twice. The end
    /// of a life that was `killed` may be a line's beginning. Returns how many bytes of it an
    /// earlier life wrote already.
    pub fn life(&mut self, output: &[u8], killed: bool) -> usize {
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        let mut again = 0;
        for line in output.split_inclusive(|byte| *byte == b'\n') {
            if killed && !line.ends_with(b"\n") {
                break;
            }
            let (writer, number) = numbers(line);
            let before = last.insert(writer, number);
            assert!(
                before < Some(number),
                "writer {writer}: {number} comes after {before:?}: {}",
                order(output, writer)
            );
            let seen = self.seen.entry(writer).or_default();
            seen.resize(seen.len().max(number as usize + 1), 0);
            again += if seen[number as usize] > 0 { line.len() } else { 0 };
            seen[number as usize] += 1;
        }
        again
    }

    /// All lines that `writer` wrote came, and none that it did not.
    pub fn assert_nothing_lost(&self, writer: u32, written: u64) {
        let none = Vec::new();
        let seen = self.seen.get(&writer).unwrap_or(&none);
        let lost: Vec<u64> = (0..written)
            .filter(|n| seen.get(*n as usize).is_none_or(|count| *count == 0))
            .collect();
        assert!(lost.is_empty(), "writer {writer} lost {} lines: {}", lost.len(), runs(&lost));
        assert_eq!(seen.len() as u64, written, "writer {writer} has lines that nobody wrote");
    }

    /// How many lines of `writer` came so far, each counted once.
    pub fn count(&self, writer: u32) -> u64 {
        let seen = self.seen.get(&writer).into_iter().flatten();
        seen.filter(|count| **count > 0).count() as u64
    }
}

/// Writer and number of a line, which must be whole.
fn numbers(line: &[u8]) -> (u32, u64) {
    let found = std::str::from_utf8(line).ok().and_then(|text| {
        let writer = text.strip_prefix('w')?.get(..3)?.parse().ok()?;
        Some((writer, text.get(5..14)?.parse().ok()?))
    });
    match found {
        Some((writer, number)) if line == text(writer, number).as_bytes() => (writer, number),
        _ => panic!("torn line {:?}", String::from_utf8_lossy(line)),
    }
}

/// The numbers of `writer` as they came out: where the order broke is seen from the runs.
fn order(output: &[u8], writer: u32) -> String {
    let lines = output.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    runs(&lines.map(numbers).filter(|(by, _)| *by == writer).map(|(_, n)| n).collect::<Vec<_>>())
}

/// Numbers in order, as first and last of each run.
fn runs(numbers: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    runs.iter().take(20).map(|(first, last)| format!("{first}-{last} ")).collect()
}
