//! What of an upstream's answer goes on, and in which words.
//!
//! nginx: `proxy_hide_header`, `proxy_pass_header`, `proxy_redirect`, `proxy_cookie_domain` and kin.

use std::net::IpAddr;

use crate::config::model::{Handler, ProxyPass, ProxyRedirect};
use crate::request::Request;
use crate::variables::{View, push_ip};

use super::{Context, Response, Source};

pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    let location = context.request.at.location(context.request.place);
    let Handler::Proxy(pass) = &location.handler else { return };
    if response.source != Source::Upstream {
        return;
    }
    if response.status == 426 {
        keep_upgrade(response);
    }
    response.suppress_named(&pass.hidden);
    keep_one_type(response);
    rewrite_redirects(response, pass, context);
    rewrite_cookies(response, pass, context);
}

/// nginx: of several types the last one holds, and an empty one is none.
fn keep_one_type(response: &mut Response) {
    const TYPE: &[u8] = b"content-type";
    let (mut count, mut last) = (0, &[][..]);
    for value in response.sent_named(TYPE) {
        (count, last) = (count + 1, value);
    }
    if count == 0 || count == 1 && !last.is_empty() {
        return;
    }
    let last = last.to_vec();
    response.suppress_named(&[TYPE]);
    if !last.is_empty() {
        response.push(b"Content-Type", &last);
    }
}

/// RFC 9110 §15.5.22: 426 tells by Upgrade which protocol is asked for.
fn keep_upgrade(response: &mut Response) {
    if let Some(protocols) = response.upstream_field(b"upgrade").map(<[u8]>::to_vec) {
        response.push(b"Upgrade", &protocols);
    }
}

fn rewrite_redirects(response: &mut Response, pass: &ProxyPass, context: &Context<'_>) {
    if pass.redirects.is_empty() || response.count("location") + response.count("refresh") == 0 {
        return;
    }
    let is_target = |name: &[u8]| {
        name.eq_ignore_ascii_case(b"location") || name.eq_ignore_ascii_case(b"refresh")
    };
    let view = View::of_response(context, response);
    let changed: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = response
        .sent()
        .filter(|(name, _)| is_target(name))
        .filter_map(|(name, value)| {
            let is_refresh = name.len() == 7;
            let new = if is_refresh {
                refresh(&view, pass, value)
            } else {
                moved(&view, &pass.redirects, value)
            }?;
            let new = if is_refresh { new } else { absolute(new, context.request) };
            Some((name.to_vec(), value.to_vec(), new))
        })
        .collect();
    for (name, old, new) in changed {
        response.suppress_where(|known, value| known == name && value == old);
        response.push(&name, &new);
    }
}

/// All cookies are written again where one changes, so that they keep their order.
fn rewrite_cookies(response: &mut Response, pass: &ProxyPass, context: &Context<'_>) {
    const COOKIE: &[u8] = b"set-cookie";
    let Some(changes) = &pass.changes else { return };
    let view = View::of_response(context, response);
    let new = |old: &[u8]| super::cookie::rewritten(&view, &changes.cookies, old);
    let cookies: Vec<(&[u8], Option<Vec<u8>>)> =
        response.sent_named(COOKIE).map(|old| (old, new(old))).collect();
    if cookies.iter().all(|(_, new)| new.is_none()) {
        return;
    }
    let cookies = cookies.into_iter().map(|(old, new)| new.unwrap_or_else(|| old.to_vec()));
    let cookies: Vec<Vec<u8>> = cookies.collect();
    response.suppress_named(&[COOKIE]);
    for cookie in cookies {
        response.push(b"Set-Cookie", &cookie);
    }
}

/// The first rule that is found holds.
pub(super) fn moved(view: &View<'_>, rules: &[ProxyRedirect], value: &[u8]) -> Option<Vec<u8>> {
    rules.iter().find_map(|redirect| match redirect {
        ProxyRedirect::Prefix { from, to } => {
            let rest = value.strip_prefix(&*view.text(from))?;
            Some([&view.text(to), rest].concat())
        }
        ProxyRedirect::Pattern { from, to } => {
            let is_found = view.request.values.borrow_mut().matches(from, value);
            is_found.then(|| view.text(to).into_owned())
        }
    })
}

/// nginx: what follows `url=` in `5; url=http://…`.
fn refresh(view: &View<'_>, pass: &ProxyPass, value: &[u8]) -> Option<Vec<u8>> {
    let at = value.windows(4).position(|window| window.eq_ignore_ascii_case(b"url="))? + 4;
    let (before, address) = value.split_at_checked(at)?;
    Some([before, &moved(view, &pass.redirects, address)?].concat())
}

/// RFC 3986 §3.2.2: an address of version 6 stands in brackets.
fn push_host(ip: IpAddr, url: &mut Vec<u8>) {
    let is_bracketed = ip.to_canonical().is_ipv6();
    url.extend_from_slice(if is_bracketed { b"[" } else { b"" });
    push_ip(ip, url);
    url.extend_from_slice(if is_bracketed { b"]" } else { b"" });
}

/// nginx: `absolute_redirect` and `port_in_redirect`: a path becomes an URL of this server.
pub fn absolute(value: Vec<u8>, request: &Request) -> Vec<u8> {
    let form = request.at.location(request.place).redirect;
    if !form.absolute || value.first() != Some(&b'/') {
        return value;
    }
    let mut url = b"http://".to_vec();
    let name = &request.at.server(request.place).name;
    if form.by_name && !name.is_empty() {
        url.extend_from_slice(name);
    } else if request.uri.is_host_told {
        url.extend_from_slice(&request.uri.host);
    } else {
        // nginx: not the server's name, but the address that is known to lead here.
        push_host(request.client.local.ip(), &mut url);
    }
    let port = request.client.local.port();
    if form.port && port != 80 {
        url.push(b':');
        http1::push_decimal(&mut url, u64::from(port));
    }
    url.extend_from_slice(&value);
    url
}
