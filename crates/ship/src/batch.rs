//! Records that are sent together, as the bytes they are sent as.
//!
//! Owns where each record is in those bytes, so that any of them make a request of their own: a
//! half of a batch that was too large, or those records of it that were not taken.

use std::ops::Range;
use std::sync::Arc;

use crate::format::Writer;

/// Memory that an unusually large batch took is given back down to this.
const KEPT_BYTES: usize = 1 << 20;

/// A batch that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Records, one behind the other.
    pub(crate) body: Vec<u8>,
    /// Where each of them ends.
    pub(crate) ends: Vec<u32>,
    /// Offers whose last byte is in it.
    pub(crate) offers: Vec<u64>,
    /// When its first record came.
    pub(crate) begun_ms: u64,
    /// The next record did not fit.
    pub(crate) is_full: bool,
}

impl Batch {
    /// An empty one that uses memory of an earlier one.
    pub(crate) fn with_memory(mut body: Vec<u8>, mut ends: Vec<u32>) -> Batch {
        body.clear();
        body.shrink_to(KEPT_BYTES);
        ends.clear();
        Batch { body, ends, ..Batch::default() }
    }

    /// Whether it stands for nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// Takes in another one that came after it.
    pub(crate) fn absorb(&mut self, later: &Batch) {
        let shift = self.body.len() as u32;
        self.body.extend_from_slice(&later.body);
        self.ends.extend(later.ends.iter().map(|end| end + shift));
        self.offers.extend_from_slice(&later.offers);
    }
}

/// Some records of a batch, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part(Vec<Range<u32>>);

impl Part {
    /// The first so many.
    pub(crate) fn first(count: usize) -> Part {
        Part(Vec::from_iter((count > 0).then_some(0..count as u32)))
    }

    /// How many they are.
    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|range| range.len()).sum()
    }

    /// Adds one that comes after all others.
    pub(crate) fn push(&mut self, number: u32) {
        match self.0.last_mut() {
            Some(last) if last.end == number => last.end += 1,
            _ => self.0.push(number..number + 1),
        }
    }

    /// Which they are.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().cloned().flatten()
    }

    /// The first half, and the second one, which is empty where there is but one record.
    pub(crate) fn halves(&self) -> [Part; 2] {
        let first = self.count().div_ceil(2);
        let mut halves = [Part::default(), Part::default()];
        for (place, number) in self.numbers().enumerate() {
            halves[usize::from(place >= first)].push(number);
        }
        halves
    }
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Parcel {
    head: Vec<u8>,
    body: Arc<Vec<u8>>,
    ranges: Vec<Range<usize>>,
    end: &'static [u8],
    /// Records in it.
    pub records: usize,
}

impl Parcel {
    pub(crate) fn new(writer: &Writer, body: &Arc<Vec<u8>>, ends: &[u32], part: &Part) -> Parcel {
        let start_of = |number: u32| match number {
            0 => 0,
            number => ends[number as usize - 1] as usize,
        };
        let ranges = part.0.iter().map(|range| start_of(range.start)..start_of(range.end));
        let mut ranges: Vec<_> = ranges.collect();
        // Nothing stands before the first record.
        ranges.first_mut().into_iter().for_each(|first| first.start += writer.joint_len());
        let len = ranges.iter().map(Range::len).sum();
        let (head, end) = writer.frame(len);
        Parcel { head, body: Arc::clone(body), ranges, end, records: part.count() }
    }

    /// Its bytes, in several pieces.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let records = self.ranges.iter().map(|range| &self.body[range.clone()]);
        [&self.head[..]].into_iter().chain(records).chain([self.end])
    }

    /// How many bytes they are.
    pub fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::format::tests::shape;

    #[test]
    fn a_part_is_halved_until_it_is_one_record() {
        let check = |part: &Part, expected: [&[u32]; 2]| {
            let halves = part.halves().map(|half| half.numbers().collect::<Vec<_>>());
            assert_eq!(halves, expected.map(<[u32]>::to_vec));
        };
        check(&Part::first(5), [&[0, 1, 2], &[3, 4]]);
        check(&Part::first(1), [&[0], &[]]);
        check(&Part::first(0), [&[], &[]]);
        let mut part = Part::default();
        [1, 2, 5, 7, 8, 9].into_iter().for_each(|number| part.push(number));
        assert_eq!((part.count(), part.0.len()), (6, 3));
        check(&part, [&[1, 2, 5], &[7, 8, 9]]);
    }

    #[test]
    fn any_records_of_a_batch_make_a_request() {
        let check = |format: Format, numbers: &[u32], expected: &str| {
            let writer = Writer::new(&shape(format));
            let body = Arc::new(b",aa,b,cccc".to_vec());
            let mut part = Part::default();
            numbers.iter().for_each(|number| part.push(*number));
            let parcel = Parcel::new(&writer, &body, &[3, 5, 10], &part);
            let bytes = parcel.pieces().collect::<Vec<_>>().concat();
            assert_eq!((parcel.len(), parcel.records), (bytes.len(), numbers.len()));
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.ends_with(expected), "{text}");
        };
        check(Format::Loki, &[0, 1, 2], "\"values\":[aa,b,cccc]}]}");
        check(Format::Loki, &[1], "\"values\":[b]}]}");
        check(Format::OtlpJson, &[0, 2], "\"logRecords\":[aa,cccc]}]}]}");
        check(Format::Ndjson, &[0, 2], ",aa,cccc");
    }

    #[test]
    fn what_came_later_stands_behind() {
        let mut batch =
            Batch { body: b"ab".into(), ends: vec![1, 2], offers: vec![3], ..Batch::default() };
        let later =
            Batch { body: b"cd".into(), ends: vec![2], offers: vec![4], ..Batch::default() };
        batch.absorb(&later);
        assert_eq!(
            (batch.body, batch.ends, batch.offers),
            (b"abcd".into(), vec![1, 2, 4], vec![3, 4])
        );
    }
}
