//! Words to a tree of directives; includes are put in place.
//!
//! Owns: blocks, `;`, `include`, and the limits that keep hostile files within bounded memory and
//! time. Must not know what a directive means, open a file, or give up at the first error.

use std::sync::Arc;

use crate::diag::{Diag, Diags};
use crate::lex::{Fault, Lexer, Token, Word};
use crate::source::{Source, Sources, Span};

/// Deepest nesting of blocks. Real files need four or five.
pub const DEPTH_MAX: usize = 64;
/// Deepest chain of files that include each other.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// Most files of one configuration.
pub const FILES_MAX: usize = 1000;
/// Most bytes of one configuration, all files together (a ConfigMap holds 1 MiB).
pub const BYTES_MAX: usize = 16 << 20;
/// Most words of one configuration: what is made of them takes many times their bytes. A mebibyte
/// has some 130,000.
pub const WORDS_MAX: usize = 500_000;

/// A file that an include named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// Name for messages, for the next `from`, and for noticing cycles: one name per file.
    pub name: String,
    /// The whole content.
    pub bytes: Vec<u8>,
    /// Brought by the kit itself: nothing in it is worth a warning.
    pub is_stock: bool,
}

/// Why an include has no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncludeError {
    /// What happened, in nginx's form: `open() "/etc/nginx/x" failed (no such file)`.
    pub message: String,
}

/// Gives the files of `include PATTERN` written in the file `from`, in the order to read them.
///
/// A pattern that matches nothing gives an empty list; a plain name that is not there an error.
pub type Resolve<'r> = dyn FnMut(&str, &str) -> Result<Vec<Included>, IncludeError> + 'r;

/// A directive with its arguments and, if it has one, its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The first word.
    pub name: Word,
    /// The words after it.
    pub args: Vec<Word>,
    /// What stands in its braces.
    pub block: Option<Vec<Directive>>,
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The files, the main file first.
    pub sources: Sources,
    /// Directives of the main level.
    pub directives: Vec<Directive>,
}

impl Directive {
    /// The text of an argument, counted from 0.
    pub fn arg(&self, index: usize) -> Option<&str> {
        self.args.get(index).map(|word| word.text.as_str())
    }

    /// The place of an argument, or of the name if there is no such argument.
    pub fn arg_span(&self, index: usize) -> Span {
        self.args.get(index).map_or(self.name.span, |word| word.span)
    }
}

/// Reads one configuration. There is always a tree, of what could be read, and the list of what
/// could not; the list holds errors only.
pub fn parse(main: Included, resolve: &mut Resolve<'_>) -> (Tree, Vec<Diag>) {
    let mut parser = Parser {
        sources: Sources::default(),
        diags: Diags::default(),
        resolve,
        open_files: Vec::new(),
        bytes_read: 0,
        words_read: 0,
        depth: 0,
        words: Vec::new(),
        directives: Vec::new(),
    };
    parser.file(main, None);
    let Parser { sources, directives, diags, .. } = parser;
    (Tree { sources, directives }, diags.into_list())
}

struct Parser<'r, 'f> {
    sources: Sources,
    diags: Diags,
    resolve: &'r mut Resolve<'f>,
    open_files: Vec<String>,
    bytes_read: usize,
    words_read: usize,
    depth: usize,
    /// Of the directives that are being read: the last ones are those of the innermost.
    words: Vec<Word>,
    /// Of the blocks that are being read, in the same way.
    directives: Vec<Directive>,
}

/// The file cannot be read on; what it was is already told.
struct Stop;

