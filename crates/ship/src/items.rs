//! The answer to a bulk request, read as it comes: what became of each record.
//!
//! Owns the answer's shape: `{"errors":true,"items":[{"create":{"status":201,…}},…]}`. However long
//! the answer is, only what was not taken is remembered. Pure; fed with pieces of any size.

use crate::told;

/// Objects and arrays within each other, at most.
const DEPTH_MAX: usize = 60;
/// Longest text that is looked at.
const TEXT_BYTES_MAX: usize = 200;
/// What was said of so many items is remembered.
const WORDS_MAX: usize = 4;

/// An item that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Which record of the request it is about.
    pub(crate) number: usize,
    /// Its own status.
    pub(crate) status: u16,
    /// What the store said of it, for the first few.
    pub(crate) words: String,
}

/// Keys that mean something at their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Other,
    Items,
    Status,
    Error,
    Words,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Between,
    Text,
    /// The byte after a backslash.
    Escape,
    /// A number or a word.
    Plain,
}

/// Reads it.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    within: Within,
    /// Of what is open: whether it is an object, and the last key in it.
    open: Vec<(bool, Key)>,
    /// The next text in an object is a key.
    is_key: bool,
    text: Vec<u8>,
    /// Items that are over.
    pub(crate) count: usize,
    status: u16,
    words: String,
    /// Those that were not taken, in their order.
    pub(crate) failed: Vec<Item>,
    is_over: bool,
    is_wrong: bool,
}

impl Items {
    pub(crate) fn new() -> Items {
        Items {
            within: Within::Between,
            open: Vec::new(),
            is_key: false,
            text: Vec::new(),
            count: 0,
            status: 0,
            words: String::new(),
            failed: Vec::new(),
            is_over: false,
            is_wrong: false,
        }
    }

    /// Whether a whole answer was read, with so many items.
    pub(crate) fn is_whole(&self, count: usize) -> bool {
        self.is_over && !self.is_wrong && self.count == count
    }

