//! PCRE's language in the engine's words, and what of it has none there.
//!
//! Owns: the differences of spelling. What is wrong in both is left for the engine to say.

/// What `$` stands for. PCRE: the end of the subject, and before a line end that is its last byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// The end, for subjects that do not end with a line end.
    Exactly,
    /// Either, for those that do.
    OrBeforeLineEnd,
}

impl AtEnd {
    fn text(self) -> &'static str {
        match self {
            AtEnd::Exactly => r"\z",
            AtEnd::OrBeforeLineEnd => r"(?:\n?\z)",
        }
    }
}

pub(super) const LOOK_AROUND: &str = "look-around (\"(?=\", \"(?!\", \"(?<=\", \"(?<!\") is not supported in this place: matching \
                           takes linear time; \"^/(?!api|admin)\" and \"/\\.(?!well-known)\" can be had";
const BACKTRACKING: &str = "possessive quantifiers, atomic groups, conditions and recursion are not \
                            supported: matching takes linear time";
const OPTION: &str = "the options \"m\", \"x\", \"n\" and \"J\" are not supported";

/// The names of the groups of a text, as far as it can be read.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("(?").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('P').unwrap_or(rest);
        let (name, _) = match rest.as_bytes().first()? {
            b'<' => rest[1..].split_once('>')?,
            b'\'' => rest[1..].split_once('\'')?,
            _ => return None,
        };
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        (!name.is_empty() && name.bytes().all(is_part)).then_some(name)
    })
}

/// The text as the engine reads it. The error is a reason.
pub(super) fn translate(text: &str, at_end: AtEnd) -> Result<String, String> {
    let mut reader = Reader { rest: text.as_bytes(), out: String::new(), at_end };
    // Whether a quantifier may follow, and whether one has just ended.
    let mut is_behind_quantifier = false;
    while let Some(byte) = reader.take() {
        let was_behind = std::mem::take(&mut is_behind_quantifier);
        match byte {
            b'\\' => reader.escape()?,
            b'[' => reader.class()?,
            b'(' => reader.group()?,
            b'$' => reader.out.push_str(at_end.text()),
            b'+' if was_behind => return Err(BACKTRACKING.to_owned()),
            b'*' | b'+' | b'?' => {
                reader.out.push(char::from(byte));
                // `?` behind a quantifier makes it lazy, and nothing may follow that.
                is_behind_quantifier = !was_behind;
            }
            b'{' => match reader.repetition() {
                Some(range) => {
                    reader.out.push_str(&range);
                    is_behind_quantifier = true;
                }
                // PCRE: a brace that begins no repetition is itself.
                None => reader.out.push_str(r"\{"),
            },
            b'}' | b']' => reader.literal(byte),
            _ if byte.is_ascii() => reader.out.push(char::from(byte)),
            _ => reader.literal(byte),
        }
    }
    Ok(reader.out)
}

/// What stands before a dash in a class.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    /// Nothing, or a whole range.
    None,
    Byte,
    Class,
    /// A dash that makes a range of what is on both sides.
    RangeStart,
}

impl Item {
    /// What this is behind that: the end of a range begins none.
    fn behind(self, before: Item) -> Item {
        if before == Item::RangeStart { Item::None } else { self }
    }
}

