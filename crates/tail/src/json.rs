//! JSON as far as log lines need it: any bytes as a string, and whether a line is an object.
//!
//! Owns what is valid (RFC 8259, to a bounded depth) and how bytes are escaped. Pure; it builds no
//! tree, and numbers and strings of the line stay as they are written.

/// Objects and arrays within each other, at most; a deeper line is text.
const DEPTH_MAX: usize = 64;
/// A one in each byte.
const ONES: u64 = u64::MAX / 255;

/// Appends any bytes as a JSON string, quotes included. What is not UTF-8 becomes U+FFFD. Like what it
/// is made of it is optimised as its caller is.
#[inline]
pub fn push_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return push_str(out, text);
    }
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        push_escaped(out, chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Appends text as a JSON string, quotes included.
#[inline]
pub fn push_str(out: &mut Vec<u8>, text: &str) {
    push_utf8(out, text.as_bytes());
}

/// The same of bytes that are known to be UTF-8.
#[inline]
pub fn push_utf8(out: &mut Vec<u8>, text: &[u8]) {
    // Room for all at once, where nothing is to be escaped.
    out.reserve(text.len() + 2);
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

#[inline]
fn push_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    if is_plain(text) {
        return out.extend_from_slice(text);
    }
    while let Some(at) = special(text) {
        out.extend_from_slice(&text[..at]);
        match text[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            special @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', special]),
            control => {
                let hex = b"0123456789abcdef";
                let digits = [hex[usize::from(control >> 4)], hex[usize::from(control & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// Whether it is ASCII of which nothing has to be escaped, as most lines are: that is asked in far fewer
/// steps than where it is not.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    // The highest bit of a byte that is below 0x20, or above 0x7f.
    let marks = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        word | word.wrapping_sub(ONES * 0x20)
    };
    let (words, rest) = text.as_chunks();
    let all = words.iter().fold(0, |all, word| all | marks(word)) & ONES << 7;
    let is_within = |byte: &u8| (0x20..0x80).contains(byte);
    all == 0 && rest.iter().all(is_within) && memchr::memchr2(b'"', b'\\', text).is_none()
}

/// The first byte that has to be escaped. Most lines have none: sixteen bytes are asked at once, in two
/// words, and how the code is optimised does not matter much.
#[inline]
fn special(text: &[u8]) -> Option<usize> {
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let (pairs, _) = text.as_chunks::<16>();
    let has_special = |pair: &[u8; 16]| {
        let pair = u128::from_le_bytes(*pair);
        special_marks(pair as u64) | special_marks((pair >> 64) as u64) != 0
    };
    let from = match pairs.iter().position(has_special) {
        Some(place) => 16 * place,
        // What is left of a long line lies in its last bytes, some of which are asked again.
        None if text.last_chunk().is_some_and(|last| !has_special(last)) => return None,
        None => 16 * pairs.len(),
    };
    text[from..].iter().position(is_special).map(|at| from + at)
}

/// The highest bit of each byte that has to be escaped, and maybe of bytes above such a one; none where
/// there is no such byte.
#[inline]
fn special_marks(word: u64) -> u64 {
    let [quote, slash] = [b'"', b'\\'].map(|byte| word ^ (ONES * u64::from(byte)));
    let control = word.wrapping_sub(ONES * 0x20);
    let equal = quote.wrapping_sub(ONES) | slash.wrapping_sub(ONES);
    // A byte of 0x80 or more is one after each XOR, too, and never meant.
    (control | equal) & !word & (ONES << 7)
}

/// A line that is a JSON object and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Object<'a> {
    /// From its brace to its brace.
    pub(crate) text: &'a [u8],
    /// It has the key `time`.
    pub(crate) has_time: bool,
    /// It has the key `file`.
    pub(crate) has_file: bool,
    /// A key of its own is written with an escape, so that it may be any of these.
    pub(crate) has_escaped_key: bool,
    /// It has no key at all.
    pub(crate) is_empty: bool,
}

/// The object that a line is, blanks around it left out.
pub(crate) fn object(line: &[u8]) -> Option<Object<'_>> {
    let text = line.trim_ascii();
    if text.first() != Some(&b'{') || std::str::from_utf8(text).is_err() {
        return None;
    }
    let mut found =
        Object { text, has_time: false, has_file: false, has_escaped_key: false, is_empty: true };
    let mut parser = Parser { text, at: 0 };
    parser.object(1, &mut |key| {
        found.is_empty = false;
        found.has_time |= key == b"time";
        found.has_file |= key == b"file";
        found.has_escaped_key |= key.contains(&b'\\');
    })?;
    (parser.at == text.len()).then_some(found)
}

/// A validator by descent; every function passes over one thing, or says that it is not there.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\n\r".contains(&byte)) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(depth, &mut |_| {}),
            b'[' => self.array(depth),
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn object(&mut self, depth: usize, key_seen: &mut dyn FnMut(&[u8])) -> Option<()> {
        self.expect(b'{')?;
        self.blanks();
        if depth > DEPTH_MAX {
            return None;
        }
        if self.peek()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            self.blanks();
            key_seen(self.string()?);
            self.blanks();
            self.expect(b':')?;
            self.blanks();
            self.value(depth + 1)?;
            self.blanks();
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.expect(b'[')?;
        self.blanks();
        if depth > DEPTH_MAX {
            return None;
        }
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            self.blanks();
            self.value(depth + 1)?;
            self.blanks();
            match self.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// What is between the quotes, as it is written.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.next()? {
                b'"' => return Some(&self.text[start..self.at - 1]),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.text.get(self.at..self.at + 4)?;
                        digits.iter().all(u8::is_ascii_hexdigit).then(|| self.at += 4)?;
                    }
                    _ => return None,
                },
                0..0x20 => return None,
                _ => {}
            }
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_be_escaped_is_found_at_every_place_and_nothing_else_is() {
        for byte in 0..=u8::MAX {
            for around in [b'a', 0x80, 0xff, b'!', b'#', b'[', b']', b' '] {
                for at in 0..20 {
                    let mut text = [around; 20];
                    text[at] = byte;
                    let is_special = byte < 0x20 || b"\"\\".contains(&byte);
                    assert_eq!(special(&text), is_special.then_some(at), "{text:?}");
                    // The first one counts.
                    text[at..].fill(byte);
                    assert_eq!(special(&text), is_special.then_some(at), "{text:?}");
                }
            }
        }
    }

    fn check(bytes: &[u8], expected: &str) {
        let mut out = Vec::new();
        push_string(&mut out, bytes);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn any_bytes_are_a_string() {
        check(b"", r#""""#);
        check(b"plain", r#""plain""#);
        check(b"\"quoted\" \\ \r\n\t", r#""\"quoted\" \\ \r\n\t""#);
        check(b"\0\x01\x1f\x7f", "\"\\u0000\\u0001\\u001f\x7f\"");
        check("öäü € 🦀 \u{2028}".as_bytes(), "\"öäü € 🦀 \u{2028}\"");
        check(b"a\xffb\xc3", "\"a\u{fffd}b\u{fffd}\"");
        check(b"\xe2\x82", "\"\u{fffd}\"");
        check(b"\xed\xa0\x80", "\"\u{fffd}\u{fffd}\u{fffd}\"");
    }

    #[test]
    fn what_is_escaped_is_found_at_every_place_of_a_line_of_any_length() {
        for len in 1..50 {
            for at in 0..len {
                let mut text = vec![b'x'; len];
                text[at] = b'\n';
                let (before, behind) = ("x".repeat(at), "x".repeat(len - at - 1));
                check(&text, &format!("\"{before}\\n{behind}\""));
            }
        }
    }

    #[test]
    fn objects_are_told_from_all_else() {
        for line in [
            "{}",
            " {\"a\":1} \r",
            r#"{"a":-0.5e+10,"b":[1,[],{}],"c":"\u00e4\n\"","d":null,"e":true,"f":false}"#,
            "{ \"a\" :\n 1 , \"b\": [ ] }",
            "{\"ö\":\"🦀\"}",
        ] {
            assert!(object(line.as_bytes()).is_some(), "{line}");
        }
        for line in [
            "",
            "text",
            "1",
            "[]",
            "\"a\"",
            "{",
            "{}}",
            "{} {}",
            "{a:1}",
            "{'a':1}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":1e}",
            "{\"a\":+1}",
            "{\"a\":tru}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{\"a\":NaN}",
        ] {
            assert!(object(line.as_bytes()).is_none(), "{line}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_none());
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(object(nested(DEPTH_MAX).as_bytes()).is_some());
        assert!(object(nested(DEPTH_MAX + 1).as_bytes()).is_none());
        assert!(object(nested(100_000).as_bytes()).is_none());
    }

    #[test]
    fn its_own_keys_are_seen_and_those_within_are_not() {
        let found = object(br#"{"time":1,"a":{"file":2,"\u0074":3}}"#).unwrap();
        assert!(found.has_time && !found.has_file && !found.has_escaped_key && !found.is_empty);
        let found = object(br#"{"\u0074ime":1,"file":[]}"#).unwrap();
        assert!(!found.has_time && found.has_file && found.has_escaped_key);
        assert!(object(b"{ }").unwrap().is_empty);
    }
}
