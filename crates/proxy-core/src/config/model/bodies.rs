//! What becomes of the content of a location's answers on its way to the client.

use std::sync::Arc;

use super::{AddHeader, Shared, Template, Variable};
use crate::body::recode::{Table, Tables};
use crate::config::pattern::Pattern;

/// Filters of content, with all that a location inherits.
#[derive(Clone, Debug, Default)]
pub struct Bodies {
    /// nginx: `gzip` and its family.
    pub gzip: Gzip,
    /// nginx: `gunzip`, off: packed content is unpacked for those who do not take it.
    pub unpacks: bool,
    /// nginx: `sub_filter` and its family.
    pub substitutes: Substitutes,
    /// nginx: `addition`.
    pub added: Added,
    /// nginx: `charset` and its family.
    pub charset: Charset,
    /// nginx: `chunked_transfer_encoding off`.
    pub is_never_chunked: bool,
    /// nginx: `add_trailer`.
    pub trailers: Shared<AddHeader>,
}

impl Bodies {
    /// The texts in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let pairs = self.substitutes.pairs.iter().flat_map(|(find, put)| [find, put]);
        pairs.chain(self.trailers.iter().map(|field| &field.value))
    }
}

/// nginx: `sub_filter` and its family.
#[derive(Clone, Debug)]
pub struct Substitutes {
    /// nginx: `sub_filter`: what is looked for, and what comes in its place.
    pub pairs: Shared<(Template, Template)>,
    /// nginx: `sub_filter_once`, on: each of them is done once.
    pub is_once: bool,
    /// nginx: `sub_filter_types`.
    pub types: TypeList,
    /// nginx: `sub_filter_last_modified`, off: whether it is told when the content was changed.
    pub keeps_modified: bool,
}

impl Default for Substitutes {
    fn default() -> Self {
        let types = TypeList::of(&["text/html"]);
        Substitutes { pairs: Shared::default(), is_once: true, types, keeps_modified: false }
    }
}

/// nginx: `addition`: paths whose answers stand around a content. An empty one is none.
#[derive(Clone, Debug)]
pub struct Added {
    /// nginx: `add_before_body`.
    pub before: Vec<u8>,
    /// nginx: `add_after_body`.
    pub after: Vec<u8>,
    /// nginx: `addition_types`.
    pub types: TypeList,
}

impl Default for Added {
    fn default() -> Self {
        Added { before: Vec::new(), after: Vec::new(), types: TypeList::of(&["text/html"]) }
    }
}

/// nginx: `charset` and its family.
#[derive(Clone, Debug)]
pub struct Charset {
    /// nginx: `charset`; none where it is off.
    pub told: Option<CharsetName>,
    /// nginx: `source_charset`.
    pub source: Option<CharsetName>,
    /// nginx: `override_charset`, off: also where an upstream has told another.
    pub overrides: bool,
    /// nginx: `charset_types`.
    pub types: TypeList,
    /// All that the file names, in its order.
    pub known: Arc<[Vec<u8>]>,
    /// nginx: `charset_map`.
    pub maps: Arc<[CharsetMap]>,
}

impl Charset {
    /// Whose name this is, by the spelling that stands first in the file, if it names it.
    pub fn known(&self, name: &[u8]) -> Option<&[u8]> {
        let known = self.known.iter().find(|one| one.eq_ignore_ascii_case(name));
        known.map(Vec::as_slice)
    }

    /// What makes content of one charset content of the other.
    pub fn table(&self, from: &[u8], to: &[u8]) -> Option<&Arc<Table>> {
        let is = |map: &CharsetMap, from: &[u8], to: &[u8]| {
            let [one, other] = &map.names;
            one.eq_ignore_ascii_case(from) && other.eq_ignore_ascii_case(to)
        };
        self.maps.iter().find_map(|map| match map {
            map if is(map, from, to) => Some(&map.forth),
            map if is(map, to, from) => Some(&map.back),
            _ => None,
        })
    }
}

/// nginx: `charset_map`.
#[derive(Clone, Debug)]
pub struct CharsetMap {
    /// The two charsets.
    pub names: [Vec<u8>; 2],
    /// From the first to the second.
    pub forth: Arc<Table>,
    /// And back.
    pub back: Arc<Table>,
}

impl CharsetMap {
    /// Between these two.
    pub fn new(names: [Vec<u8>; 2], tables: Tables) -> CharsetMap {
        let Tables { forth, back } = tables;
        CharsetMap { names, forth: Arc::new(forth), back: Arc::new(back) }
    }
}

