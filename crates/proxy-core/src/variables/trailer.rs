//! The fields that follow an answer's content.

use super::View;
use crate::config::model::{Handler, Shared};
use crate::response::neutralise_line_ends;

/// RFC 9110 §6.5.1: fields that frame a message, route it, let somebody in, or say what its content
/// is: they mean nothing behind it, or something that must not be.
const OF_HEADS: [&str; 24] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
];

impl View<'_> {
    /// nginx: `add_trailer`, and what `proxy_pass_trailers` lets pass: lines that follow the
    /// content; an empty value adds none.
    pub fn push_trailer(&self, out: &mut Vec<u8>) {
        let location = self.request.at.location(self.request.place);
        let hidden = match &location.handler {
            Handler::Proxy(pass) => pass.hidden.clone(),
            _ => Shared::default(),
        };
        let is_hidden = |name: &[u8]| {
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            OF_HEADS.iter().any(|known| is(known.as_bytes()))
                || hidden.iter().any(|known| is(known))
        };
        for (name, value) in self.upstream_trailer().filter(|(name, _)| !is_hidden(name)) {
            http1::push_field(out, name, value);
        }
        let is_good = self.response.is_good();
        let fields = location.client.bodies.trailers.iter();
        let fields = fields.filter(|_| self.response.packing.has_trailers);
        for field in fields.filter(|field| is_good || field.always) {
            let mut value = self.text(&field.value).into_owned();
            if !value.is_empty() {
                neutralise_line_ends(&mut value);
                http1::push_field(out, &field.name, &value);
            }
        }
    }

    /// The fields that an upstream has sent behind its content.
    pub(super) fn upstream_trailer(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.response.trailer.split(|byte| *byte == b'\n');
        lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((name, value.get(1..)?.trim_ascii()))
        })
    }
}
