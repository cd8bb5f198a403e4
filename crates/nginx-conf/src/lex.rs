//! Bytes to words and punctuation, by the rules of nginx's own reader (`ngx_conf_read_token`).
//!
//! Owns: quotes, escapes, comments, `${x}`, what ends a word. Must not know directives or blocks.
//!
//! The rules that surprise: `#` starts a comment only where a word could start; `{`, `}` and `;`
//! are plain inside quotes; `}` and quotes are plain inside an unquoted word; `\"`, `\'`, `\\`,
//! `\t`, `\r`, `\n` are unescaped and every other backslash stays (for regular expressions);
//! after a closing quote must come a space, `;`, `{` or `)`.

use crate::source::{BYTE_ORDER_MARK, Span};

/// Longest word. nginx's own bound is its 4096-byte buffer; a missing quote is noticed here.
pub const WORD_BYTES_MAX: usize = 16 * 1024;

/// One word: a directive's name or argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The text without its quotes, escapes undone. Variables are still written out.
    pub text: String,
    /// Where it stands, quotes included.
    pub span: Span,
    /// Whether it was written in quotes, which makes a keyword a plain text.
    pub is_quoted: bool,
}

/// What the reader hands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Word),
    /// `;`
    Semicolon(Span),
    /// `{`
    Open(Span),
    /// `}`
    Close(Span),
    /// The end of the file.
    End(Span),
}

/// Why reading on makes no sense. All of these end the file they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A quote that nothing closes; the span is where it opens.
    QuoteNotClosed(char),
    /// A word goes on right after a closing quote.
    NoSpaceAfterQuote,
    /// Longer than [`WORD_BYTES_MAX`].
    WordTooLong,
    /// A zero byte.
    Nul,
    /// A word that is not UTF-8.
    NotUtf8,
}

/// A cursor over one file.
#[derive(Debug)]
pub struct Lexer<'a> {
    bytes: &'a [u8],
    file: u16,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Starts at the beginning; a byte order mark is skipped. Files above 4 GiB must not be given.
    pub fn new(file: u16, bytes: &'a [u8]) -> Lexer<'a> {
        let at = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Lexer { bytes, file, at }
    }

    /// The next token, or why there is none and where.
    pub fn next_token(&mut self) -> Result<Token, (Fault, Span)> {
        self.skip_blank();
        let start = self.at;
        let token = match self.peek() {
            None => return Ok(Token::End(self.span(start, start))),
            Some(b';') => Token::Semicolon(self.span(start, start + 1)),
            Some(b'{') => Token::Open(self.span(start, start + 1)),
            Some(b'}') => Token::Close(self.span(start, start + 1)),
            Some(quote @ (b'"' | b'\'')) => return self.quoted_word(quote),
            Some(_) => return self.plain_word(),
        };
        self.at += 1;
        Ok(token)
    }

    /// Skips the rest of a `{ … }` of Lua, whose `{` was just read: counts braces outside of
    /// strings and of `--` comments. False if the file ends first.
    pub fn skip_lua_block(&mut self) -> bool {
        let mut depth = 1usize;
        let mut quote = None;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match (quote, byte) {
                (Some(_), b'\\') => self.at = (self.at + 1).min(self.bytes.len()),
                (Some(open), _) if byte == open || byte == b'\n' => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'-') if self.peek() == Some(b'-') => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                }
                (None, b'{') => depth += 1,
                (None, b'}') => depth -= 1,
                (None, _) => {}
            }
            if depth == 0 {
                return true;
            }
        }
        false
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'#' => {
                    let rest = self.bytes.get(self.at..).unwrap_or_default();
                    self.at += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn quoted_word(&mut self, quote: u8) -> Result<Token, (Fault, Span)> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => {
                    let opening = self.span(start, start + 1);
                    return Err((Fault::QuoteNotClosed(char::from(quote)), opening));
                }
                Some(b'\\') => self.at = (self.at + 2).min(self.bytes.len()),
                Some(byte) if byte == quote => break,
                Some(_) => self.at += 1,
            }
            self.check_length(start)?;
        }
        self.at += 1;
        let word = self.word(start, start + 1, self.at - 1, true)?;
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' | b')') => Ok(Token::Word(word)),
            Some(_) => Err((Fault::NoSpaceAfterQuote, self.span(self.at, self.at + 1))),
        }
    }

    fn plain_word(&mut self) -> Result<Token, (Fault, Span)> {
        let start = self.at;
        let mut after_dollar = false;
        while let Some(byte) = self.peek() {
            match byte {
                // `${x}`: the brace belongs to the variable.
                b'{' if after_dollar => self.at += 1,
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
                b'\\' => {
                    self.at = (self.at + 2).min(self.bytes.len());
                    after_dollar = false;
                }
                _ => {
                    self.at += 1;
                    after_dollar = byte == b'$';
                }
            }
            self.check_length(start)?;
        }
        debug_assert!(self.at > start, "a word has at least one byte");
        self.word(start, start, self.at, false).map(Token::Word)
    }

    fn word(
        &self,
        start: usize,
        from: usize,
        to: usize,
        is_quoted: bool,
    ) -> Result<Word, (Fault, Span)> {
        let span = self.span(start, self.at);
        let raw = self.bytes.get(from..to).unwrap_or_default();
        if let Some(at) = raw.iter().position(|byte| *byte == 0) {
            return Err((Fault::Nul, self.span(from + at, from + at + 1)));
        }
        let Ok(raw) = std::str::from_utf8(raw) else {
            return Err((Fault::NotUtf8, span));
        };
        Ok(Word { text: unescape(raw), span, is_quoted })
    }

    fn check_length(&self, start: usize) -> Result<(), (Fault, Span)> {
        if self.at - start <= WORD_BYTES_MAX {
            return Ok(());
        }
        Err((Fault::WordTooLong, self.span(start, start + 1)))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn span(&self, from: usize, to: usize) -> Span {
        debug_assert!(from <= to && to <= self.bytes.len() + 1, "spans stay in the file");
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        Span { file: self.file, start: number(from), len: number(to - from) }
    }
}

