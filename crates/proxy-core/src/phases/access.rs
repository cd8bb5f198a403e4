//! nginx's access and realip modules: who a client is, and whether it is let in.

use std::net::SocketAddr;

use super::guard::Word;
use crate::config::model::{Access, RealIp};
use crate::forwarded;
use crate::request::Request;

/// nginx: `limit_except`: the hidden location takes the place of the one that was found.
pub(super) fn limit_methods(request: &mut Request) {
    let access = &request.at.location(request.place).access;
    if let Some(limit) = &access.limit_except
        && !limit.methods.iter().any(|method| method == request.method())
    {
        request.place.location = Some(limit.location);
    }
}

/// nginx: `set_real_ip_from`: the client is who those say that are trusted. It is told once.
pub(super) fn tell_client(request: &mut Request, real_ip: &RealIp) {
    let is_trusted = |ip| real_ip.from.iter().any(|network| network.contains(ip));
    let peer = request.client.remote;
    if *real_ip.field == *RealIp::PROXY_PROTOCOL {
        let told = request.client.proxied.as_ref().filter(|_| is_trusted(peer.ip()));
        if let Some(source) = told.map(|told| told.ends.source) {
            request.course.peer = Some(peer);
            request.client.remote = source;
        }
        return;
    }
    let is_list = *real_ip.field == *b"x-forwarded-for";
    let fields = request.fields().filter(|(name, _, _)| name.eq_ignore_ascii_case(&real_ip.field));
    let told: Vec<&[u8]> = fields.map(|(_, value, _)| value).collect();
    let told = if is_list { told.as_slice() } else { told.get(..1).unwrap_or_default() };
    let found = forwarded::client_with_port(peer.ip(), told, real_ip.is_recursive, is_trusted);
    if let Some((ip, port)) = found {
        request.course.peer = Some(peer);
        // nginx: a port that nobody has told is none.
        request.client.remote = SocketAddr::new(ip, port.unwrap_or(0));
    }
}

/// nginx: `allow` and `deny`.
pub(super) fn word(request: &Request, access: &Access) -> Word {
    match access.lets_in(request.client.remote.ip()) {
        None => Word::Nothing,
        Some(true) => Word::Yes,
        Some(false) => Word::No(403),
    }
}
