//! Who a client is, by what proxies say of it.
//!
//! It reads addresses; whom to believe is the caller's to say.

use std::net::IpAddr;

/// An address of a text: `ADDRESS`, `ADDRESS:PORT`, `[ADDRESS]:PORT`; with its port if it has one.
///
/// nginx: `ngx_parse_addr_port`.
pub fn address(text: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(ip) = text.parse() {
        return Some((ip, None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => {
            let (host, rest) = inner.split_once(']')?;
            let host = host.parse::<std::net::Ipv6Addr>().ok()?;
            (IpAddr::V6(host), rest.strip_prefix(':').or(rest.is_empty().then_some(""))?)
        }
        None => {
            let (host, port) = text.split_once(':')?;
            (IpAddr::V4(host.parse().ok()?), port)
        }
    };
    if port.is_empty() && text.starts_with('[') {
        return Some((host, None));
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse::<u16>().ok().filter(|port| is_number && *port > 0)?;
    Some((host, Some(port)))
}

/// The client that fields as `X-Forwarded-For` tell of, from the address that sent them: if that is
/// trusted, the last address of the list, and if `is_recursive`, the last one that is not trusted.
/// What is no address ends the search.
///
/// nginx: `ngx_http_get_forwarded_addr`.
pub fn client(
    from: IpAddr,
    fields: &[&[u8]],
    is_recursive: bool,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    client_with_port(from, fields, is_recursive, is_trusted).map_or(from, |(ip, _)| ip)
}

/// As [`client`], with the port that was told; nothing where nobody is believed.
pub fn client_with_port(
    from: IpAddr,
    fields: &[&[u8]],
    is_recursive: bool,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<(IpAddr, Option<u16>)> {
    let mut found = None;
    let mut at = from;
    let is_separator = |byte: &u8| matches!(byte, b' ' | b',');
    for field in fields.iter().rev() {
        for text in field.rsplit(is_separator).filter(|text| !text.is_empty()) {
            if !is_trusted(at) {
                return found;
            }
            let Some(told) = address(text) else { return found };
            found = Some(told);
            at = told.0;
            if !is_recursive {
                return found;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        let check = |text: &str, expected: Option<(&str, Option<u16>)>| {
            let expected = expected.map(|(ip, port)| (ip.parse::<IpAddr>().unwrap(), port));
            assert_eq!(address(text.as_bytes()), expected, "{text}");
        };
        check("10.0.0.1", Some(("10.0.0.1", None)));
        check("10.0.0.1:80", Some(("10.0.0.1", Some(80))));
        check("::1", Some(("::1", None)));
        check("[::1]", Some(("::1", None)));
        check("[::1]:8080", Some(("::1", Some(8080))));
        for text in [
            "",
            "a",
            "10.0.0.1:",
            "10.0.0.1:x",
            "10.0.0.1:0",
            "[::1",
            "[::1]x",
            "[10.0.0.1]:80",
            "10.0.0.1:70000",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn only_whom_one_trusts_is_believed() {
        let check = |fields: &[&str], is_recursive: bool, expected: &str| {
            let fields: Vec<&[u8]> = fields.iter().map(|field| field.as_bytes()).collect();
            let is_trusted = |ip: IpAddr| ip.to_string().starts_with("10.");
            let from = "10.0.0.1".parse().unwrap();
            let found = client(from, &fields, is_recursive, is_trusted);
            assert_eq!(found.to_string(), expected, "{fields:?}");
        };
        check(&[], true, "10.0.0.1");
        check(&["1.1.1.1, 2.2.2.2"], false, "2.2.2.2");
        check(&["1.1.1.1, 10.0.0.2"], false, "10.0.0.2");
        check(&["1.1.1.1, 10.0.0.2 , 10.0.0.3"], true, "1.1.1.1");
        check(&["1.1.1.1, 2.2.2.2,10.0.0.3"], true, "2.2.2.2");
        check(&["1.1.1.1", "10.0.0.2"], true, "1.1.1.1");
        check(&["10.0.0.4, x, 10.0.0.2"], true, "10.0.0.2");
        check(&["x"], true, "10.0.0.1");
        check(&["10.0.0.9"], true, "10.0.0.9");
        let none = client("9.9.9.9".parse().unwrap(), &[b"1.1.1.1"], true, |_| false);
        assert_eq!(none.to_string(), "9.9.9.9");
    }
}