impl Parser<'_, '_> {
    /// Reads a file's directives. `from` is the include that named it.
    fn file(&mut self, file: Included, from: Option<Span>) {
        self.bytes_read = self.bytes_read.saturating_add(file.bytes.len());
        let bytes: Arc<[u8]> = file.bytes.into();
        let source =
            Source { name: file.name.clone(), bytes: Arc::clone(&bytes), is_stock: file.is_stock };
        if self.bytes_read > BYTES_MAX || self.sources.files().len() >= FILES_MAX {
            let message = format!(
                "the configuration is too large, limits are {FILES_MAX} files and {} MiB",
                BYTES_MAX >> 20
            );
            let diag = match from {
                Some(span) => self.sources.error(span, message),
                None => Diag::without_place(crate::diag::Severity::Error, &source.name, message),
            };
            self.diags.push(diag);
            return;
        }
        let id = self.sources.add(source);
        if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
            let at = Span { file: id, start: 0, len: 1 };
            self.error(at, "the file is UTF-16", "save it as UTF-8");
            return;
        }
        self.open_files.push(file.name);
        // Whatever stops this file is told; the files after it are still read.
        let before = self.words.len();
        let _ = self.block(&mut Lexer::new(id, &bytes), None);
        self.words.truncate(before);
        self.open_files.pop();
    }

    /// Reads directives up to the `}` of the block opened at `opened`, or to the file's end.
    fn block(&mut self, lexer: &mut Lexer<'_>, opened: Option<Span>) -> Result<(), Stop> {
        let before = self.words.len();
        loop {
            if self.diags.is_full() {
                return Err(Stop);
            }
            match self.token(lexer)? {
                Token::Word(word) => {
                    self.count(word.span)?;
                    self.words.push(word);
                }
                Token::Semicolon(span) if self.words.len() == before => {
                    self.error(span, "unexpected \";\"", "expected a directive");
                }
                Token::Semicolon(_) => self.finish(before),
                Token::Open(span) => {
                    if self.words.len() == before {
                        let help = "expected a directive's name in front of the block";
                        self.error(span, "unexpected \"{\"", help);
                    }
                    // What was read of a broken block is kept: it is checked like the rest.
                    let (block, result) = self.nested(lexer, span, before);
                    self.push(before, Some(block));
                    result?;
                }
                Token::Close(span) => {
                    if let Some(last) = self.words.get(before..).and_then(<[Word]>::last) {
                        let help = format!("expected \";\" after \"{}\"", shorten(&last.text));
                        self.error(last.span.after(), "unexpected \"}\"", help);
                        self.finish(before);
                    }
                    if opened.is_some() {
                        return Ok(());
                    }
                    self.error(span, "unexpected \"}\"", "no block is open in this file");
                }
                Token::End(span) => return self.end_of_file(span, opened, before),
            }
        }
    }

    /// The block after `{` of the directive whose words begin at `name`. A block of Lua is stepped
    /// over.
    fn nested(
        &mut self,
        lexer: &mut Lexer<'_>,
        opened: Span,
        name: usize,
    ) -> (Vec<Directive>, Result<(), Stop>) {
        if self.words.get(name).is_some_and(|word| word.text.ends_with(LUA_BLOCK)) {
            let result = if lexer.skip_lua_block() { Ok(()) } else { Err(Stop) };
            return (Vec::new(), result);
        }
        if self.depth >= DEPTH_MAX {
            let message = format!("blocks are nested more than {DEPTH_MAX} deep");
            self.error(opened, &message, "is a \"}\" missing?");
            return (Vec::new(), Err(Stop));
        }
        self.depth += 1;
        let (words, directives) = (self.words.len(), self.directives.len());
        let result = self.block(lexer, Some(opened));
        self.words.truncate(words);
        self.depth -= 1;
        (self.directives.drain(directives..).collect(), result)
    }

    fn end_of_file(&mut self, end: Span, opened: Option<Span>, words: usize) -> Result<(), Stop> {
        if let Some(last) = self.words.get(words..).and_then(<[Word]>::last) {
            let help = format!("expected \";\" after \"{}\"", shorten(&last.text));
            self.error(last.span.after(), "unexpected end of file", help);
            return Err(Stop);
        }
        let Some(opened) = opened else { return Ok(()) };
        let (line, _) = self.sources.line_and_column(opened);
        let help = format!("expected \"}}\" for the block opened at line {line}");
        self.error(end, "unexpected end of file", help);
        Err(Stop)
    }

    /// A simple directive is complete: keep it, or put the included files in its place.
    fn finish(&mut self, words: usize) {
        match self.words.get(words..) {
            Some([name, pattern]) if name.text == "include" => {
                let pattern = pattern.clone();
                self.words.truncate(words);
                self.include(&pattern);
            }
            _ => self.push(words, None),
        }
    }

    /// Makes a directive of the words from there on.
    fn push(&mut self, words: usize, block: Option<Vec<Directive>>) {
        let mut words = self.words.drain(words..);
        let Some(name) = words.next() else { return };
        // No more room than they take: files have a hundred thousand of them.
        let args = words.collect();
        self.directives.push(Directive { name, args, block });
    }

    fn include(&mut self, pattern: &Word) {
        if self.open_files.len() >= INCLUDE_DEPTH_MAX {
            let message = format!("includes are nested more than {INCLUDE_DEPTH_MAX} deep");
            self.diags.push(self.sources.error(pattern.span, message));
            return;
        }
        let from = self.open_files.last().cloned().unwrap_or_default();
        let files = match (self.resolve)(&pattern.text, &from) {
            Ok(files) => files,
            Err(IncludeError { message }) => {
                self.diags.push(self.sources.error(pattern.span, message));
                return;
            }
        };
        for file in files {
            if self.open_files.contains(&file.name) {
                let message = format!("\"{}\" includes itself", file.name);
                self.diags.push(self.sources.error(pattern.span, message));
                continue;
            }
            self.file(file, Some(pattern.span));
        }
    }

    /// Counts a word. The first that is too many is told, and whatever is read then ends there.
    fn count(&mut self, span: Span) -> Result<(), Stop> {
        self.words_read += 1;
        if self.words_read == WORDS_MAX + 1 {
            let message = format!("the configuration is too large, the limit is {WORDS_MAX} words");
            self.diags.push(self.sources.error(span, message));
        }
        if self.words_read > WORDS_MAX { Err(Stop) } else { Ok(()) }
    }

    fn token(&mut self, lexer: &mut Lexer<'_>) -> Result<Token, Stop> {
        lexer.next_token().map_err(|(fault, span)| {
            let (message, help) = explain(fault);
            self.error(span, &message, help);
            Stop
        })
    }

    fn error(&mut self, span: Span, message: &str, help: impl Into<String>) {
        self.diags.push(self.sources.error(span, message).with_help(help));
    }
}