fn unescape(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = match (c, chars.peek()) {
            ('\\', Some(next @ ('"' | '\'' | '\\'))) => Some(*next),
            ('\\', Some('t')) => Some('\t'),
            ('\\', Some('r')) => Some('\r'),
            ('\\', Some('n')) => Some('\n'),
            _ => None,
        };
        if escaped.is_some() {
            chars.next();
        }
        text.push(escaped.unwrap_or(c));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words as they are, quoted ones after `q:`, punctuation as itself; a fault ends the list.
    fn read(bytes: &[u8]) -> Vec<String> {
        let mut lexer = Lexer::new(0, bytes);
        let mut seen = Vec::new();
        loop {
            seen.push(match lexer.next_token() {
                Ok(Token::End(_)) => return seen,
                Ok(Token::Word(word)) if word.is_quoted => format!("q:{}", word.text),
                Ok(Token::Word(word)) => word.text,
                Ok(Token::Semicolon(_)) => ";".to_owned(),
                Ok(Token::Open(_)) => "{".to_owned(),
                Ok(Token::Close(_)) => "}".to_owned(),
                Err((fault, span)) => {
                    seen.push(format!("{fault:?}@{}", span.start));
                    return seen;
                }
            });
        }
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(read(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn words_and_punctuation() {
        check("a b;", &["a", "b", ";"]);
        check("server{listen 80;}", &["server", "{", "listen", "80", ";", "}"]);
        check("a\r\n\tb ;\r\n", &["a", "b", ";"]);
        check("", &[]);
        check("a}b;", &["a}b", ";"]);
    }

    #[test]
    fn a_comment_starts_only_where_a_word_could() {
        check("a#b c; # d;\ne;", &["a#b", "c", ";", "e", ";"]);
        check("# only", &[]);
        check("a;#x\n#y\r\nb;", &["a", ";", "b", ";"]);
        check("'#a';", &["q:#a", ";"]);
    }

    #[test]
    fn quotes_keep_punctuation_and_escapes_are_undone() {
        check(r#"a "b; {c} #";"#, &["a", "q:b; {c} #", ";"]);
        check(r#"'a "b"' "c 'd'";"#, &[r#"q:a "b""#, "q:c 'd'", ";"]);
        check(r#""a\"b\\c\td\ne\rf";"#, &["q:a\"b\\c\td\ne\rf", ";"]);
        check(r#""" '';"#, &["q:", "q:", ";"]);
        check("\"a\nb\";", &["q:a\nb", ";"]);
    }

    #[test]
    fn other_backslashes_stay_for_regular_expressions() {
        check(r"~ \.php$;", &["~", r"\.php$", ";"]);
        check(r#""\d+\.x";"#, &[r"q:\d+\.x", ";"]);
        check(r"a\;b\ c;", &[r"a\;b\ c", ";"]);
        check(r"\#a;", &[r"\#a", ";"]);
    }

    #[test]
    fn a_quote_inside_a_plain_word_is_plain() {
        check(r#"a"b c'd;"#, &["a\"b", "c'd", ";"]);
    }

    #[test]
    fn braces_of_a_variable_belong_to_the_word() {
        check("a ${b}c;", &["a", "${b}c", ";"]);
        check("x$y{", &["x$y", "{"]);
        check("$a{", &["$a", "{"]);
    }

    #[test]
    fn after_a_closing_quote_comes_a_space_or_an_end() {
        check(r#""a"b;"#, &["NoSpaceAfterQuote@3"]);
        check(r#""a"{"#, &["q:a", "{"]);
        check(r#"("a")"#, &["(\"a\")"]);
        check(r#"x "a")"#, &["x", "q:a", ")"]);
    }

    #[test]
    fn faults_name_their_place() {
        check("a \"b;\nc;", &["a", "QuoteNotClosed('\"')@2"]);
        check("a '\\';", &["a", "QuoteNotClosed('\\'')@2"]);
        check("a \"\\", &["a", "QuoteNotClosed('\"')@2"]);
        check("a\0b;", &["Nul@1"]);
        check(&"x".repeat(WORD_BYTES_MAX + 1), &["WordTooLong@0"]);
        check(&format!("\"{}\"", "x".repeat(WORD_BYTES_MAX + 1)), &["WordTooLong@0"]);
        assert_eq!(read(b"a \xFF;"), ["a", "NotUtf8@2"]);
        assert_eq!(read(b"# \xFF\na;"), ["a", ";"]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        check("\u{FEFF}a;", &["a", ";"]);
    }

    #[test]
    fn a_block_of_lua_is_skipped_by_its_braces() {
        let mut lexer = Lexer::new(0, b" x = {1,{'}'}} -- don't }\n y = \"\\\"}\" } c;");
        assert!(lexer.skip_lua_block());
        assert!(matches!(lexer.next_token(), Ok(Token::Word(word)) if word.text == "c"));
        assert!(!Lexer::new(0, b"{ a }").skip_lua_block());
        assert!(!Lexer::new(0, b"'\\").skip_lua_block());
    }
}
