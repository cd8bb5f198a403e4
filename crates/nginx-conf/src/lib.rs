//! The language of nginx.conf: words, blocks, includes, and the one table of directives.
//!
//! In scope: reading a configuration to a [`Tree`], telling every problem at once with its place,
//! and knowing of each directive where it may stand, what it takes and what becomes of it.
//!
//! Out of scope: files (an include comes through a [`Resolve`] that the caller gives), the network,
//! and carrying anything out. What a directive's arguments mean is the program's to say; it finds
//! the place of each word in the tree and makes its own [`Diag`]s through [`Sources`].
//!
//! Whatever the bytes are, reading ends: within [`parse::BYTES_MAX`], [`parse::DEPTH_MAX`] and the
//! other limits there, with an error and without a panic.
//!
//! ```
//! use nginx_conf::{Context, Included, load};
//!
//! let text = "events {}\nhttp {\n    proxy_pas http://app;\n}\n";
//! let main = Included { name: "nginx.conf".into(), bytes: text.into(), is_stock: false };
//! let errors = load(main, Context::Main, &mut |_, _| Ok(vec![])).unwrap_err();
//! let expected = "nginx.conf:3:5: unknown directive \"proxy_pas\"; did you mean \"proxy_pass\"?";
//! assert_eq!(errors[0].headline(), expected);
//! ```

pub mod check;
pub mod diag;
pub mod lex;
pub mod parse;
pub mod reference;
pub mod source;
pub mod stock;
pub mod suggest;
pub mod table;
pub mod units;

pub use check::check;
pub use diag::{Diag, Severity};
use lex::Token;
pub use lex::Word;
pub use parse::{Directive, IncludeError, Included, Resolve, Tree, parse};
pub use source::{Source, Sources, Span};
pub use table::Context;

/// A configuration as it was read, good or bad.
#[derive(Debug)]
pub struct Reading {
    /// What could be read.
    pub tree: Tree,
    /// All findings, in the order of the text.
    pub findings: Vec<Diag>,
    /// Whether the words and blocks are sound, so that what is wrong is known directives in wrong
    /// places or unknown ones, and a program may look for more.
    pub is_sound: bool,
}

/// Reads and checks one configuration whose main level is `root`.
pub fn read(main: Included, root: Context, resolve: &mut Resolve<'_>) -> Reading {
    let (tree, mut findings) = parse(main, resolve);
    let is_sound = findings.is_empty();
    findings.extend(check(&tree, root));
    sort(&tree.sources, &mut findings);
    let mut bounded = diag::Diags::default();
    bounded.append(findings);
    Reading { tree, findings: bounded.into_list(), is_sound }
}

/// Reads and checks one configuration whose main level is `root`.
///
/// Gives the tree and its warnings, or, if there is any error, all findings. Both lists are in the
/// order of the text.
pub fn load(
    main: Included,
    root: Context,
    resolve: &mut Resolve<'_>,
) -> Result<(Tree, Vec<Diag>), Vec<Diag>> {
    let Reading { tree, findings, .. } = read(main, root, resolve);
    if findings.iter().any(Diag::is_error) { Err(findings) } else { Ok((tree, findings)) }
}

/// Puts findings in the order of the text.
pub fn sort(sources: &Sources, diags: &mut [Diag]) {
    let rank = |diag: &Diag| sources.files().iter().position(|file| file.name == diag.file);
    diags.sort_by_cached_key(|diag| (rank(diag), diag.line, diag.column));
}

/// Whether a file is what people mount into `conf.d`: directives of an `http` block without it.
/// Reads no further than that is known.
pub fn is_fragment(bytes: &[u8]) -> bool {
    let mut lexer = lex::Lexer::new(0, bytes);
    let (mut depth, mut name, mut is_of_http) = (0usize, None, false);
    loop {
        let (before, token) = (depth, lexer.next_token());
        match token {
            Ok(Token::Word(word)) => {
                name.get_or_insert(word.text);
                continue;
            }
            Ok(Token::Open(_))
                if name.as_ref().is_some_and(|name| name.ends_with(parse::LUA_BLOCK)) =>
            {
                if !lexer.skip_lua_block() {
                    return is_of_http;
                }
            }
            Ok(Token::Open(_)) => depth += 1,
            Ok(Token::Close(_)) => depth = depth.saturating_sub(1),
            Ok(Token::Semicolon(_)) => {}
            Ok(Token::End(_)) | Err(_) => return is_of_http,
        }
        // A directive has ended, or its block begins.
        match name.take().filter(|_| before == 0).as_deref() {
            Some("http" | "events" | "stream" | "mail") => return false,
            Some(name) => is_of_http |= table::is_of_http_only(name),
            None => {}
        }
    }
}
