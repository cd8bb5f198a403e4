//! What becomes of the content on its way: nginx's filters behind `add_header`, as far as the head
//! tells of them. The filters themselves are in `body`.

use http1::{BodyLength, BodyWriter, Version};

use crate::body::Step;
use crate::body::gunzip::Unpacker;
use crate::body::loans::Loans;
use crate::body::recode::Recoder;
use crate::body::substitute::Substitution;
use crate::canary::{Canary, is_planted};
use crate::config::model::{AddHeader, ErrorLevel, Proxied, Template};
use crate::request::Request;
use crate::variables::View;

use super::{Context, Response, charset, connection, framing};

/// Chooses the filters, and says in the head what they do.
pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    if context.is_tunnel {
        return;
    }
    add(response, context);
    substitute(response, context);
    recode(response, context);
    let has_vary = settings(context.request).files.packed.has_vary;
    let is_meant = response.is_gzip_meant(context.request);
    if has_vary && (is_meant || response.packing.varies) {
        push_vary(response);
    }
    if is_meant && takes_gzip(context.request, response, context.now.unix_ms / 1_000) {
        pack(response, context);
    }
    expect_trailers(response, context);
    if context.is_persistent && framing::ends_with_connection(response, context.request) {
        response.suppress_named(&[b"connection".as_slice(), b"keep-alive"]);
        connection::push_close(response);
    }
}

fn settings(request: &Request) -> &crate::config::model::Location {
    request.at.location(request.place)
}

/// nginx: it stands before those that others have written.
fn push_vary(response: &mut Response) {
    let others: Vec<Vec<u8>> = response.sent_named(b"vary").map(<[u8]>::to_vec).collect();
    response.suppress_named(&[b"vary"]);
    response.push(b"Vary", b"Accept-Encoding");
    others.iter().for_each(|other| response.push(b"Vary", other));
}

/// nginx: what is packed has no length that is known, no parts, and another tag than what is not.
fn pack(response: &mut Response, context: &Context<'_>) {
    let length = response.told_length();
    if !context.request.is_head() {
        let pool = &context.request.at.generation().packers;
        let level = settings(context.request).client.bodies.gzip.level;
        let Some(packer) = pool.lend(level, length) else {
            response.packing.is_left_unpacked = true;
            return note_left(context, &pool.loans, "compressed", "compress");
        };
        response.packing.chain.get_or_insert_default().push(Step::Pack(packer));
    }
    response.push(b"Content-Encoding", b"gzip");
    weaken_tag(response);
    response.suppress_named(&[b"accept-ranges"]);
    lose_length(response, context);
}

/// nginx: `gunzip`: what is packed, for a client that does not take it so. It comes first of all:
/// what has another charset is not converted as long as it is packed.
pub(super) fn unpack(response: &mut Response, context: &Context<'_>) {
    if context.is_tunnel || !response.is_unpacking_meant(context.request) {
        return;
    }
    response.packing.varies = true;
    if takes_gzip(context.request, response, context.now.unix_ms / 1_000) {
        return;
    }
    if !context.request.is_head() {
        let generation = context.request.at.generation();
        let Some(loan) = generation.unpackers.take() else {
            return note_left(context, &generation.unpackers, "unpacked", "unpack");
        };
        response.packing.chain.get_or_insert_default().push(Step::Unpack(Unpacker::new(loan)));
    }
    response.suppress_named(&[b"content-encoding".as_slice(), b"accept-ranges"]);
    weaken_tag(response);
    lose_length(response, context);
}

/// There is no room for one more.
fn note_left(context: &Context<'_>, loans: &Loans, done: &str, to_do: &str) {
    if !loans.is_told() {
        let line = format!(
            "as many answers are {done} as a worker may {to_do} at a time: this one goes out as it \
             is, and so do others; it is told once"
        );
        context.request.values.borrow_mut().note(ErrorLevel::Warn, line);
    }
}

/// The content has no length that is known.
fn lose_length(response: &mut Response, context: &Context<'_>) {
    response.suppress_named(&[b"transfer-encoding"]);
    if !is_planted(Canary::LengthKept) {
        response.suppress_named(&[b"content-length"]);
    }
    response.length = BodyLength::Chunked;
    framing::filter(response, context);
}

/// nginx: `addition`. What passes filters goes by way of memory: of what is added to all does, and
/// of what is added.
fn add(response: &mut Response, context: &Context<'_>) {
    if context.request.course.is_part() {
        response.packing.chain.get_or_insert_default();
    }
    if !response.is_addition_meant(context.request) {
        return;
    }
    if !context.request.is_head() {
        response.packing.chain.get_or_insert_default();
        response.packing.is_added_to = true;
    }
    response.suppress_named(&[b"accept-ranges"]);
    weaken_tag(response);
    lose_length(response, context);
}

