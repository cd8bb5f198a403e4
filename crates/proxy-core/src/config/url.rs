//! The URL of a `proxy_pass`, written or made by variables, taken apart.
//!
//! Owns: its parts, what they mean for `$proxy_host` and `$proxy_port`, and which group a host that
//! variables made is. Must not look a name up.

use super::address::{HostPort, any_host_port, host_port};
use super::model::{Config, PassUrl, Upstream};
use crate::upstream::address::{Address, unix_host};

/// How a URL begins, in any case.
pub(crate) const SCHEME: &str = "http://";
/// Port of a URL without one.
const HTTP_PORT: u16 = 80;
/// What stands for the port of a socket that has none.
pub(crate) const UNIX_PORT: u16 = 0;

/// The parts behind the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    /// A name, an address, or a path with its `unix:`.
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
    /// From the first slash after the host, or the colon after a path, if there is one.
    pub(crate) uri: Option<&'a [u8]>,
}

/// Where a request goes whose URL was made by variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To a group: an index into `Config::upstreams`.
    Group(usize),
    /// To an address that is of no group.
    At(Address),
    /// To a name that is of no group, and its port.
    Name(String, u16),
}

/// The host and the port of a server, or its path with the port that stands for none. The error is
/// nginx's message.
pub(crate) fn place(text: &str) -> Result<HostPort<'_>, String> {
    place_by(text, host_port)
}

fn place_by<'a>(
    text: &'a str,
    host_port: fn(&'a str) -> Result<HostPort<'a>, &'static str>,
) -> Result<HostPort<'a>, String> {
    let at = match unix_host(text) {
        Some(host) => host.map(|host| HostPort { host, port: Some(UNIX_PORT) }),
        None => host_port(text),
    };
    at.map_err(|problem| format!("{problem} in upstream \"{text}\""))
}

impl Url<'_> {
    /// The parts of what follows the scheme; a URI begins with one of `ends`. A host may be of any
    /// characters. The error is nginx's message.
    pub(crate) fn split<'a>(rest: &'a [u8], ends: &[u8]) -> Result<Url<'a>, String> {
        let (authority, uri) = match rest.strip_prefix(b"unix:") {
            // nginx: a path ends with the next colon.
            Some(path) => match path.iter().position(|byte| *byte == b':') {
                Some(colon) => {
                    let (authority, uri) = rest.split_at(rest.len() - path.len() + colon);
                    (authority, uri.get(1..).filter(|uri| !uri.is_empty()))
                }
                None => (rest, None),
            },
            None => {
                let end = rest.iter().position(|byte| ends.contains(byte));
                let (authority, uri) = rest.split_at(end.unwrap_or(rest.len()));
                (authority, end.map(|_| uri))
            }
        };
        let authority = str::from_utf8(authority).map_err(|_| "invalid host".to_owned())?;
        let HostPort { host, port } = place_by(authority, any_host_port)?;
        Ok(Url { host, port, uri })
    }

    /// What variables tell of it.
    pub(crate) fn passed(&self) -> PassUrl {
        let (host, port) = match self.port {
            // nginx: a path is no host.
            Some(UNIX_PORT) => ("localhost".to_owned(), String::new()),
            Some(port) if port != HTTP_PORT => (format!("{}:{port}", self.host), port.to_string()),
            _ => (self.host.to_owned(), HTTP_PORT.to_string()),
        };
        let uri = self.uri.map(Into::into);
        PassUrl { host: host.into(), port: port.into(), uri, ..PassUrl::default() }
    }

    /// nginx: a group that the file has goes before an address, and a name is looked up.
    pub(crate) fn target(&self, config: &Config) -> Target {
        let port = self.port.unwrap_or(HTTP_PORT);
        let is_meant = |group: &Upstream| {
            let is_port = group.port.map_or(self.port.is_none(), |own| own == port);
            is_port && group.name.eq_ignore_ascii_case(self.host.as_bytes())
        };
        // A path is not the same in other letters.
        let groups = config.upstreams.iter().enumerate();
        let mut groups = groups.filter(|_| self.port != Some(UNIX_PORT));
        if let Some((index, _)) = groups.find(|(_, group)| is_meant(group)) {
            return Target::Group(index);
        }
        let name = || Target::Name(self.host.to_owned(), port);
        Address::literal(self.host, port).map_or_else(name, Target::At)
    }
}

