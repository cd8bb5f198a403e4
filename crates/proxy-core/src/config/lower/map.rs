//! `map`, `geo` and `split_clients`.
//!
//! Owns: what stands in their blocks. Looking something up is `variables::own`'s.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::Ipv4Addr;

use nginx_conf::{Directive, Span, units};

use super::Lower;
use super::server::longest_first;
use crate::config::model::{Geo, Map, OwnSource, Split};
use crate::config::network::Network;

impl Lower<'_> {
    /// nginx: `map TEXT $variable { … }`.
    pub(super) fn map(&mut self, directive: &Directive, index: usize) {
        let block = directive.block.as_deref().unwrap_or_default();
        let subject = self.template(directive, 0);
        let mut map = Map { subject: subject.unwrap_or_default(), ..Map::default() };
        // It holds for the lines before it too.
        map.has_hostnames =
            block.iter().any(|line| line.args.is_empty() && line.name.text == "hostnames");
        let mut names = Names::default();
        let mut has_default = false;
        for line in block {
            match (line.name.text.as_str(), line.args.len()) {
                ("hostnames", 0) => {}
                ("volatile", 0) => map.is_volatile = true,
                (_, 0 | 2..) => {
                    self.error(line.name.span, "invalid number of the map parameters");
                }
                ("default", _) if std::mem::replace(&mut has_default, true) => {
                    self.error(line.name.span, "duplicate default map parameter");
                }
                ("default", _) => map.default = self.template(line, 0).unwrap_or_default(),
                (key, _) => {
                    let value = map.values.len();
                    map.values.push(self.template(line, 0).unwrap_or_default());
                    let key = (key, line.name.span);
                    match key.0.strip_prefix('~') {
                        Some(text) => {
                            let expression = self.tilde_expression(text, key.1);
                            map.expressions.extend(expression.map(|found| (found, value)));
                        }
                        None => self.map_key(key, value, map.has_hostnames, &mut names),
                    }
                }
            }
        }
        map.exact = names.exact;
        map.suffixes = longest_first(names.suffixes);
        map.prefixes = longest_first(names.prefixes);
        if let Some(place) = self.config.maps.get_mut(index) {
            *place = map;
        }
    }

    /// A text that is looked up as it is. nginx: a backslash in front takes a meaning away.
    fn map_key(
        &mut self,
        (key, span): (&str, Span),
        value: usize,
        has_hostnames: bool,
        names: &mut Names,
    ) {
        let text = key.strip_prefix('\\').unwrap_or(key).to_lowercase();
        let is_free = match has_hostnames {
            true => names.add_host(&text, value),
            false => Ok(names.exact.insert(text.into_bytes(), value).is_none()),
        };
        match is_free {
            Ok(true) => {}
            Ok(false) => self.error(span, format!("conflicting parameter \"{key}\"")),
            Err(()) => self.error(span, format!("invalid hostname or wildcard \"{key}\"")),
        }
    }

    /// nginx: `split_clients TEXT $variable { … }`.
    pub(super) fn split(&mut self, directive: &Directive, index: usize) {
        let subject = self.template(directive, 0);
        let mut split = Split { subject: subject.unwrap_or_default(), parts: Vec::new() };
        let (mut sum, mut end) = (0_u64, 0_u64);
        for line in directive.block.iter().flatten() {
            let (part, value) = match line.args.as_slice() {
                [value] => (line.name.text.as_str(), value.text.as_bytes().to_vec()),
                _ => {
                    self.error(line.name.span, "invalid number of the split_clients parameters");
                    continue;
                }
            };
            let hundredths = if part == "*" { Some(0) } else { hundredths(part) };
            let Some(hundredths) = hundredths else {
                let message = format!("invalid percent value \"{part}\"");
                self.error_with_help(line.name.span, message, "expected 0.01% to 100%, or \"*\"");
                continue;
            };
            sum = if part == "*" { 10_000 } else { sum.saturating_add(hundredths) };
            if sum > 10_000 {
                self.error(line.name.span, "percent total is greater than 100%");
                break;
            }
            end += hundredths * u64::from(u32::MAX) / 10_000;
            let end = u32::try_from(end).ok().filter(|_| part != "*");
            split.parts.push((end, value));
        }
        if let Some(place) = self.config.splits.get_mut(index) {
            *place = split;
        }
    }

    /// nginx: `geo [$address] $variable { … }`.
    pub(super) fn geo(&mut self, directive: &Directive, index: usize) {
        let mut geo = Geo::default();
        if directive.args.len() == 2 {
            let span = directive.arg_span(0);
            match directive.arg(0).and_then(|text| text.strip_prefix('$')) {
                Some(name) => geo.subject = self.subject(name, span),
                None => {
                    let name = directive.arg(0).unwrap_or_default();
                    self.error(span, format!("invalid variable name \"{name}\""));
                }
            }
        }
        let mut has_ranges = false;
        let mut has_default = false;
        for line in directive.block.iter().flatten() {
            let span = line.name.span;
            match (line.name.text.as_str(), line.args.as_slice()) {
                ("ranges", []) if !geo.values.is_empty() => {
                    let message =
                        "the \"ranges\" directive must be the first directive inside \"geo\" block";
                    self.error(span, message);
                }
                ("ranges", []) => has_ranges = true,
                ("volatile", []) => geo.is_volatile = true,
                ("proxy_recursive", []) => geo.is_recursive = true,
                ("proxy", [text]) => geo.proxies.extend(self.network(&text.text, text.span)),
                ("default", [value]) => {
                    if std::mem::replace(&mut has_default, true) {
                        self.warn(span, format!("duplicate default geo value: \"{}\"", value.text));
                    }
                    geo.default = value.text.as_bytes().to_vec();
                }
                (key, [value]) if has_ranges => {
                    self.geo_range((key, span), (&value.text, value.span), &mut geo);
                }
                (key, [value]) => {
                    self.geo_network((key, span), (&value.text, value.span), &mut geo);
                }
                _ => self.error(span, "invalid number of the geo parameters"),
            }
        }
        if let Some(place) = self.config.geos.get_mut(index) {
            *place = geo;
        }
    }

    fn geo_network(&mut self, key: (&str, Span), value: (&str, Span), geo: &mut Geo) {
        if key.0 == "delete" {
            if let Some(network) = self.network(value.0, value.1)
                && !geo.networks.remove(network)
            {
                self.warn(value.1, format!("no network \"{}\" to delete", value.0));
            }
            return;
        }
        let Some(network) = self.network(key.0, key.1) else { return };
        let index = geo.values.len();
        geo.values.push(value.0.as_bytes().to_vec());
        if let Some(before) = geo.networks.insert(network, index) {
            let before = geo.values.get(before).map(|value| String::from_utf8_lossy(value));
            let (key, span, value, before) = (key.0, key.1, value.0, before.unwrap_or_default());
            let message =
                format!("duplicate network \"{key}\", value: \"{value}\", old value: \"{before}\"");
            self.warn(span, message);
        }
    }

    /// nginx: a range may stand inside one before it, and not across its ends.
    fn geo_range(&mut self, key: (&str, Span), value: (&str, Span), geo: &mut Geo) {
        let is_delete = key.0 == "delete";
        let (text, span) = if is_delete { value } else { key };
        let ends = text.split_once('-').and_then(|(first, last)| {
            let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some((first, last))
        });
        let Some((first, last)) = ends else {
            return self.error(span, format!("invalid range \"{text}\""));
        };
        let ranges = &mut geo.ranges;
        let at = ranges.partition_point(|(_, end, _)| *end < first);
        let around = ranges.get(at).copied().filter(|(start, _, _)| *start <= last);
        if is_delete {
            match around {
                Some((start, end, _)) if (start, end) == (first, last) => drop(ranges.remove(at)),
                _ => self.warn(span, format!("no address range \"{text}\" to delete")),
            }
            return;
        }
        let index = geo.values.len();
        geo.values.push(value.0.as_bytes().to_vec());
        match around {
            None => ranges.insert(at, (first, last, index)),
            Some((start, end, outer)) if start <= first && last <= end => {
                let before = (start < first).then(|| (start, previous(first), outer));
                let after = (last < end).then(|| (next(last), end, outer));
                let parts = before.into_iter().chain([(first, last, index)]).chain(after);
                ranges.splice(at..=at, parts);
                if (start, end) == (first, last) {
                    self.warn(span, format!("duplicate range \"{text}\""));
                }
            }
            Some((start, end, _)) => {
                self.error(span, format!("range \"{text}\" overlaps \"{start}-{end}\""));
            }
        }
    }

    /// A network; what is no network, or has bits without meaning, is told.
    pub(super) fn network(&mut self, text: &str, span: Span) -> Option<Network> {
        match Network::parse(text) {
            Ok((network, has_low_bits)) => {
                if has_low_bits {
                    self.warn(span, format!("low address bits of {text} are meaningless"));
                }
                Some(network)
            }
            Err(_) => {
                let help = "expected an address, or an address and the number of its bits, as in \
                            10.0.0.0/8";
                self.error_with_help(span, format!("invalid network \"{text}\""), help);
                None
            }
        }
    }

    /// Makes the variable of a `map`, `geo` or `split_clients`. The error is nginx's.
    pub(super) fn lookup_name(&mut self, directive: &Directive, source: OwnSource) {
        let Some(word) = directive.args.last() else { return };
        match word.text.strip_prefix('$').filter(|name| !name.is_empty()) {
            Some(name) => self.own_variable(name, source, word.span),
            None => self.error(word.span, format!("invalid variable name \"{}\"", word.text)),
        }
    }
}

