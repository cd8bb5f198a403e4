//! nginx: `sub_filter`: texts of the content are replaced by others, in either case of letters.
//!
//! What stands first is replaced, and of several that stand there the one that the file has first.
//! Bytes that may be the beginning of one are held back until it shows; nginx: what ends there is
//! none.

use super::Mode;

/// Replaces texts in the content of one answer.
#[derive(Debug)]
pub struct Substitution {
    pairs: Vec<Pair>,
    /// By each byte, whether one of them begins with it.
    starts: Box<[bool; 256]>,
    is_once: bool,
    held: Vec<u8>,
}

#[derive(Debug)]
struct Pair {
    /// In lower case, and not empty.
    find: Vec<u8>,
    put: Vec<u8>,
    is_done: bool,
}

/// What is found at a place.
enum Found {
    Nothing,
    /// The beginning of one, at the end of what is known.
    Part,
    /// The one of this index.
    Whole(usize),
}

impl Substitution {
    /// For pairs of what is looked for, in lower case, and what comes in its place. `is_once`: each
    /// is replaced where it stands first and nowhere else.
    pub fn new(pairs: Vec<(Vec<u8>, Vec<u8>)>, is_once: bool) -> Substitution {
        debug_assert!(pairs.iter().all(|(find, _)| !find.is_empty()), "something is looked for");
        let mut starts = Box::new([false; 256]);
        for first in pairs.iter().filter_map(|(find, _)| find.first()) {
            for byte in [first.to_ascii_lowercase(), first.to_ascii_uppercase()] {
                if let Some(place) = starts.get_mut(usize::from(byte)) {
                    *place = true;
                }
            }
        }
        let pair = |(find, put)| Pair { find, put, is_done: false };
        let pairs = pairs.into_iter().map(pair).collect();
        Substitution { pairs, starts, is_once, held: Vec::new() }
    }

    /// Adds to `out` what leaves now.
    pub fn pass(&mut self, data: &[u8], mode: Mode, out: &mut Vec<u8>) {
        let mut known = std::mem::take(&mut self.held);
        if mode == Mode::End && data.is_empty() {
            return out.append(&mut known);
        }
        let whole = if known.is_empty() {
            data
        } else {
            known.extend_from_slice(data);
            &known
        };
        let (mut at, mut copied) = (0, 0);
        while let Some(rest) = whole.get(at..).filter(|rest| !rest.is_empty()) {
            let starts = |byte: &u8| self.starts.get(usize::from(*byte)).is_some_and(|is| *is);
            let Some(skipped) = rest.iter().position(starts) else {
                at = whole.len();
                break;
            };
            at += skipped;
            match self.find(whole.get(at..).unwrap_or_default()) {
                Found::Nothing => at += 1,
                Found::Part => break,
                Found::Whole(index) => {
                    out.extend_from_slice(whole.get(copied..at).unwrap_or_default());
                    if let Some(pair) = self.pairs.get_mut(index) {
                        out.extend_from_slice(&pair.put);
                        pair.is_done = self.is_once;
                        at += pair.find.len();
                    }
                    copied = at;
                }
            }
        }
        let end = if mode == Mode::End { whole.len() } else { at };
        out.extend_from_slice(whole.get(copied..end).unwrap_or_default());
        self.held.extend_from_slice(whole.get(end..).unwrap_or_default());
    }

    fn find(&self, rest: &[u8]) -> Found {
        for (index, pair) in self.pairs.iter().enumerate().filter(|(_, pair)| !pair.is_done) {
            let length = pair.find.len().min(rest.len());
            let (start, wanted) = (rest.get(..length), pair.find.get(..length));
            if start.zip(wanted).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other)) {
                let is_whole = length == pair.find.len();
                return if is_whole { Found::Whole(index) } else { Found::Part };
            }
        }
        Found::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What content becomes, in pieces of every size.
    fn check(pairs: &[(&str, &str)], is_once: bool, content: &str, expected: &str) {
        for piece in 1..=content.len() {
            for pauses in [false, true] {
                let pairs = pairs.iter().map(|(find, put)| ((*find).into(), (*put).into()));
                let mut substitution = Substitution::new(pairs.collect(), is_once);
                let mut out = Vec::new();
                for data in content.as_bytes().chunks(piece) {
                    substitution.pass(data, Mode::More, &mut out);
                    if pauses {
                        substitution.pass(b"", Mode::Pause, &mut out);
                    }
                }
                substitution.pass(b"", Mode::End, &mut out);
                let out = String::from_utf8(out).unwrap();
                assert_eq!(out, expected, "{pairs:?} in {content:?}", pairs = substitution.pairs);
            }
        }
    }

    #[test]
    fn what_is_found_is_replaced_in_either_case_wherever_it_is_cut() {
        check(
            &[("</head>", "<x></head>")],
            true,
            "<html></HEAD></head>",
            "<html><x></head></head>",
        );
        check(&[("ab", "-")], false, "abAbaaBb", "--a-b");
        check(&[("aab", "-")], false, "aaab", "a-");
        check(&[("a", "")], false, "banana", "bnn");
        check(&[("a", "aa")], false, "aba", "aabaa");
        check(&[("xyz", "-")], false, "xyxyxyz", "xyxy-");
    }

    #[test]
    fn of_several_the_first_place_counts_and_then_the_order_of_the_file() {
        check(&[("bc", "1"), ("abc", "2"), ("ab", "3")], false, "abcab", "2ab");
        check(&[("ab", "3"), ("abc", "2"), ("bc", "1")], false, "abcab", "3c3");
        check(&[("a", "1"), ("b", "2")], true, "abab", "12ab");
        check(&[("a", "1"), ("a", "2")], true, "aaa", "12a");
    }

    #[test]
    fn what_breaks_off_at_the_end_stays_as_it_is() {
        check(&[("abcd", "-")], false, "xabc", "xabc");
        // nginx: the longer one is waited for, and with it the shorter.
        check(&[("abcd", "-"), ("ab", "+")], false, "xab", "xab");
    }

    #[test]
    fn nothing_waits_that_cannot_be_the_beginning_of_one() {
        let mut substitution = Substitution::new(vec![(b"end".into(), b"-".into())], false);
        let mut out = Vec::new();
        substitution.pass(b"an event", Mode::More, &mut out);
        assert_eq!(out, b"an event");
        substitution.pass(b" and an en", Mode::More, &mut out);
        assert_eq!(out, b"an event and an ");
    }
}