struct Reader<'t> {
    rest: &'t [u8],
    out: String,
    at_end: AtEnd,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn next_is(&self, text: &str) -> bool {
        self.rest.starts_with(text.as_bytes())
    }

    /// A byte that stands for itself, inside a class too.
    fn literal(&mut self, byte: u8) {
        self.out.push_str(&match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02X}"),
        });
    }

    /// What follows `{` where that is a repetition.
    fn repetition(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'}')?;
        let inner = std::str::from_utf8(self.rest.get(..end)?).ok()?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_range = match inner.split_once(',') {
            Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
            None => is_number(inner),
        };
        let range = format!("{{{inner}}}");
        self.rest = is_range.then(|| self.rest.get(end + 1..)).flatten()?;
        Some(range)
    }

    /// What follows `(`.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if self.next_is("*") {
            return Err("verbs as \"(*UTF8)\" are not supported".to_owned());
        }
        if !self.next_is("?") {
            return Ok(());
        }
        let behind = self.rest.get(1..).unwrap_or_default();
        let starts = |text: &str| behind.starts_with(text.as_bytes());
        if ["=", "!", "<=", "<!"].into_iter().any(starts) {
            return Err(LOOK_AROUND.to_owned());
        }
        if [">", "|", "(", "R", "&", "P>", "+", "C", "0", "1", "2"].into_iter().any(starts) {
            return Err(BACKTRACKING.to_owned());
        }
        if starts("'") {
            // Another spelling of `(?<name>`.
            let name = behind.get(1..).unwrap_or_default();
            let end = name.iter().position(|byte| *byte == b'\'').ok_or("unclosed group name")?;
            let (name, rest) = name.split_at(end);
            self.out.push_str(&format!("?<{}>", String::from_utf8_lossy(name)));
            self.rest = rest.get(1..).unwrap_or_default();
            return Ok(());
        }
        let options =
            behind.iter().take_while(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'^'));
        let count = options.count();
        let ends_options = matches!(behind.get(count), Some(b')' | b':'));
        let options = behind.get(..count).unwrap_or_default();
        if ends_options && options.iter().any(|option| b"mxnJ^".contains(option)) {
            return Err(OPTION.to_owned());
        }
        Ok(())
    }

    /// What follows `\`, outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        let Some(byte) = self.take() else { return Err("\\ at end of pattern".to_owned()) };
        match byte {
            b'Z' => self.out.push_str(self.at_end.text()),
            b'h' => self.out.push_str(r"[\t \xA0]"),
            b'H' => self.out.push_str(r"[^\t \xA0]"),
            b'v' => self.out.push_str(r"[\n\x0B\f\r\x85]"),
            b'V' => self.out.push_str(r"[^\n\x0B\f\r\x85]"),
            b'R' => self.out.push_str(r"(?:\r\n|[\n\x0B\f\r\x85])"),
            b'N' => self.out.push_str(r"[^\n]"),
            b'e' => self.literal(0x1B),
            b'0'..=b'9' | b'g' | b'k' => {
                return Err("back references are not supported: matching takes linear time".into());
            }
            b'G' | b'K' | b'C' | b'X' | b'Q' | b'E' | b'c' | b'o' => {
                return Err(format!("\"\\{}\" is not supported", char::from(byte)));
            }
            b'x' => return self.hexadecimal(),
            b'A' | b'z' | b'b' | b'B' | b'd' | b'D' | b's' | b'S' | b'w' | b'W' | b'a' | b'f'
            | b'n' | b'r' | b't' => self.out.extend(['\\', char::from(byte)]),
            _ if byte.is_ascii_alphabetic() => {
                return Err(format!("unrecognized escape sequence \"\\{}\"", char::from(byte)));
            }
            _ => self.literal(byte),
        }
        Ok(())
    }

    /// What follows `\x`: up to two digits, or any in braces.
    fn hexadecimal(&mut self) -> Result<(), String> {
        let is_braced = self.next_is("{");
        let digits = self.rest.get(usize::from(is_braced)..).unwrap_or_default();
        let most = if is_braced { 8 } else { 2 };
        let count = digits.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let text = String::from_utf8_lossy(digits.get(..count).unwrap_or_default()).into_owned();
        let rest = digits.get(count..).unwrap_or_default();
        self.rest = match is_braced {
            true => rest.strip_prefix(b"}").ok_or("unclosed hexadecimal escape")?,
            false => rest,
        };
        // PCRE: no digit is a zero.
        let value = u8::from_str_radix(if text.is_empty() { "0" } else { &text }, 16);
        let byte = value.map_err(|_| "a character beyond \"\\xFF\" is not supported".to_owned())?;
        self.literal(byte);
        Ok(())
    }

    /// What follows `[`. In the engine's language classes nest and have operators, so that all
    /// that stands for itself is escaped.
    fn class(&mut self) -> Result<(), String> {
        const UNCLOSED: &str = "unclosed character class";
        self.out.push('[');
        if self.next_is("^") {
            self.take();
            self.out.push('^');
        }
        // PCRE: a bracket that is the first is itself, and so is a dash that is the first, the last
        // or behind a range. Beside a class it is neither.
        let mut before = Item::None;
        let mut is_first = true;
        loop {
            let byte = self.take().ok_or(UNCLOSED)?;
            let was = std::mem::replace(&mut before, Item::None);
            match byte {
                b']' if !is_first => break self.out.push(']'),
                b'[' if self.named_class()? => before = Item::Class,
                b'-' if matches!(was, Item::Byte | Item::Class) && !self.next_is("]") => {
                    if was == Item::Class || self.is_at_class() {
                        return Err("invalid range in character class".to_owned());
                    }
                    self.out.push('-');
                    before = Item::RangeStart;
                }
                b'\\' => before = self.class_escape()?.behind(was),
                _ => {
                    self.literal(byte);
                    before = Item::Byte.behind(was);
                }
            }
            is_first = false;
        }
        Ok(())
    }

    /// Whether what follows is a class.
    fn is_at_class(&self) -> bool {
        let classes = [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\h", r"\v", "[:"];
        classes.iter().any(|text| self.next_is(text))
    }

    /// `[:alpha:]` and the like, behind its bracket; a bracket that begins none is itself. True
    /// where it is one.
    fn named_class(&mut self) -> Result<bool, String> {
        let name = self.rest.strip_prefix(b":").unwrap_or_default();
        let is_part = |byte: &&u8| byte.is_ascii_lowercase() || **byte == b'^';
        let len = name.iter().take_while(is_part).count();
        let (name, behind) = name.split_at_checked(len).unwrap_or_default();
        let Some(rest) = behind.strip_prefix(b":]") else { return Ok(false) };
        self.out.push_str(&format!("[:{}:]", String::from_utf8_lossy(name)));
        self.rest = rest;
        Ok(true)
    }

    /// What follows `\` inside a class.
    fn class_escape(&mut self) -> Result<Item, String> {
        let Some(byte) = self.take() else { return Err("unclosed character class".to_owned()) };
        match byte {
            b'd' | b'D' | b's' | b'S' | b'w' | b'W' => {
                self.out.extend(['\\', char::from(byte)]);
                return Ok(Item::Class);
            }
            b'h' => {
                self.out.push_str(r"\t \xA0");
                return Ok(Item::Class);
            }
            b'v' => {
                self.out.push_str(r"\n\x0B\f\r\x85");
                return Ok(Item::Class);
            }
            b'b' => self.literal(0x08),
            b'e' => self.literal(0x1B),
            b'a' | b'f' | b'n' | b'r' | b't' => self.out.extend(['\\', char::from(byte)]),
            b'x' => self.hexadecimal()?,
            _ if byte.is_ascii_alphanumeric() => {
                return Err(format!("unrecognized escape sequence \"\\{}\"", char::from(byte)));
            }
            _ => self.literal(byte),
        }
        Ok(Item::Byte)
    }
}