/// Texts of a `map`.
#[derive(Default)]
pub(super) struct Names {
    pub(super) exact: HashMap<Vec<u8>, usize>,
    pub(super) suffixes: HashMap<Vec<u8>, usize>,
    pub(super) prefixes: HashMap<Vec<u8>, usize>,
}

impl Names {
    /// A name of a host, or a wildcard; false where it is there already. The error is a wildcard
    /// that is none.
    pub(super) fn add_host(&mut self, name: &str, value: usize) -> Result<bool, ()> {
        let is_plain = |part: &str| !part.is_empty() && !part.contains('*') && !part.contains("..");
        let put = |map: &mut HashMap<Vec<u8>, usize>, name: String| match map.entry(name.into()) {
            Entry::Vacant(place) => {
                place.insert(value);
                true
            }
            Entry::Occupied(_) => false,
        };
        if let Some(rest) = name.strip_prefix("*.").filter(|rest| is_plain(rest)) {
            return Ok(put(&mut self.suffixes, format!(".{rest}")));
        }
        if let Some(rest) = name.strip_suffix(".*").filter(|rest| is_plain(rest)) {
            return Ok(put(&mut self.prefixes, format!("{rest}.")));
        }
        if let Some(rest) = name.strip_prefix('.').filter(|rest| is_plain(rest)) {
            let is_free = put(&mut self.exact, rest.to_owned());
            return Ok(put(&mut self.suffixes, name.to_owned()) && is_free);
        }
        if name.starts_with('.') || name.contains('*') || name.contains("..") {
            return Err(());
        }
        Ok(put(&mut self.exact, name.to_owned()))
    }
}

/// nginx: a percentage with two decimals, in hundredths of a percent, none of them zero.
fn hundredths(text: &str) -> Option<u64> {
    let (whole, decimals) = match text.strip_suffix('%')?.split_once('.') {
        Some((whole, decimals)) => (whole, decimals),
        None => (text.strip_suffix('%')?, ""),
    };
    if decimals.len() > 2 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = units::number(&format!("{decimals:0<2}"))?;
    let whole = if whole.is_empty() { 0 } else { units::number(whole)? };
    let all = whole.checked_mul(100)?.checked_add(decimals)?;
    (all > 0).then_some(all)
}

fn previous(ip: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(ip.to_bits().saturating_sub(1))
}

fn next(ip: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from_bits(ip.to_bits().saturating_add(1))
}
