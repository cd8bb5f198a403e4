//! `proxy_pass`: its URL taken apart.
//!
//! Owns: what the URL names, and its messages. Looks no name up.

use nginx_conf::Directive;

use super::Lower;
use super::proxy::ProxyScope;
use super::upstream::UNIX_PORT;
use crate::config::address::{HostPort, host_port};
use crate::config::model::{PassUrl, ProxyPass, Scheme};
use crate::upstream::address::unix_host;

impl Lower<'_> {
    /// nginx: `proxy_pass URL` with what belongs to it. `path` is the location's, if it has one that
    /// an URI can take the place of.
    pub(super) fn proxy_pass(
        &mut self,
        directive: &Directive,
        scope: &ProxyScope,
        path: Option<&str>,
    ) -> Option<ProxyPass> {
        let url = directive.arg(0)?;
        let span = directive.arg_span(0);
        let Url { host, port, uri } = match parse_url(url) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.error(span, message);
                return None;
            }
        };
        if uri.is_some() && path.is_none() {
            self.error(span, NO_URI);
            return None;
        }
        let upstream = self.upstream_of(host, port, span);
        let (host_text, port_text) = match port {
            // nginx: a path is no host.
            Some(UNIX_PORT) => ("localhost".to_owned(), String::new()),
            Some(port) if port != 80 => (format!("{host}:{port}"), port.to_string()),
            _ => (host.to_owned(), "80".to_owned()),
        };
        let redirects = scope.redirects(url, uri.is_some(), path.unwrap_or_default());
        let url = PassUrl {
            host: host_text.into(),
            port: port_text.into(),
            uri: uri.map(Into::into),
            scheme: Scheme::Http,
        };
        Some(scope.pass(upstream, url, redirects))
    }
}

/// nginx's message.
const NO_URI: &str = "\"proxy_pass\" cannot have URI part in location given by regular expression, \
                      or inside named location, or inside \"if\" statement, or inside \
                      \"limit_except\" block";

/// The parts of a `proxy_pass` URL.
#[derive(Debug, PartialEq, Eq)]
struct Url<'a> {
    host: &'a str,
    port: Option<u16>,
    /// From the first slash after the host, or the colon after a path, if there is one.
    uri: Option<&'a str>,
}

fn parse_url(url: &str) -> Result<Url<'_>, String> {
    const SCHEME: &str = "http://";
    if url.contains('$') {
        let told = "variables in \"proxy_pass\" are not supported yet; a name written there is \
                    looked up again by itself when a connection fails";
        return Err(told.to_owned());
    }
    let starts = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if starts("https://") {
        return Err("\"https://\" in \"proxy_pass\" is not supported yet".to_owned());
    }
    if !starts(SCHEME) {
        return Err(format!("invalid URL prefix in \"{url}\"; expected \"http://\""));
    }
    let rest = &url[SCHEME.len()..];
    let (authority, uri) = match (rest.strip_prefix("unix:"), rest.find('/')) {
        // nginx: a path ends with the next colon.
        (Some(path), _) => {
            let end = path.find(':').map_or(rest.len(), |colon| rest.len() - path.len() + colon);
            (&rest[..end], rest.get(end + 1..).filter(|uri| !uri.is_empty()))
        }
        (None, Some(slash)) => (&rest[..slash], Some(&rest[slash..])),
        (None, None) => (rest, None),
    };
    if uri.is_some_and(|uri| uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f)) {
        return Err("space or control character in the URI of \"proxy_pass\"".to_owned());
    }
    let at = match unix_host(authority) {
        Some(host) => host.map(|host| HostPort { host, port: Some(UNIX_PORT) }),
        None => host_port(authority),
    };
    let HostPort { host, port } =
        at.map_err(|problem| format!("{problem} in upstream \"{authority}\""))?;
    Ok(Url { host, port, uri })
}
