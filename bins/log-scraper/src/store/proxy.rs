//! The proxy on the way to a store, if there is one: what the flag names, or the environment.
//!
//! Owns the environment's rules, which are curl's: by the scheme of the store's address, small letters
//! before capitals, and whom NO_PROXY exempts. Requests go through it by CONNECT. What it is called may
//! have a password in it, so that no message repeats it.

use std::net::IpAddr;

use sidecar::cli;
use ureq::Proxy;
use ureq::http::Uri;

/// The word for what the environment names.
const ENVIRONMENT: &str = "environment";
/// What is asked where the scheme's own names say nothing.
const ANY: [&str; 2] = ["all_proxy", "ALL_PROXY"];

/// The proxy for the store at `url`.
///
/// # Errors
/// What the flag or the environment names is none.
pub(crate) fn proxy(flag: Option<&str>, url: &Uri) -> Result<Option<Proxy>, String> {
    match flag {
        None => Ok(None),
        Some(ENVIRONMENT) => of_environment(url, |name| std::env::var(name).ok()),
        Some(text) => match parse(text) {
            Some(proxy) => Ok(Some(proxy)),
            None => Err(format!("--http-proxy is no http://HOST:PORT, nor {ENVIRONMENT}")),
        },
    }
}

fn of_environment(
    url: &Uri,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, String> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let own = match url.scheme_str() {
        Some("https") => ["https_proxy", "HTTPS_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY"],
    };
    let mut names = own.into_iter().chain(ANY);
    let Some((name, text)) = names.find_map(|name| Some((name, variable(name)?))) else {
        return Ok(None);
    };
    let exempt = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable).unwrap_or_default();
    if is_exempt(&exempt, url.host().unwrap_or_default()) {
        return Ok(None);
    }
    match parse(&text) {
        Some(proxy) => Ok(Some(proxy)),
        None => Err(format!("--http-proxy {ENVIRONMENT}: {name} is no http://HOST:PORT")),
    }
}

/// `http://[USER[:PASSWORD]@]HOST[:PORT]`, the scheme left out or not.
fn parse(text: &str) -> Option<Proxy> {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) => Some(rest).filter(|_| scheme.eq_ignore_ascii_case("http"))?,
        None => text,
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '?', '#']) || cli::check_authority(authority).is_err() {
        return None;
    }
    Proxy::new(&format!("http://{authority}")).ok()
}

/// Whether a list of names, addresses and networks has a host: each name stands for those beneath it.
fn is_exempt(list: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    let mut entries = list.split([',', ' ']).filter(|entry| !entry.is_empty());
    entries.any(|entry| {
        let entry = entry.to_ascii_lowercase();
        match (address, entry.split_once('/')) {
            _ if entry == "*" => true,
            (Some(address), Some((network, bits))) => is_within(address, network, bits),
            (Some(address), None) => entry.trim_matches(['[', ']']).parse() == Ok(address),
            (None, _) => {
                let name = entry.trim_start_matches('*').trim_start_matches('.');
                let before = host.strip_suffix(name);
                before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
            }
        }
    })
}

/// Whether an address begins with the same bits as a network (RFC 4632).
fn is_within(address: IpAddr, network: &str, bits: &str) -> bool {
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    let (Ok(network), Ok(bits)) = (network.parse().map(bytes), bits.parse::<usize>()) else {
        return false;
    };
    let address = bytes(address);
    let differs = |at: &usize| (address[at / 8] ^ network[at / 8]) << (at % 8) & 0x80 != 0;
    address.len() == network.len() && bits <= 8 * address.len() && !(0..bits).any(|at| differs(&at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_http_proxy_is_one() {
        let check = |text: &str, expected: Option<(&str, u16)>| {
            let seen = parse(text);
            let seen = seen.as_ref().map(|proxy| (proxy.host(), proxy.port()));
            assert_eq!(seen, expected, "{text}");
        };
        check("http://p:3128", Some(("p", 3128)));
        check("HTTP://user:a%20b@p:3128/", Some(("p", 3128)));
        check("p:3128", Some(("p", 3128)));
        check("http://p", Some(("p", 80)));
        check("http://[::1]:65535", Some(("[::1]", 65535)));
        for wrong in [
            "",
            "http://",
            "http://:80",
            "http://p:65536",
            "http://p:0",
            "http://p:x",
            "a b",
            "http://p/path",
            "https://p",
            "socks5://p:1080",
            "socks4://p",
            "ftp://p",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_environment_is_asked_by_the_scheme_of_the_address() {
        let check =
            |url: &str, variables: &[(&str, &str)], expected: Result<Option<&str>, &str>| {
                let variable = |name: &str| {
                    let found = variables.iter().find(|(known, _)| *known == name);
                    found.map(|(_, value)| (*value).to_owned())
                };
                let seen = of_environment(&url.parse().unwrap(), variable);
                match (&seen, expected) {
                    (Ok(proxy), Ok(host)) => assert_eq!(proxy.as_ref().map(Proxy::host), host),
                    (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
                    _ => panic!("{url} {variables:?}: {seen:?}"),
                }
            };
        let all = [("HTTP_PROXY", "a:1"), ("HTTPS_PROXY", "b:1"), ("ALL_PROXY", "c:1")];
        check("http://x", &all, Ok(Some("a")));
        check("https://x", &all, Ok(Some("b")));
        check("https://x", &all[2..], Ok(Some("c")));
        check("https://x", &[("HTTPS_PROXY", ""), all[2]], Ok(Some("c")));
        check("https://x", &all[..1], Ok(None));
        check("http://x", &[all[0], ("http_proxy", "d:1")], Ok(Some("d")));
        check("http://x", &[], Ok(None));
        check("http://x", &[("HTTP_PROXY", "socks5://s:1")], Err("HTTP_PROXY is no http://"));
        check("http://x", &[("ALL_PROXY", "http://u:secret@s:99999")], Err("ALL_PROXY is no"));
        check("http://x.y", &[all[0], ("NO_PROXY", "localhost, .y")], Ok(None));
        check("http://x", &[("HTTP_PROXY", "socks5://s:1"), ("no_proxy", "x")], Ok(None));
    }

    #[test]
    fn whom_a_list_exempts() {
        let check = |list: &str, host: &str, expected: bool| {
            assert_eq!(is_exempt(list, host), expected, "{list} {host}");
        };
        check("", "a", false);
        check("*", "a", true);
        check("a.b", "a.b", true);
        check("a.b", "x.A.b", true);
        check("a.b", "xa.b", false);
        check(".b,c", "a.b", true);
        check("*.b", "a.b", true);
        check("x, .svc,.cluster.local", "loki.logs.svc", true);
        check("10.0.0.0/8", "10.1.2.3", true);
        check("10.0.0.0/8", "11.1.2.3", false);
        check("10.128.0.0/9", "10.127.0.1", false);
        check("10.0.0.0/8", "ten.example", false);
        check("10.0.0.0/33,10.0.0.0/x,::/0", "10.1.2.3", false);
        check("10.1.2.3", "10.1.2.3", true);
        check("2.3", "10.1.2.3", false);
        check("fd00::/8", "[fd00::1]", true);
        check("[::1]", "[::1]", true);
        check("0.0.0.0/0", "1.2.3.4", true);
    }
}
