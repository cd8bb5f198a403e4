//! The values of the file's own variables: those that were set, and those that `map`, `geo` and
//! `split_clients` look up.

use std::net::IpAddr;

use super::View;
use crate::config::model::{ErrorLevel, Geo, Map, OwnSource, Part, Split, Template};
use crate::forwarded;
use crate::values::Own;

/// A value is so long at most, in bytes: each may name others twice.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

impl View<'_> {
    /// One of the file's own variables. False where there is none.
    pub(super) fn push_own(&self, variable: usize, out: &mut Vec<u8>) -> bool {
        let values = &self.request.values;
        if let Own::Is(value) = values.borrow().own(variable) {
            out.extend_from_slice(value);
            return true;
        }
        let config = self.request.at.config();
        let Some(own) = config.own_variables.get(variable) else { return false };
        let source = own.source;
        // nginx: a circle has no value. It is asked for here and not at the load, as there.
        if !values.borrow_mut().enter() {
            return false;
        }
        let made = match source {
            OwnSource::Group => None,
            OwnSource::Set => {
                if self.request.at.location(self.request.place).program.telling.unset {
                    let line = format!("using uninitialized \"{}\" variable", own.name);
                    values.borrow_mut().note(ErrorLevel::Warn, line);
                }
                Some((Vec::new(), true))
            }
            OwnSource::Map(index) => config.maps.get(index).map(|map| self.map(map)),
            OwnSource::Geo(index) => config.geos.get(index).map(|geo| self.geo(geo)),
            OwnSource::Split(index) => config.splits.get(index).map(|split| self.split(split)),
        };
        values.borrow_mut().leave();
        let Some((value, is_kept)) = made else { return false };
        out.extend_from_slice(&value);
        if is_kept {
            values.borrow_mut().set(variable, value);
        }
        true
    }

    /// A template's text, or none if it is longer than a value may be.
    pub fn value(&self, template: &Template) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for part in &template.0 {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => {
                    self.push_variable(variable, &mut out);
                }
            }
            if out.len() > VALUE_BYTES_MAX {
                return None;
            }
        }
        Some(out)
    }

    /// nginx: `map`: the text itself, in either case, else its names of hosts, else expressions,
    /// which an empty text matches none of. With it: whether it is kept.
    fn map(&self, map: &Map) -> (Vec<u8>, bool) {
        let mut subject = self.value(&map.subject).unwrap_or_default();
        if map.has_hostnames && subject.last() == Some(&b'.') {
            subject.pop();
        }
        let lower = subject.to_ascii_lowercase();
        let by_name = || {
            // Names alone have them.
            let suffix = |(name, _): &&(Vec<u8>, usize)| lower.ends_with(name);
            let prefix =
                |(name, _): &&(Vec<u8>, usize)| lower.len() > name.len() && lower.starts_with(name);
            let found = map.suffixes.iter().find(suffix);
            found.or_else(|| map.prefixes.iter().find(prefix)).map(|(_, value)| *value)
        };
        let by_expression = || {
            let mut expressions = map.expressions.iter().filter(|_| !subject.is_empty());
            let mut values = self.request.values.borrow_mut();
            let found = expressions.find(|(expression, _)| values.matches(expression, &subject));
            found.map(|(_, value)| *value)
        };
        let found = map.exact.get(&lower).copied().or_else(by_name).or_else(by_expression);
        let value = found.and_then(|index| map.values.get(index)).unwrap_or(&map.default);
        (self.value(value).unwrap_or_default(), !map.is_volatile)
    }

    /// nginx: `geo`: the value of the smallest network, or of the range, that holds the address.
    fn geo(&self, geo: &Geo) -> (Vec<u8>, bool) {
        // nginx: what is no address is the last one of all.
        const NONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
        let address = match &geo.subject {
            None => self.request.client.remote.ip(),
            Some(variable) => {
                let mut text = Vec::new();
                self.push_variable(variable, &mut text);
                let text = std::str::from_utf8(&text).unwrap_or_default();
                text.parse().unwrap_or(NONE)
            }
        };
        let fields = self.request.fields().map(|(name, value, _)| (name, value));
        let told = fields.filter(|(name, _)| name.eq_ignore_ascii_case(b"x-forwarded-for"));
        let told: Vec<&[u8]> = match geo.proxies.is_empty() {
            true => Vec::new(),
            false => told.map(|(_, value)| value).collect(),
        };
        let is_trusted = |ip: IpAddr| geo.proxies.iter().any(|network| network.contains(ip));
        let address =
            forwarded::client(address, &told, geo.is_recursive, is_trusted).to_canonical();
        let in_range = || {
            let IpAddr::V4(ip) = address else { return None };
            let after = geo.ranges.partition_point(|(first, _, _)| *first <= ip);
            let (_, last, value) = geo.ranges.get(after.checked_sub(1)?)?;
            (ip <= *last).then_some(*value)
        };
        let found = geo.networks.find(address).or_else(in_range);
        let value = found.and_then(|index| geo.values.get(index)).unwrap_or(&geo.default);
        (value.clone(), !geo.is_volatile)
    }

    /// nginx: `split_clients`: the part of all hashes that the text's is in.
    fn split(&self, split: &Split) -> (Vec<u8>, bool) {
        let hash = murmur_hash2(&self.value(&split.subject).unwrap_or_default());
        let is_in = |(end, _): &&(Option<u32>, Vec<u8>)| end.is_none_or(|end| hash < end);
        let found = split.parts.iter().find(is_in);
        (found.map(|(_, value)| value.clone()).unwrap_or_default(), true)
    }
}

/// `MurmurHash2` with nginx's seed.
fn murmur_hash2(text: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let (words, rest) = text.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_algorithm() {
        for (text, expected) in [
            ("", 0x0000_0000),
            ("a", 0x9268_5f5e),
            ("ab", 0x1aa1_4063),
            ("abc", 0x1357_7c9b),
            ("abcd", 0x2687_3021),
            ("abcdefg", 0xf9a1_cef3),
            ("10.0.0.1/app", 0x5195_f7c7),
        ] {
            assert_eq!(murmur_hash2(text.as_bytes()), expected, "{text}");
        }
    }
}