/// How directives end whose block is a program.
pub(crate) const LUA_BLOCK: &str = "_by_lua_block";

fn explain(fault: Fault) -> (String, &'static str) {
    match fault {
        Fault::QuoteNotClosed(quote) => (
            format!("unexpected end of file, the quote {quote} that starts here is not closed"),
            "expected the same quote again",
        ),
        Fault::NoSpaceAfterQuote => (
            "unexpected text after a closing quote".to_owned(),
            "expected a space or \";\"; is a quote missing before this place?",
        ),
        Fault::WordTooLong => (
            format!("too long parameter, limit is {} bytes", crate::lex::WORD_BYTES_MAX),
            "is a quote or \";\" missing?",
        ),
        Fault::Nul => ("unexpected zero byte".to_owned(), "is this a text file?"),
        Fault::NotUtf8 => ("text that is not UTF-8".to_owned(), "save the file as UTF-8"),
    }
}

/// A word as messages quote it: not longer than a line bears.
pub fn shorten(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= SHOWN_MAX {
        return text.chars().map(clean).collect();
    }
    let start: String = text.chars().take(SHOWN_MAX).map(clean).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn main_file(text: &str) -> Included {
        let name = "nginx.conf".to_owned();
        Included { name, bytes: text.as_bytes().to_vec(), is_stock: false }
    }

    /// The tree as one line of text, and the headlines.
    fn read(text: &str, files: &[(&str, &str)]) -> (String, Vec<String>) {
        let mut resolve = |pattern: &str, _from: &str| {
            let found: Vec<Included> = files
                .iter()
                .filter(|(name, _)| *name == pattern || pattern == "*")
                .map(|(name, text)| Included { name: (*name).to_owned(), ..main_file(text) })
                .collect();
            if found.is_empty() && !pattern.contains('*') {
                return Err(IncludeError { message: format!("open() \"{pattern}\" failed") });
            }
            Ok(found)
        };
        let (tree, diags) = parse(main_file(text), &mut resolve);
        (print(&tree.directives), diags.iter().map(Diag::headline).collect())
    }

    fn print(directives: &[Directive]) -> String {
        let mut line = String::new();
        for directive in directives {
            line.push_str(&directive.name.text);
            for arg in &directive.args {
                line.push(' ');
                line.push_str(&arg.text);
            }
            match &directive.block {
                Some(block) => line.push_str(&format!("{{{}}}", print(block))),
                None => line.push(';'),
            }
        }
        line
    }

    fn check(text: &str, tree: &str, errors: &[&str]) {
        assert_eq!(read(text, &[]), (tree.to_owned(), to_owned(errors)), "{text:?}");
    }

    fn to_owned(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn blocks_nest_and_keep_their_arguments() {
        check("a; b c { d { e 'f g'; } }", "a;b c{d{e f g;}}", &[]);
        check("", "", &[]);
        check("# nothing\n", "", &[]);
        check("a {}", "a{}", &[]);
    }

    #[test]
    fn a_missing_semicolon_is_told_at_the_end_of_the_word_before() {
        check(
            "a { b c\n}\nd",
            "a{b c;}",
            &[
                "nginx.conf:1:8: unexpected \"}\"; expected \";\" after \"c\"",
                "nginx.conf:3:2: unexpected end of file; expected \";\" after \"d\"",
            ],
        );
    }

    #[test]
    fn stray_punctuation_is_told_and_reading_goes_on() {
        check(
            "a;; } { b; } c;",
            "a;c;",
            &[
                "nginx.conf:1:3: unexpected \";\"; expected a directive",
                "nginx.conf:1:5: unexpected \"}\"; no block is open in this file",
                "nginx.conf:1:7: unexpected \"{\"; expected a directive's name in front of the \
                 block",
            ],
        );
    }

    #[test]
    fn an_open_block_is_told_with_the_line_where_it_opens() {
        let errors = [
            "nginx.conf:2:5: unexpected end of file; expected \"}\" for the block opened at line 1",
        ];
        check("a {\n b; ", "a{b;}", &errors);
    }

    #[test]
    fn included_directives_stand_in_place_of_the_include() {
        let files = [("x", "b; c { include y; }"), ("y", "d;")];
        assert_eq!(read("a; include x; e;", &files), ("a;b;c{d;}e;".to_owned(), vec![]));
        assert_eq!(read("include *;", &files[1..]), ("d;".to_owned(), vec![]));
        assert_eq!(read("a { include none*; }", &files), ("a{}".to_owned(), vec![]));
        // With two arguments it is no include; the table refuses it.
        assert_eq!(read("include x y;", &files).0, "include x y;");
    }

    #[test]
    fn errors_of_an_include_name_the_right_file() {
        let missing = "nginx.conf:1:9: open() \"nope\" failed";
        assert_eq!(read("include nope;", &[]).1, [missing]);
        let inside = "x:2:3: unexpected \"}\"; no block is open in this file";
        assert_eq!(read("include x;", &[("x", "a;\n  }")]).1, [inside]);
    }

    #[test]
    fn a_cycle_of_includes_is_an_error() {
        let files = [("x", "include y;"), ("y", "a; include x;")];
        let (tree, errors) = read("include x;", &files);
        assert_eq!(tree, "a;");
        assert_eq!(errors, ["y:1:12: \"x\" includes itself"]);
    }

    #[test]
    fn endless_includes_under_new_names_end_at_the_limits() {
        let mut count = 0;
        let mut deeper = |_: &str, _: &str| {
            count += 1;
            let name = format!("f{count}");
            Ok(vec![Included { name, bytes: b"include again;".to_vec(), is_stock: false }])
        };
        let (_, diags) = parse(main_file("include again;"), &mut deeper);
        assert_eq!(diags.len(), 1);
        assert!(diags[0].message.contains("nested more than 16"), "{}", diags[0].message);
        let mut wide = |_: &str, _: &str| {
            let file = |n| Included { name: format!("w{n}"), ..main_file("include again;") };
            Ok((0..3).map(file).collect())
        };
        let (tree, diags) = parse(main_file("include again;"), &mut wide);
        assert!(!diags.is_empty() && tree.sources.files().len() <= FILES_MAX);
    }

    #[test]
    fn too_many_bytes_are_refused_before_they_are_read() {
        let bytes = vec![b' '; BYTES_MAX + 1];
        let main = Included { bytes, ..main_file("") };
        let (_, diags) = parse(main, &mut |_, _| Ok(vec![]));
        assert!(diags[0].headline().starts_with("nginx.conf: the configuration is too large"));
    }

    #[test]
    fn nesting_has_a_limit_that_is_told() {
        let ok = format!("{}{}", "a {".repeat(DEPTH_MAX), "}".repeat(DEPTH_MAX));
        assert_eq!(read(&ok, &[]).1, Vec::<String>::new());
        let (_, errors) = read(&"a {".repeat(100_000), &[]);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains("nested more than 64 deep"), "{errors:?}");
    }

    #[test]
    fn utf16_and_binary_are_explained() {
        let name = "nginx.conf".to_owned();
        let bytes = b"\xFF\xFEa\0;\0".to_vec();
        let main = Included { name, bytes, is_stock: false };
        let (_, diags) = parse(main, &mut |_, _| Ok(vec![]));
        assert_eq!(diags[0].headline(), "nginx.conf:1:1: the file is UTF-16; save it as UTF-8");
        check("\u{FEFF}a;", "a;", &[]);
        let nul = "nginx.conf:1:2: unexpected zero byte; is this a text file?";
        check("a\0;", "", &[nul]);
    }

    #[test]
    fn blocks_of_lua_are_stepped_over() {
        check("content_by_lua_block { if a then '}' } b;", "content_by_lua_block{}b;", &[]);
    }

    #[test]
    fn long_words_are_quoted_in_part() {
        assert_eq!(shorten("a\nb"), "a b");
        assert_eq!(shorten(&"é".repeat(100)).chars().count(), 61);
    }
}