    /// Whether what was read begins as such an answer does and may be a part of one.
    pub(crate) fn has_begun(&self) -> bool {
        let is_open = matches!(self.open.first(), Some((true, _)));
        !self.is_wrong && (self.count > 0 || is_open && !self.is_over)
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.take(*byte);
        }
    }

    fn take(&mut self, byte: u8) {
        match self.within {
            Within::Text if byte == b'"' => {
                self.within = Within::Between;
                self.text_is_over();
            }
            Within::Text if byte == b'\\' => self.within = Within::Escape,
            Within::Text => self.note(byte),
            Within::Escape => {
                self.within = Within::Text;
                self.note(byte);
            }
            Within::Plain if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                self.note(byte);
            }
            Within::Plain => {
                self.within = Within::Between;
                self.value_is_over();
                self.between(byte);
            }
            Within::Between => self.between(byte),
        }
    }

    fn note(&mut self, byte: u8) {
        if self.text.len() < TEXT_BYTES_MAX {
            self.text.push(byte);
        }
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if self.is_over || self.is_wrong => self.is_wrong = true,
            b'{' | b'[' if self.open.len() >= DEPTH_MAX => self.is_wrong = true,
            b'{' | b'[' => {
                if self.is_item() {
                    (self.status, self.words) = (0, String::new());
                }
                self.open.push((byte == b'{', Key::Other));
                self.is_key = byte == b'{';
            }
            b'}' | b']' => {
                let matches = self.open.pop().is_some_and(|(object, _)| object == (byte == b'}'));
                self.is_wrong |= !matches;
                self.is_over = self.open.is_empty();
                self.is_key = false;
                if self.is_item() {
                    self.item_is_over();
                }
            }
            b',' => self.is_key = self.open.last().is_some_and(|(object, _)| *object),
            b':' => self.is_key = false,
            b'"' => {
                self.text.clear();
                self.within = Within::Text;
            }
            _ => {
                self.text.clear();
                self.text.push(byte);
                self.within = Within::Plain;
            }
        }
    }

    /// Whether what begins or has just ended here is an element of `items`.
    fn is_item(&self) -> bool {
        matches!(self.open[..], [(true, Key::Items), (false, _)])
    }

    fn text_is_over(&mut self) {
        if !std::mem::take(&mut self.is_key) {
            return self.value_is_over();
        }
        let depth = self.open.len();
        let within_error = depth == 5 && self.open[3].1 == Key::Error;
        let key = match (depth, &self.text[..]) {
            (1, b"items") => Key::Items,
            (4, b"status") => Key::Status,
            (4, b"error") => Key::Error,
            (5, b"reason" | b"type") if within_error => Key::Words,
            _ => Key::Other,
        };
        self.open.last_mut().into_iter().for_each(|last| last.1 = key);
    }

    fn value_is_over(&mut self) {
        let in_items = matches!(self.open[..], [(true, Key::Items), (false, _), ..]);
        let Some((true, key)) = self.open.last().filter(|_| in_items) else { return };
        match key {
            Key::Status => {
                let text = std::str::from_utf8(&self.text).unwrap_or_default();
                self.status = text.parse().unwrap_or(0);
            }
            Key::Error | Key::Words if self.has_room_for_words() => {
                let between = if self.words.is_empty() { "" } else { ": " };
                self.words.push_str(between);
                self.words.push_str(&String::from_utf8_lossy(&self.text));
            }
            _ => {}
        }
    }

    /// Whoever says many things of an item is not listened to for ever.
    fn has_room_for_words(&self) -> bool {
        self.failed.len() < WORDS_MAX && self.words.len() < 2 * TEXT_BYTES_MAX
    }

    fn item_is_over(&mut self) {
        // 409: it is there already, from an earlier delivery.
        if !(200..300).contains(&self.status) && self.status != 409 {
            let words = told::short(&std::mem::take(&mut self.words));
            self.failed.push(Item { number: self.count, status: self.status, words });
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_item_is_one_short_line_however_much_it_is() {
        let mut items = Items::new();
        items.feed(b"{\"items\":[{\"create\":{\"status\":400,\"error\":{");
        for _ in 0..100_000 {
            items.feed(b"\"reason\":\"a line\nand a \x06\",");
            assert!(items.words.len() <= 3 * TEXT_BYTES_MAX, "{} bytes", items.words.len());
        }
        items.feed(b"\"type\":\"x\"}}}]}");
        assert!(items.is_whole(1));
        assert!(!items.failed[0].words.contains(char::is_control), "{:?}", items.failed[0].words);
    }

    /// What failed, read in pieces of every size.
    fn check(answer: &str, count: usize, expected: Option<&[(usize, u16, &str)]>) {
        for step in 1..=answer.len().max(1) {
            let mut items = Items::new();
            answer.as_bytes().chunks(step).for_each(|piece| items.feed(piece));
            let failed = items.failed.iter().map(|item| (item.number, item.status, &*item.words));
            let seen = items.is_whole(count).then(|| failed.collect::<Vec<_>>());
            assert_eq!(seen.as_deref(), expected, "{answer}");
        }
    }

    #[test]
    fn taken_items_and_those_that_are_there_already_did_not_fail() {
        check(r#"{"took":1,"errors":false,"items":[]}"#, 0, Some(&[]));
        let item = r#"{"create":{"_index":"a","_id":"x","status":201}}"#;
        let there = r#"{"create":{"status":409,"error":{"type":"version_conflict","reason":"x"}}}"#;
        let answer = format!(r#"{{"took":1,"errors":true,"items":[{item}, {there} ,{item}]}}"#);
        check(&answer, 3, Some(&[]));
        check(&answer, 2, None);
        check(&answer[..answer.len() - 1], 3, None);
    }

    #[test]
    fn the_others_are_named_with_what_was_said() {
        let failed = r#"{"create":{"_id":"x","status":400,"error":{"type":"mapper","reason":"no \"date\"","caused_by":{"reason":"y"}}}}"#;
        let busy = r#"{"create":{"error":"busy","status":429}}"#;
        let answer = format!(r#"{{"items":[{busy},{failed},{{"create":{{}}}}],"errors":true}}"#);
        let expected = [(0, 429, "busy"), (1, 400, "mapper: no \"date\""), (2, 0, "")];
        check(&answer, 3, Some(&expected));
    }

    #[test]
    fn what_stands_elsewhere_does_not_count() {
        check(r#"{"status":500,"error":"x","items":[{"create":{"status":200}}]}"#, 1, Some(&[]));
        check(r#"{"other":[{"create":{"status":500}}],"items":[]}"#, 0, Some(&[]));
        let nested = r#"{"items":[{"create":{"_shards":{"status":500},"status":200}}]}"#;
        check(nested, 1, Some(&[]));
    }

    #[test]
    fn what_is_no_such_answer_is_not_taken_for_one() {
        for answer in ["", "{", "<html>", "{}}", "{]", "{} {}", "null", "[{}"] {
            check(answer, 1, None);
        }
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        check(&deep, 0, None);
    }

    #[test]
    fn what_is_remembered_is_bounded_by_the_request() {
        let item = r#"{"create":{"status":400,"error":"too long a text "}},"#;
        let mut items = Items::new();
        items.feed(b"{\"items\":[");
        (0..1000).for_each(|_| items.feed(item.as_bytes()));
        let words = items.failed.iter().filter(|item| !item.words.is_empty()).count();
        assert_eq!((items.failed.len(), words), (1000, WORDS_MAX));
    }
}
