//! Addresses as nginx writes them: `80`, `1.2.3.4:80`, `[::1]:80`, `localhost`, `name:port`.
//!
//! Owns: the split into host and port and its messages. Must not look a name up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Host and port of a URL or an upstream's server, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort<'a> {
    /// A name or an address; an IPv6 address in its brackets.
    pub(crate) host: &'a str,
    /// The port, if one is written.
    pub(crate) port: Option<u16>,
}

/// Splits `host[:port]`. The error is nginx's word for it, without a place.
pub(crate) fn host_port(text: &str) -> Result<HostPort<'_>, &'static str> {
    let found = any_host_port(text)?;
    if is_host(found.host) { Ok(found) } else { Err("invalid host") }
}

/// Whether a host is written in characters that hosts have.
pub(crate) fn is_host(host: &str) -> bool {
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c) || !c.is_ascii();
    host == "*" || host.chars().all(is_host_char)
}

/// The same of a host in any characters. nginx: what variables make is a name, which is found or
/// not.
pub(crate) fn any_host_port(text: &str) -> Result<HostPort<'_>, &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => {
            let end = inner.find(']').ok_or("invalid host")?;
            inner[..end].parse::<Ipv6Addr>().map_err(|_| "invalid IPv6 address")?;
            let (host, rest) = text.split_at(end + 2);
            match (rest.strip_prefix(':'), rest) {
                (Some(port), _) => (host, Some(port)),
                (None, "") => (host, None),
                (None, _) => return Err("invalid host"),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err("no host");
    }
    Ok(HostPort { host, port: port.map(self::port).transpose()? })
}

/// A port from 1 to 65535, digits only.
fn port(text: &str) -> Result<u16, &'static str> {
    let number = nginx_conf::units::number(text).and_then(|number| u16::try_from(number).ok());
    number.filter(|port| *port > 0).ok_or("invalid port")
}

/// An address without a look-up: a literal one, or `None` for a name.
pub fn literal_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    match bare {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// nginx: what `proxy_bind` names: an address, whose port may be left to the system.
pub fn bindable(text: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(text).ok()?;
    match text.parse::<IpAddr>() {
        Ok(ip) => Some(SocketAddr::new(ip, 0)),
        Err(_) => text.parse::<SocketAddr>().ok().filter(|address| address.port() > 0),
    }
}

/// Whether a name means this host's loopback, both families, without asking anyone.
pub fn is_localhost(host: &str) -> bool {
    host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}

/// What `listen` names: nginx takes a bare number for a port and a bare word for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListenAt<'a> {
    /// All addresses of IPv4, at a port.
    AnyV4(u16),
    /// One address.
    Ip(IpAddr, u16),
    /// A name.
    Name(&'a str, u16),
}

/// Port of a `listen` that names none.
const LISTEN_PORT: u16 = 80;

/// Reads the first argument of `listen`.
pub(crate) fn listen_at(text: &str) -> Result<ListenAt<'_>, &'static str> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(ListenAt::AnyV4(port(text)?));
    }
    let HostPort { host, port } = host_port(text)?;
    let port = port.unwrap_or(LISTEN_PORT);
    if host == "*" {
        return Ok(ListenAt::AnyV4(port));
    }
    Ok(match literal_ip(host) {
        Some(ip) => ListenAt::Ip(ip, port),
        None => ListenAt::Name(host, port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_bound_to_is_an_address_and_no_name() {
        for (text, expected) in [
            ("127.0.0.2", Some("127.0.0.2:0")),
            ("127.0.0.2:81", Some("127.0.0.2:81")),
            ("::1", Some("[::1]:0")),
            ("[::1]:81", Some("[::1]:81")),
            ("[::1]", None),
            ("localhost", None),
            ("unix:/a", None),
            ("127.0.0.2:0", None),
            ("127.0.0.2:", None),
            ("", None),
        ] {
            let found = bindable(text.as_bytes()).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn host_and_port_are_told_apart() {
        let ok = |host, port| Ok(HostPort { host, port });
        for (text, expected) in [
            ("localhost:5000", ok("localhost", Some(5000))),
            ("app", ok("app", None)),
            ("1.2.3.4:65535", ok("1.2.3.4", Some(65535))),
            ("[::1]:80", ok("[::1]", Some(80))),
            ("[::1]", ok("[::1]", None)),
            ("my_app.ns.svc:80", ok("my_app.ns.svc", Some(80))),
            ("", Err("no host")),
            (":80", Err("no host")),
            ("a:", Err("invalid port")),
            ("a:0", Err("invalid port")),
            ("a:65536", Err("invalid port")),
            ("a:8o", Err("invalid port")),
            ("a:80:80", Err("invalid port")),
            ("a:+80", Err("invalid port")),
            ("[::1", Err("invalid host")),
            ("[::1]x", Err("invalid host")),
            ("[x]:80", Err("invalid IPv6 address")),
            ("a b", Err("invalid host")),
            ("a@b", Err("invalid host")),
        ] {
            assert_eq!(host_port(text), expected, "{text:?}");
        }
    }

    #[test]
    fn listen_takes_a_port_an_address_or_a_name() {
        let ip = |text: &str, port| Ok(ListenAt::Ip(text.parse().unwrap(), port));
        for (text, expected) in [
            ("80", Ok(ListenAt::AnyV4(80))),
            ("*:8080", Ok(ListenAt::AnyV4(8080))),
            ("*", Ok(ListenAt::AnyV4(80))),
            ("127.0.0.1", ip("127.0.0.1", 80)),
            ("127.0.0.1:81", ip("127.0.0.1", 81)),
            ("[::]:80", ip("::", 80)),
            ("[::1]", ip("::1", 80)),
            ("localhost:90", Ok(ListenAt::Name("localhost", 90))),
            ("localhost", Ok(ListenAt::Name("localhost", 80))),
            ("0", Err("invalid port")),
            ("99999", Err("invalid port")),
            ("127.0.0.1:http", Err("invalid port")),
            ("", Err("no host")),
            ("*x:80", Err("invalid host")),
        ] {
            assert_eq!(listen_at(text), expected, "{text:?}");
        }
    }

    #[test]
    fn localhost_is_known_in_any_case() {
        assert!(is_localhost("LocalHost") && is_localhost("localhost."));
        assert!(!is_localhost("localhost.example"));
    }
}