/// Takes a URL apart that variables made, with its URI as it goes on. Nothing where it is none.
pub(crate) fn made(text: &[u8], config: &Config) -> Option<(PassUrl, Target)> {
    let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) {
        return None;
    }
    let url = Url::split(rest, b"/?").ok()?;
    let mut passed = url.passed();
    passed.uri = passed.uri.map(|uri| as_it_goes(&uri));
    Some((passed, url.target(config)))
}

/// The same of a place without a scheme, which has its port or is a group's name.
pub(crate) fn made_place(text: &[u8], config: &Config) -> Option<(PassUrl, Target)> {
    let HostPort { host, port } = place_by(str::from_utf8(text).ok()?, any_host_port).ok()?;
    let url = Url { host, port, uri: None };
    let target = url.target(config);
    let is_place = port.is_some() || matches!(target, Target::Group(_));
    is_place.then(|| (url.passed(), target))
}

/// nginx: a URI is sent as it is, behind a slash if it begins with arguments. What would end the
/// request line early is escaped here.
fn as_it_goes(uri: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(uri.len() + 1);
    if uri.first() == Some(&b'?') {
        out.push(b'/');
    }
    for byte in uri {
        if *byte <= b' ' || *byte == 0x7f {
            let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.push(*byte);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::good;

    #[test]
    fn what_variables_make_goes_to_a_group_an_address_or_a_name() {
        let config = good(
            "http { upstream App { server 10.0.0.1; } server { location / { proxy_pass \
             http://implicit:8080; } } }",
        );
        let name = |host: &str, port| Target::Name(host.to_owned(), port);
        let at = |host: &str, port| Target::At(Address::literal(host, port).unwrap());
        for (text, host, port, uri, target) in [
            ("http://app", "app", "80", None, Target::Group(0)),
            ("HTTP://APP/x?y", "APP", "80", Some("/x?y"), Target::Group(0)),
            ("http://app:80", "app", "80", None, name("app", 80)),
            ("http://implicit:8080", "implicit:8080", "8080", None, Target::Group(1)),
            ("http://implicit", "implicit", "80", None, name("implicit", 80)),
            ("http://10.0.0.2", "10.0.0.2", "80", None, at("10.0.0.2", 80)),
            ("http://[::1]:81/", "[::1]:81", "81", Some("/"), at("[::1]", 81)),
            ("http://10.0.0.2?a=b", "10.0.0.2", "80", Some("/?a=b"), at("10.0.0.2", 80)),
            ("http://unix:/s:/x", "localhost", "", Some("/x"), at("unix:/s", 0)),
            // nginx: a name is a name, found or not.
            ("http://a b,:81/", "a b,:81", "81", Some("/"), name("a b,", 81)),
            ("http://app/a b\r\nX: y", "app", "80", Some("/a%20b%0D%0AX:%20y"), Target::Group(0)),
        ] {
            let (url, found) = made(text.as_bytes(), &config).unwrap();
            assert_eq!(found, target, "{text}");
            assert_eq!((url.host, url.port), (host.into(), port.into()), "{text}");
            assert_eq!(url.uri, uri.map(Into::into), "{text}");
        }
        for text in ["", "app", "https://app", "http://", "http:///x", "http://a:b"] {
            assert!(made(text.as_bytes(), &config).is_none(), "{text}");
        }
        assert!(made(b"http://\xff", &config).is_none());
    }
}
