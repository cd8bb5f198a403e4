//! Which server answers for a Host, which location for a path, which type for an ending.
//!
//! Owns: nginx's order of choice. Runs for every request: no allocation, no locking.

use std::net::SocketAddr;

use super::model::{Config, Listen, Location, Locations, Server};
use super::prefixes::Prefixes;
use crate::values::Values;

impl Config {
    /// The `listen` of a connection that came to `local` by the socket of `bound`: a specific
    /// address goes before the wildcard whose socket took the connection.
    ///
    /// nginx: <https://nginx.org/en/docs/http/request_processing.html>
    pub fn listen_for(&self, bound: usize, local: SocketAddr) -> usize {
        let specific = |listen: &Listen| listen.bound_by == Some(bound) && listen.address == local;
        self.listens.iter().position(specific).unwrap_or(bound)
    }
}

impl Listen {
    /// The server for a Host in lower case, without port: the exact name, else the longest
    /// `*.name`, else the longest `name.*`, else the first expression that matches, whose groups
    /// `values` remembers, else the default.
    ///
    /// nginx: <https://nginx.org/en/docs/http/server_names.html>
    pub fn server(&self, host: &[u8], values: &mut Values) -> usize {
        if let Some(server) = find(&self.exact, host) {
            return server;
        }
        // nginx: an empty label counts: `.example.com` is a `*.example.com`.
        let suffix = |name: &[u8]| host.ends_with(name);
        let prefix = |name: &[u8]| host.len() > name.len() && host.starts_with(name);
        let by_suffix = self.suffixes.iter().find(|(name, _)| suffix(name));
        let by_prefix = || self.prefixes.iter().find(|(name, _)| prefix(name));
        if let Some((_, server)) = by_suffix.or_else(by_prefix) {
            return *server;
        }
        // nginx: a request without Host matches none, not even one that matches nothing.
        let mut expressions = self.expressions.iter().filter(|_| !host.is_empty());
        let by_expression = expressions.find(|(expression, _)| values.matches(expression, host));
        by_expression.map_or(self.default_server, |(_, server)| *server)
    }
}

impl Listen {
    /// Whether a host is by one of its names that server's.
    pub fn is_name_of(&self, host: &[u8], server: usize) -> bool {
        let is_own = |(_, own): &&(Vec<u8>, usize)| *own == server;
        find(&self.exact, host) == Some(server)
            || self.suffixes.iter().filter(is_own).any(|(name, _)| host.ends_with(name))
            || self.prefixes.iter().filter(is_own).any(|(name, _)| host.starts_with(name))
            || self
                .expressions
                .iter()
                .any(|(expression, own)| *own == server && expression.pattern.is_match(host))
    }
}

impl Server {
    /// The location for a decoded path: the exact one, else, unless the longest prefix is `^~`, the
    /// first expression that matches, whose groups `values` remembers, else the longest prefix; and
    /// inside of what is found the same again. Expressions inside the longest prefix go before
    /// those beside it.
    ///
    /// nginx: <https://nginx.org/en/docs/http/ngx_http_core_module.html#location>
    pub fn location_index(&self, path: &[u8], values: &mut Values) -> Option<usize> {
        self.find_in(&self.top, path, values).map(|(index, _)| index)
    }

    /// A location of a level or inside it, and whether the search has ended with it.
    fn find_in(
        &self,
        level: &Locations,
        path: &[u8],
        values: &mut Values,
    ) -> Option<(usize, bool)> {
        let mut found = choose(&level.exact, &level.prefixes, path);
        let mut is_final = false;
        if let Some((index, is_exact)) = found {
            if is_exact {
                return found;
            }
            let location = self.locations.get(index)?;
            is_final = location.search.is_final;
            let inner = location.search.nested.as_deref();
            found = inner.and_then(|inner| self.find_in(inner, path, values)).or(found);
            if matches!(found, Some((_, true))) {
                return found;
            }
        }
        if is_final || level.expressions.is_empty() {
            return found;
        }
        let mut expressions = level.expressions.iter();
        match expressions.find(|(expression, _)| values.matches(expression, path)) {
            Some((_, index)) => {
                let inner = self.locations.get(*index)?.search.nested.as_deref();
                let deeper = inner.and_then(|inner| self.find_in(inner, path, values));
                Some((deeper.map_or(*index, |(deeper, _)| deeper), true))
            }
            None => found,
        }
    }
}

/// A location of one level, and whether its exact path was asked for.
fn choose(
    exact: &std::collections::HashMap<Vec<u8>, usize>,
    prefixes: &Prefixes,
    path: &[u8],
) -> Option<(usize, bool)> {
    if let Some(index) = find(exact, path) {
        return Some((index, true));
    }
    prefixes.longest(path).map(|index| (index, false))
}

/// A value by its key. Most tables have no entry or one: hashing would cost more than all else.
fn find(table: &std::collections::HashMap<Vec<u8>, usize>, key: &[u8]) -> Option<usize> {
    match table.len() {
        0 => None,
        1 => table.iter().find(|(known, _)| *known == key).map(|(_, value)| *value),
        _ => table.get(key).copied(),
    }
}

impl Location {
    /// The type of an answer made here to a request for `path`: by the ending of its last part,
    /// else `default_type`. A name that begins with its only dot has no ending.
    ///
    /// nginx: <https://nginx.org/en/docs/http/ngx_http_core_module.html#types>
    pub fn content_type(&self, path: &[u8]) -> &[u8] {
        const ENDING_BYTES_MAX: usize = 16;
        let types = &self.files.content_types;
        let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let dot = last.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
        let ending = dot.and_then(|dot| last.get(dot + 1..)).unwrap_or_default();
        let mut lower = [0; ENDING_BYTES_MAX];
        let Some(lower) = lower.get_mut(..ending.len()) else { return &types.default_type };
        lower.copy_from_slice(ending);
        lower.make_ascii_lowercase();
        types.types.get(&*lower).map_or(&types.default_type, |name| name)
    }
}
