//! What of a location is about files: where they are, how they are looked for and told.

use std::sync::Arc;

use super::{ContentTypes, Shared, Template};
use crate::config::expires::Rule;
use crate::files::LinkRule;

/// Files of a location, with all that it inherits.
#[derive(Clone, Debug)]
pub struct Files {
    /// nginx: `root` or `alias`.
    pub root: Arc<Root>,
    /// nginx: `index`: what stands for a folder, `index.html`.
    pub index: Shared<Template>,
    /// nginx: `types` and `default_type`, for what `return` answers too.
    pub content_types: ContentTypes,
    /// nginx: `etag`, on.
    pub has_etag: bool,
    /// nginx: `if_modified_since`.
    pub modified_since: ModifiedSince,
    /// nginx: `max_ranges`, no bound; 0 sends the whole always.
    pub parts_max: u64,
    /// nginx: `log_not_found`, on.
    pub logs_not_found: bool,
    /// nginx: `expires`; none where it is off.
    pub expires: Option<Arc<Rule>>,
    /// nginx: `autoindex`.
    pub listing: Listing,
    /// nginx: `gzip_static`.
    pub packed: Packed,
    /// nginx: `disable_symlinks`.
    pub links: LinksSeen,
    /// nginx: `try_files`, which no level inherits.
    pub tried: Option<Arc<TryFiles>>,
}

/// Where the files of a location are.
#[derive(Debug)]
pub struct Root {
    /// The folder's path, absolute but for what variables make of it, without a slash at the end
    /// where nothing is an alias.
    pub path: Template,
    /// nginx: `alias`, and what of a request's path it takes the place of.
    pub alias: Option<Alias>,
    /// Where a path begins that variables have made relative: a folder with its slash.
    pub base: Vec<u8>,
    /// How many steps upwards the file itself has written.
    pub upward_steps: usize,
}

/// nginx: `autoindex` and its family.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// Whether a folder without an index is shown.
    pub is_on: bool,
    /// nginx: `autoindex_format`.
    pub format: ListingFormat,
    /// nginx: `autoindex_exact_size`, on.
    pub is_exact: bool,
}

impl Default for Listing {
    fn default() -> Self {
        Listing { is_on: false, format: ListingFormat::Html, is_exact: true }
    }
}

/// nginx: `autoindex_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingFormat {
    /// A page.
    Html,
    /// A list of objects.
    Json,
    /// A document.
    Xml,
}

/// nginx: `gzip_static` and `gzip_vary`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Packed {
    /// Whether a file that is packed already is sent in the place of another.
    pub rule: PackedRule,
    /// Whether `Vary` tells of it.
    pub has_vary: bool,
}

/// nginx: `gzip_static`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PackedRule {
    /// Never.
    #[default]
    Off,
    /// To a client that takes it.
    On,
    /// To whoever asks.
    Always,
}

/// nginx: `disable_symlinks`.
#[derive(Clone, Debug, Default)]
pub struct LinksSeen {
    /// Which links are followed.
    pub rule: LinkRule,
    /// The beginning of a path in which all are.
    pub from: Option<Template>,
}

/// What of a request's path an `alias` takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// So many bytes: the location's own path.
    Prefix(usize),
    /// All of it: the location is an expression.
    Whole,
}

/// nginx: `if_modified_since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModifiedSince {
    /// A client's time is not looked at.
    Off,
    /// It has to be the file's.
    Exact,
    /// It may be a later one.
    Before,
}

impl Files {
    /// nginx's defaults, in a folder whose path ends with a slash.
    pub fn in_folder(folder: &[u8]) -> Files {
        let path = Template::literal(&[folder, b"html"].concat());
        let root = Root { path, alias: None, base: folder.to_vec(), upward_steps: 0 };
        Files {
            root: Arc::new(root),
            index: vec![Template::literal(b"index.html")].into(),
            content_types: ContentTypes::default(),
            has_etag: true,
            modified_since: ModifiedSince::Exact,
            parts_max: u64::MAX,
            logs_not_found: true,
            expires: None,
            listing: Listing::default(),
            packed: Packed::default(),
            links: LinksSeen::default(),
            tried: None,
        }
    }

    /// The texts in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let tried = self.tried.iter().flat_map(|tried| tried.templates());
        let expires = self.expires.iter().filter_map(|rule| match &**rule {
            Rule::Text { text, .. } => Some(text),
            Rule::Fixed(_) => None,
        });
        let own = std::iter::once(&self.root.path).chain(&self.index).chain(&self.links.from);
        own.chain(expires).chain(tried)
    }
}

/// nginx: `try_files`.
#[derive(Debug)]
pub struct TryFiles {
    /// Looked for in their order.
    pub names: Vec<TryName>,
    /// Where none is there.
    pub last: TryLast,
}

impl TryFiles {
    fn templates(&self) -> impl Iterator<Item = &Template> {
        let last = match &self.last {
            TryLast::Redirect(to) => Some(to),
            TryLast::Status(_) => None,
        };
        self.names.iter().map(|name| &name.name).chain(last)
    }
}

/// A file or a folder that is looked for.
#[derive(Debug)]
pub struct TryName {
    /// Its path beneath the root, without the slash that says that it is a folder.
    pub name: Template,
    /// Whether it is one.
    pub is_folder: bool,
}

/// What answers where nothing was found.
#[derive(Debug)]
pub enum TryLast {
    /// nginx: `=CODE`.
    Status(u16),
    /// nginx: a path that is gone to, with its query, or a named location.
    Redirect(Template),
}