/// nginx: `sub_filter`. What was packed before is looked through as it is.
fn substitute(response: &mut Response, context: &Context<'_>) {
    if !response.is_substitution_meant(context.request) {
        return;
    }
    let substitutes = &settings(context.request).client.bodies.substitutes;
    let view = View::of_response(context, response);
    let pair = |(find, put): &(Template, Template)| {
        (view.text(find).to_ascii_lowercase(), view.text(put).into_owned())
    };
    // nginx: a variable may be empty, and then nothing is looked for.
    let pairs = substitutes.pairs.iter().map(pair).filter(|(find, _)| !find.is_empty());
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        return;
    }
    if !context.request.is_head() {
        let step = Step::Substitute(Substitution::new(pairs, substitutes.is_once));
        response.packing.chain.get_or_insert_default().push(step);
    }
    if substitutes.keeps_modified {
        weaken_tag(response);
    } else {
        response.suppress_named(&[b"last-modified".as_slice(), b"etag"]);
    }
    lose_length(response, context);
}

/// nginx: `charset_map`. Single bytes stay as many as they are.
fn recode(response: &mut Response, context: &Context<'_>) {
    let Some(table) = response.packing.table.take() else { return };
    if table.changes_length() {
        lose_length(response, context);
    }
    if !context.request.is_head() {
        response.packing.chain.get_or_insert_default().push(Step::Recode(Recoder::new(table)));
    }
}

/// nginx: `add_trailer`: only chunks can be followed by something.
fn expect_trailers(response: &mut Response, context: &Context<'_>) {
    let trailers = &settings(context.request).client.bodies.trailers;
    let is_good = super::is_good(response.status);
    let is_sent = |field: &AddHeader| is_good || field.always;
    if !trailers.iter().any(is_sent) || context.request.head.version == Version::Http10 {
        return;
    }
    match framing::writer(response, context.request) {
        BodyWriter::Exact if !settings(context.request).client.bodies.is_never_chunked => {
            response.packing.chain.get_or_insert_default();
            lose_length(response, context);
            response.packing.has_trailers = true;
        }
        BodyWriter::Chunked => response.packing.has_trailers = true,
        _ => {}
    }
}

/// RFC 9110 §8.8.1: the same content in other bytes. nginx: what is no tag is none.
fn weaken_tag(response: &mut Response) {
    let Some(tag) = response.sent_value(b"etag") else { return };
    if tag.starts_with(b"W/") && tag.len() > 2 {
        return;
    }
    let weak = tag.starts_with(b"\"").then(|| [b"W/", tag].concat());
    response.suppress_named(&[b"etag"]);
    if let Some(weak) = weak {
        response.push(b"ETag", &weak);
    }
}

/// The type, as nginx compares it: without what an upstream says of the charset.
fn bare_type(response: &Response) -> &[u8] {
    let whole = response.sent_value(b"content-type").unwrap_or_default();
    let bare = whole.len().saturating_sub(response.packing.charset_bytes);
    charset::split(whole.get(..bare).unwrap_or_default(), response.source).0
}

impl Response {
    /// The length that the head tells, also where no content follows.
    pub fn told_length(&self) -> Option<u64> {
        match self.length {
            BodyLength::Exact(bytes) => Some(bytes),
            BodyLength::None => {
                let told = self.sent_value(b"content-length")?;
                std::str::from_utf8(told).ok()?.parse().ok()
            }
            BodyLength::Chunked | BodyLength::UntilClose => None,
        }
    }

    /// Whether texts of its content are replaced.
    fn is_substitution_meant(&self, request: &Request) -> bool {
        let substitutes = &settings(request).client.bodies.substitutes;
        !substitutes.pairs.is_empty()
            && self.told_length() != Some(0)
            && substitutes.types.has(bare_type(self))
    }

    /// Whether others' contents stand around its own.
    fn is_addition_meant(&self, request: &Request) -> bool {
        let added = &settings(request).client.bodies.added;
        !(added.before.is_empty() && added.after.is_empty())
            && self.status == 200
            && !request.course.is_sub()
            && added.types.has(bare_type(self))
    }

    /// Whether its content is not what is told of it: no parts of it can be sent.
    pub fn is_changed(&self, context: &Context<'_>) -> bool {
        let (request, now_s) = (context.request, context.now.unix_ms / 1_000);
        let is_packed = || self.is_gzip_meant(request) && takes_gzip(request, self, now_s);
        let is_unpacked = || self.is_unpacking_meant(request) && !takes_gzip(request, self, now_s);
        self.is_addition_meant(request)
            || self.is_substitution_meant(request)
            || is_packed()
            || is_unpacked()
            || charset::changes_length(self, context)
    }

