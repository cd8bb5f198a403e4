//! The one directive table: every directive of nginx that is known here, and what becomes of it.
//!
//! Owns: names, contexts, arguments, class, reference and note of each directive. The checks, the
//! `--directives` listing and the reference page are made from it and from nothing else. It must
//! not say how a directive is carried out.

mod access;
mod blocks;
mod bodies;
mod contexts;
mod core;
mod fastcgi;
mod files;
mod foreign;
mod ignored;
mod later;
mod proxy;
mod rewrite;
mod small;

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use contexts::*;
pub use contexts::{Context, Contexts};

/// One directive in the contexts where it has this meaning. A name has several rows where nginx
/// gives it several meanings (`server` the block, `server` of an upstream).
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name; a trailing `*` stands for any ending (whole modules that are refused).
    pub name: &'static str,
    /// Where it may stand.
    pub contexts: Contexts,
    /// What it takes.
    pub shape: Shape,
    /// What becomes of it.
    pub class: Class,
    /// Page of nginx's reference, as `http/ngx_http_core_module`; empty for foreign modules.
    pub module: &'static str,
    /// A limit or a difference from nginx that a reader must know; may be empty.
    pub note: &'static str,
    /// Whether one block may have it more than once. nginx: `"x" directive is duplicate`.
    pub is_repeatable: bool,
    /// Arguments, joined by a space, that ask for what happens here anyway: accepted in silence,
    /// whatever the class.
    pub already_so: &'static [&'static str],
}

/// What becomes of a directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Carried out with nginx's meaning.
    Implemented,
    /// Accepted, checked, and without effect here, for this reason.
    NoEffect(&'static str),
    /// Accepted because leaving it out changes nothing that HTTP promises, or because nothing that
    /// it would act on is here.
    Inert(&'static str),
    /// An error, for this reason.
    Refused(&'static str),
}

/// What a directive takes.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Fewest arguments.
    pub min: u8,
    /// Most arguments; [`ANY`] has no bound.
    pub max: u8,
    /// Kinds of the arguments in order, the last for all that follow.
    pub kinds: &'static [Kind],
    /// Whether braces follow.
    pub block: Block,
}

/// No upper bound on the number of arguments.
pub const ANY: u8 = u8::MAX;

/// What an argument must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Word,
    /// `on` or `off`.
    Flag,
    /// A size with `k` or `m`.
    Size,
    /// A size with `k`, `m` or `g`.
    Offset,
    /// A size or `off`.
    SizeOrOff,
    /// A time down to milliseconds.
    Time,
    /// A time of whole seconds.
    Seconds,
    /// A decimal number.
    Number,
    /// A decimal number or `auto`.
    NumberOrAuto,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// Whether and what stands in a directive's braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// None: the directive ends with `;`.
    Absent,
    /// Directives of this context.
    Of(Context),
    /// Lines that are no directives (`types`, `map`).
    Data,
}

const GROUPS: &[&[Row]] = &[
    core::ROWS,
    files::ROWS,
    bodies::ROWS,
    rewrite::ROWS,
    access::ROWS,
    proxy::ROWS,
    fastcgi::ROWS,
    small::ROWS,
    ignored::ROWS,
    later::ROWS,
    blocks::ROWS,
    foreign::ROWS,
];

/// Every row, in the order of the reference page.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().copied().flatten()
}