impl Default for Charset {
    fn default() -> Self {
        let types = TypeList::of(&[
            "text/html",
            "text/xml",
            "text/plain",
            "text/vnd.wap.wml",
            "application/javascript",
            "application/rss+xml",
        ]);
        let (known, maps) = (Arc::default(), Arc::default());
        Charset { told: None, source: None, overrides: false, types, known, maps }
    }
}

/// nginx: what stands for a charset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CharsetName {
    /// Its name.
    Is(Vec<u8>),
    /// The value of a variable.
    Of(Variable),
}

/// nginx: `gzip` and its family.
#[derive(Clone, Debug)]
pub struct Gzip {
    /// nginx: `gzip`, off.
    pub is_on: bool,
    /// nginx: `gzip_comp_level`, 1.
    pub level: u8,
    /// nginx: `gzip_min_length`, 20: what is known to be shorter goes out as it is.
    pub bytes_min: u64,
    /// nginx: `gzip_types`.
    pub types: TypeList,
    /// To whom.
    pub clients: GzipClients,
}

impl Default for Gzip {
    fn default() -> Self {
        let types = TypeList::of(&["text/html"]);
        Gzip { is_on: false, level: 1, bytes_min: 20, types, clients: GzipClients::default() }
    }
}

/// Who gets packed content; of `gzip_static` too.
#[derive(Clone, Debug, Default)]
pub struct GzipClients {
    /// nginx: `gzip_http_version 1.0`; else 1.1 is asked for.
    pub takes_http10: bool,
    /// nginx: `gzip_proxied`, off: which answers to those that come through others.
    pub proxied: Proxied,
    /// nginx: `gzip_disable`: clients with such a name get none.
    pub disabled: Arc<[Pattern]>,
    /// nginx: `gzip_disable msie6`.
    pub disables_msie6: bool,
}

/// nginx: the words of `gzip_proxied`, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxied(pub u16);

impl Default for Proxied {
    fn default() -> Self {
        Proxied::OFF
    }
}

impl Proxied {
    /// Each word with its bit. nginx: none of the others counts beside `off`, which is where it is
    /// not written at all, or beside `any`.
    pub const WORDS: [(&str, Proxied); 9] = [
        ("off", Proxied::OFF),
        ("expired", Proxied::EXPIRED),
        ("no-cache", Proxied::NO_CACHE),
        ("no-store", Proxied::NO_STORE),
        ("private", Proxied::PRIVATE),
        ("no_last_modified", Proxied::NO_LAST_MODIFIED),
        ("no_etag", Proxied::NO_ETAG),
        ("auth", Proxied::AUTH),
        ("any", Proxied::ANY),
    ];
    /// None.
    pub const OFF: Proxied = Proxied(1);
    /// Those with an `Expires` in the past.
    pub const EXPIRED: Proxied = Proxied(2);
    /// Those with this in `Cache-Control`.
    pub const NO_CACHE: Proxied = Proxied(4);
    /// Likewise.
    pub const NO_STORE: Proxied = Proxied(8);
    /// Likewise.
    pub const PRIVATE: Proxied = Proxied(16);
    /// Those without it.
    pub const NO_LAST_MODIFIED: Proxied = Proxied(32);
    /// Those without it.
    pub const NO_ETAG: Proxied = Proxied(64);
    /// Those to requests with `Authorization`.
    pub const AUTH: Proxied = Proxied(128);
    /// All.
    pub const ANY: Proxied = Proxied(256);

    /// Whether a word is written.
    pub fn has(self, word: Proxied) -> bool {
        self.0 & word.0 != 0
    }
}

/// Types of content, as `gzip_types` lists them.
#[derive(Clone, Debug, Default)]
pub struct TypeList {
    /// nginx: `*`.
    pub is_any: bool,
    /// In lower case.
    pub names: Arc<[Vec<u8>]>,
}

impl TypeList {
    /// These alone.
    pub fn of(names: &[&str]) -> TypeList {
        let names = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        TypeList { is_any: false, names }
    }

    /// Whether content of this type is meant.
    pub fn has(&self, content_type: &[u8]) -> bool {
        self.is_any || self.names.iter().any(|name| name.eq_ignore_ascii_case(content_type))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_meant_by_its_name_in_any_case_or_by_the_star() {
        let types = TypeList::of(&["text/html"]);
        for (name, expected) in
            [("text/html", true), ("TEXT/Html", true), ("text/htm", false), ("", false)]
        {
            assert_eq!(types.has(name.as_bytes()), expected, "{name}");
        }
        let any = TypeList { is_any: true, ..TypeList::default() };
        assert!(any.has(b"image/png") && any.has(b""));
    }
}