    /// nginx: whether an answer like this one is unpacked for those who do not take it packed.
    fn is_unpacking_meant(&self, request: &Request) -> bool {
        let told = self.sent_value(b"content-encoding");
        settings(request).client.bodies.unpacks
            && told.is_some_and(|coding| coding.eq_ignore_ascii_case(b"gzip"))
    }

    /// nginx: whether an answer like this one is packed for those who take it. What depends on the
    /// client is not looked at.
    pub fn is_gzip_meant(&self, request: &Request) -> bool {
        let gzip = &settings(request).client.bodies.gzip;
        gzip.is_on
            && matches!(self.status, 200 | 403 | 404)
            && self.sent_value(b"content-encoding").is_none_or(<[u8]>::is_empty)
            && self.told_length().is_none_or(|bytes| bytes >= gzip.bytes_min)
            && gzip.types.has(bare_type(self))
    }
}

/// nginx: `ngx_http_gzip_ok`: whether the client gets packed content, as far as the answer is
/// known; not a subrequest.
pub fn takes_gzip(request: &Request, response: &Response, now_s: u64) -> bool {
    let field = |name: &str| http1::find(&request.head.fields, &request.bytes, name);
    let clients = &settings(request).client.bodies.gzip.clients;
    let is_asked = field("accept-encoding").is_some_and(accepts_gzip);
    if !is_asked
        || request.course.is_sub()
        || request.head.version == Version::Http10 && !clients.takes_http10
    {
        return false;
    }
    let agent = field("user-agent").unwrap_or_default();
    if clients.disables_msie6 && is_msie6(agent) {
        return false;
    }
    let is_let = field("via").is_none() || {
        let has_credentials = field("authorization").is_some();
        may_be_proxied(clients.proxied, has_credentials, response, now_s)
    };
    is_let && !clients.disabled.iter().any(|name| !agent.is_empty() && name.is_match(agent))
}

/// nginx: `gzip_proxied`, in its order: the first thing that the answer says decides.
fn may_be_proxied(
    proxied: Proxied,
    has_credentials: bool,
    response: &Response,
    now_s: u64,
) -> bool {
    if proxied.has(Proxied::OFF) {
        return false;
    }
    if proxied.has(Proxied::ANY) || has_credentials && proxied.has(Proxied::AUTH) {
        return true;
    }
    if let Some(expires) = response.sent_value(b"expires") {
        let date = match response.sent_value(b"date") {
            Some(date) => http1::parse_date(date),
            None => i64::try_from(now_s).ok(),
        };
        let is_over = http1::parse_date(expires).zip(date).is_some_and(|(end, date)| end < date);
        return proxied.has(Proxied::EXPIRED) && is_over;
    }
    if response.sent_value(b"cache-control").is_some() {
        let words = [
            (Proxied::NO_CACHE, b"no-cache".as_slice()),
            (Proxied::NO_STORE, b"no-store"),
            (Proxied::PRIVATE, b"private"),
        ];
        let is_said = |word: &[u8]| {
            let mut all = response.sent_named(b"cache-control");
            all.any(|value| {
                let parts = value.split(|byte| matches!(byte, b',' | b';'));
                parts.map(<[u8]>::trim_ascii).any(|part| part.eq_ignore_ascii_case(word))
            })
        };
        return words.iter().any(|(bit, word)| proxied.has(*bit) && is_said(word));
    }
    let is_against =
        |bit: Proxied, name: &[u8]| proxied.has(bit) && response.sent_value(name).is_some();
    !is_against(Proxied::NO_LAST_MODIFIED, b"last-modified")
        && !is_against(Proxied::NO_ETAG, b"etag")
}

/// nginx: `MSIE 4`, `5`, and `6` without its second service pack.
fn is_msie6(agent: &[u8]) -> bool {
    let Some(at) = agent.windows(5).position(|part| part == b"MSIE ") else { return false };
    let rest = agent.get(at + 5..).unwrap_or_default();
    match rest {
        [b'4' | b'5', b'.', _, ..] => true,
        [b'6', b'.', _, rest @ ..] => !rest.windows(3).any(|part| part == b"SV1"),
        _ => false,
    }
}

/// nginx: `ngx_http_gzip_accept_encoding`: it is named, or `*` is, and not with a weight of 0.
fn accepts_gzip(field: &[u8]) -> bool {
    if field.len() < 4 {
        return false;
    }
    let mut all = None;
    for coding in field.split(|byte| *byte == b',') {
        let mut parts = coding.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_at_checked(2)?;
            name.eq_ignore_ascii_case(b"q=").then_some(value)
        });
        let is_wanted = weight.is_none_or(|weight| weight.iter().any(|b| matches!(b, b'1'..=b'9')));
        if name.eq_ignore_ascii_case(b"gzip") {
            return is_wanted;
        }
        if name == b"*" {
            all.get_or_insert(is_wanted);
        }
    }
    all.unwrap_or(false)
}

#[cfg(test)]
mod tests;
