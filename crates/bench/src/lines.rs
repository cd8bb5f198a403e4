//! Owns the numbered lines of the scraper cases: making them, and keeping book of which came out.
//! Pure; writing and reading them is the caller's.

/// Bytes of a line, its newline included.
pub(crate) const LINE_BYTES: usize = 100;

const FILLER: &str =
    " INFO GET /some/path/of/an/application 200 client=10.0.0.1 duration_ms=3 agent=bench/1.0";

/// Line `number`: ten digits, a constant text, newline; [`LINE_BYTES`] long.
pub(crate) fn line(number: u64) -> [u8; LINE_BYTES] {
    let mut line = [b'.'; LINE_BYTES];
    let text = format!("{number:010}{FILLER}");
    for (to, from) in line.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    line[LINE_BYTES - 1] = b'\n';
    line
}

/// Books of a numbered stream that was read back in pieces of any size.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// How often each number came.
    seen: Vec<u32>,
    /// Begin of a line whose end has not come yet.
    rest: Vec<u8>,
    /// Number that an unbroken stream would bring next.
    next: u64,
    /// Lines that are none of ours: torn, merged, or with bytes changed.
    pub(crate) torn: u64,
    /// Lines that came out of order.
    pub(crate) unordered: u64,
}

impl Ledger {
    /// Books for lines 0 to `count - 1`.
    pub(crate) fn new(count: usize) -> Self {
        Self { seen: vec![0; count], rest: Vec::new(), next: 0, torn: 0, unordered: 0 }
    }

    /// Enters the next piece of the stream.
    pub(crate) fn enter(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        for text in lines.split_inclusive(|byte| *byte == b'\n') {
            self.enter_line(text);
        }
    }

    fn enter_line(&mut self, text: &[u8]) {
        let number = text.get(..10).and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
        let Some(number) = number.filter(|number: &u64| line(*number) == text) else {
            self.torn += 1;
            return;
        };
        let Some(count) = usize::try_from(number).ok().and_then(|idx| self.seen.get_mut(idx))
        else {
            self.torn += 1;
            return;
        };
        *count += 1;
        self.unordered += u64::from(number < self.next);
        self.next = number + 1;
    }

    /// Lines that never came.
    pub(crate) fn lost(&self) -> u64 {
        self.seen.iter().filter(|count| **count == 0).count() as u64
    }

    /// Lines beyond the first of their number.
    pub(crate) fn doubled(&self) -> u64 {
        self.seen.iter().map(|count| u64::from(count.saturating_sub(1))).sum()
    }

    /// Bytes of a last line without its newline.
    pub(crate) fn partial_bytes(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters `numbers` cut into pieces of each size and checks (lost, doubled, torn, unordered).
    fn check(numbers: &[u64], expected: (u64, u64, u64, u64)) {
        let stream: Vec<u8> = numbers.iter().flat_map(|number| line(*number)).collect();
        for size in [1, 7, 99, 100, 101, 10_000] {
            let mut ledger = Ledger::new(4);
            stream.chunks(size).for_each(|piece| ledger.enter(piece));
            let books = (ledger.lost(), ledger.doubled(), ledger.torn, ledger.unordered);
            assert_eq!(books, expected, "pieces of {size}");
            assert_eq!(ledger.partial_bytes(), 0);
        }
    }

    #[test]
    fn line_has_its_length_and_one_newline_at_its_end() {
        let text = line(7);
        assert!(text.starts_with(b"0000000007 "));
        assert_eq!(text.iter().position(|byte| *byte == b'\n'), Some(LINE_BYTES - 1));
    }

    #[test]
    fn whole_stream_is_clean() {
        check(&[0, 1, 2, 3], (0, 0, 0, 0));
    }

    #[test]
    fn lost_doubled_and_unordered_lines_are_counted() {
        check(&[0, 3], (2, 0, 0, 0));
        check(&[0, 1, 0, 1, 2, 3], (0, 2, 0, 1));
        check(&[1, 0, 2, 3], (0, 0, 0, 1));
        check(&[], (4, 0, 0, 0));
    }

    #[test]
    fn number_that_was_never_written_is_torn() {
        check(&[0, 1, 2, 3, 9], (0, 0, 1, 0));
    }

    #[test]
    fn torn_line_is_counted_and_lost() {
        let mut ledger = Ledger::new(2);
        ledger.enter(&line(0)[..50]);
        ledger.enter(&line(1));
        ledger.enter(b"unfinished");
        assert_eq!((ledger.torn, ledger.lost(), ledger.partial_bytes()), (1, 2, 10));
    }
}
