//! Where a directive may stand: kinds of blocks, and sets of them.

use std::fmt;

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// Outside all blocks.
    Main,
    /// `events { }`
    Events,
    /// `http { }`
    Http,
    /// `server { }`
    Server,
    /// `location { }`
    Location,
    /// `upstream { }`
    Upstream,
    /// `if { }` of a location.
    If,
    /// `if { }` of a server.
    ServerIf,
    /// `limit_except { }`
    LimitExcept,
}

/// A set of contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contexts(u16);

pub(super) const MAIN: Contexts = Contexts::of(&[Context::Main]);
pub(super) const EVENTS: Contexts = Contexts::of(&[Context::Events]);
pub(super) const HTTP: Contexts = Contexts::of(&[Context::Http]);
pub(super) const SERVER: Contexts = Contexts::of(&[Context::Server]);
pub(super) const LOCATION: Contexts = Contexts::of(&[Context::Location]);
pub(super) const UPSTREAM: Contexts = Contexts::of(&[Context::Upstream]);
pub(super) const HS: Contexts = HTTP.and(SERVER);
pub(super) const HSL: Contexts = HS.and(LOCATION);
pub(super) const IF: Contexts = Contexts::of(&[Context::If]);
pub(super) const IFS: Contexts = Contexts::of(&[Context::If, Context::ServerIf]);
pub(super) const LIMIT_EXCEPT: Contexts = Contexts::of(&[Context::LimitExcept]);
pub(super) const HSLI: Contexts = HSL.and(IF);
pub(super) const EVERYWHERE: Contexts =
    MAIN.and(EVENTS).and(HSL).and(IFS).and(UPSTREAM).and(LIMIT_EXCEPT);

impl Contexts {
    const fn of(contexts: &[Context]) -> Contexts {
        let mut bits = 0;
        let mut index = 0;
        while index < contexts.len() {
            bits |= 1 << contexts[index] as u16;
            index += 1;
        }
        Contexts(bits)
    }

    pub(super) const fn and(self, others: Contexts) -> Contexts {
        Contexts(self.0 | others.0)
    }

    /// Whether a context belongs to the set.
    pub fn contains(self, context: Context) -> bool {
        self.0 & (1 << context as u16) != 0
    }

    /// The contexts, from the outermost.
    pub fn iter(self) -> impl Iterator<Item = Context> {
        CONTEXTS.into_iter().filter(move |context| self.contains(*context))
    }
}

const CONTEXTS: [Context; 9] = [
    Context::Main,
    Context::Events,
    Context::Http,
    Context::Server,
    Context::Location,
    Context::ServerIf,
    Context::If,
    Context::LimitExcept,
    Context::Upstream,
];

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Context::Main => "main",
            Context::Events => "events",
            Context::Http => "http",
            Context::Server => "server",
            Context::Location => "location",
            Context::Upstream => "upstream",
            Context::If => "if in location",
            Context::ServerIf => "if in server",
            Context::LimitExcept => "limit_except",
        })
    }
}

impl fmt::Display for Contexts {
    /// `http, server, location`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, context) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{context}")?;
        }
        Ok(())
    }
}