/// The row for a name in a context. A row of exactly that name goes before a whole module's.
pub fn find(name: &str, context: Context) -> Lookup {
    let mut elsewhere: Option<(&'static Row, Contexts)> = None;
    let index = index();
    let exact = index.exact.get(name).into_iter().flatten();
    let families = index.families.iter().filter(|row| row.matches(name));
    for row in exact.chain(families).copied() {
        if row.is_family() && elsewhere.is_some() {
            break;
        }
        if row.contexts.contains(context) {
            return Lookup::Here(row);
        }
        let allowed = elsewhere.map_or(row.contexts, |(_, others)| others.and(row.contexts));
        elsewhere = Some((row, allowed));
    }
    match elsewhere {
        Some((row, allowed)) => Lookup::NotHere(row, allowed),
        None => Lookup::Unknown,
    }
}

/// What the table says of a name in a context.
#[derive(Clone, Copy, Debug)]
pub enum Lookup {
    /// It may stand there.
    Here(&'static Row),
    /// It is known, with one of its rows, but may stand only in these contexts.
    NotHere(&'static Row, Contexts),
    /// No directive of that name.
    Unknown,
}

/// Whether a word is a directive's exact name.
pub fn is_name(word: &str) -> bool {
    index().exact.contains_key(word)
}

/// Whether a directive may stand in `http` and not at the main level.
pub fn is_of_http_only(name: &str) -> bool {
    let is_in = |context| {
        let rows = index().exact.get(name).into_iter().flatten();
        rows.into_iter().any(|row| row.contexts.contains(context))
    };
    is_in(Context::Http) && !is_in(Context::Main)
}

/// The rows by name: a hostile file asks for a million names.
struct Index {
    exact: HashMap<&'static str, Vec<&'static Row>>,
    families: Vec<&'static Row>,
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut exact: HashMap<&str, Vec<&Row>> = HashMap::new();
        for row in rows().filter(|row| !row.is_family()) {
            exact.entry(row.name).or_default().push(row);
        }
        Index { exact, families: rows().filter(|row| row.is_family()).collect() }
    })
}

impl Row {
    /// Whether the row is about this name.
    pub fn matches(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => self.name == name,
        }
    }

    /// nginx's reference of the directive, if it is nginx's.
    pub fn url(&self) -> Option<String> {
        if self.module.is_empty() {
            return None;
        }
        let anchor = self.name.trim_end_matches('*');
        let page = format!("https://nginx.org/en/docs/{}.html", self.module);
        Some(if anchor.len() < self.name.len() { page } else { format!("{page}#{anchor}") })
    }

    /// Whether the name stands for all that start with it.
    pub fn is_family(&self) -> bool {
        self.name.ends_with('*')
    }

    /// Whether these arguments ask for what happens here anyway.
    pub fn is_already_so<'a>(&self, args: impl Iterator<Item = &'a str> + Clone) -> bool {
        self.already_so.iter().any(|so| so.split(' ').eq(args.clone()))
    }

    const fn note(mut self, note: &'static str) -> Row {
        self.note = note;
        self
    }

    const fn many(mut self) -> Row {
        self.is_repeatable = true;
        self
    }

    const fn already(mut self, values: &'static [&'static str]) -> Row {
        self.already_so = values;
        self
    }
}

const fn row(
    name: &'static str,
    module: &'static str,
    contexts: Contexts,
    shape: Shape,
    class: Class,
) -> Row {
    let (note, is_repeatable, already_so): (_, _, &[&str]) = ("", false, &[]);
    Row { name, contexts, shape, class, module, note, is_repeatable, already_so }
}

impl Shape {
    const fn none() -> Shape {
        Shape { min: 0, max: 0, kinds: &[], block: Block::Absent }
    }

    /// Exactly these.
    const fn exact(kinds: &'static [Kind]) -> Shape {
        Shape { min: kinds.len() as u8, max: kinds.len() as u8, kinds, block: Block::Absent }
    }

    const fn range(min: u8, max: u8, kinds: &'static [Kind]) -> Shape {
        Shape { min, max, kinds, block: Block::Absent }
    }

    const fn words(min: u8, max: u8) -> Shape {
        Shape::range(min, max, &[Kind::Word])
    }

    const fn with(mut self, block: Block) -> Shape {
        self.block = block;
        self
    }
}

const FLAG: Shape = Shape::exact(&[Kind::Flag]);
const SIZE: Shape = Shape::exact(&[Kind::Size]);
const TIME: Shape = Shape::exact(&[Kind::Time]);
const NUMBER: Shape = Shape::exact(&[Kind::Number]);
const WORD: Shape = Shape::exact(&[Kind::Word]);
const BUFFERS: Shape = Shape::exact(&[Kind::Number, Kind::Size]);

const CORE_PAGE: &str = "ngx_core_module";
const HTTP_PAGE: &str = "http/ngx_http_core_module";
const PROXY_PAGE: &str = "http/ngx_http_proxy_module";
const UPSTREAM_PAGE: &str = "http/ngx_http_upstream_module";
const LOG_PAGE: &str = "http/ngx_http_log_module";
const HEADERS_PAGE: &str = "http/ngx_http_headers_module";
const REWRITE_PAGE: &str = "http/ngx_http_rewrite_module";
const SSL_PAGE: &str = "http/ngx_http_ssl_module";
const GZIP_PAGE: &str = "http/ngx_http_gzip_module";

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Implemented => "implemented",
            Class::NoEffect(_) => "no effect",
            Class::Inert(_) => "inert",
            Class::Refused(_) => "refused",
        })
    }
}

impl Class {
    /// Why it is not carried out; empty for [`Class::Implemented`].
    pub fn reason(self) -> &'static str {
        match self {
            Class::Implemented => "",
            Class::NoEffect(reason) | Class::Inert(reason) | Class::Refused(reason) => reason,
        }
    }
}
