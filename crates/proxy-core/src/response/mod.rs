//! The one answer that a client gets, as a value, and the filters that it passes.
//!
//! Whoever makes an answer (an upstream, the proxy itself) makes this value; the filters change it
//! in nginx's order; then it is written. What is written is what `$sent_http_…`, the log and
//! `add_header` see.

mod add_header;
mod charset;
mod connection;
mod cookie;
mod expires;
mod framing;
mod identity;
mod packing;
mod rewrite;

use std::sync::Arc;

use http1::{BodyLength, BodyWriter, Field, FieldClass, ResponseHead, Span, Version};

use crate::body::Chain;
use crate::body::recode::Table;
use crate::clock::Moment;
use crate::request::Request;
use crate::upstream::call::Attempts;
pub use crate::upstream::h1::neutralise_line_ends;

/// Who made the status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// The upstream.
    Upstream,
    /// This proxy.
    #[default]
    Proxy,
}

/// One answer. The vectors keep their room from answer to answer.
#[derive(Debug, Default)]
pub struct Response {
    /// The status; 0 while there is no answer.
    pub status: u16,
    /// Who made it.
    pub source: Source,
    /// How long its content is.
    pub length: BodyLength,
    /// The content of an answer that was made here.
    pub body: Vec<u8>,
    /// Its type, if it has one.
    pub body_type: Vec<u8>,
    /// What the names and values are spans of.
    bytes: Vec<u8>,
    reason: Span,
    /// Those of class `Hop` are not sent.
    fields: Vec<Field>,
    /// So many of the fields came from the upstream, the first ones.
    upstream_fields: usize,
    /// What becomes of its content on its way.
    pub packing: Packing,
    /// Lines that an upstream has sent behind its content, where they go on.
    pub trailer: Vec<u8>,
}

/// What becomes of an answer's content on its way.
#[derive(Debug, Default)]
pub struct Packing {
    /// What it passes; none where it goes out as it is.
    pub chain: Option<Box<Chain>>,
    /// nginx: `gzip_vary`: it has depended on the client whether it is packed.
    pub varies: bool,
    /// It would be packed, and too many are packed already.
    pub is_left_unpacked: bool,
    /// So many bytes of its type say its charset.
    pub charset_bytes: usize,
    /// nginx: `charset_map`: what makes its content that of the charset that is told.
    pub table: Option<Arc<Table>>,
    /// nginx: `addition`: others' contents stand around its own.
    pub is_added_to: bool,
    /// nginx: `add_trailer`: fields may follow its content.
    pub has_trailers: bool,
}

impl Response {
    /// Forgets the last answer.
    pub fn clear(&mut self) {
        self.status = 0;
        self.source = Source::Proxy;
        self.length = BodyLength::None;
        self.body.clear();
        self.body_type.clear();
        self.bytes.clear();
        self.reason = Span::default();
        self.fields.clear();
        self.upstream_fields = 0;
        self.packing = Packing::default();
        self.trailer.clear();
    }

    /// An answer that is made here.
    pub fn begin_own(&mut self, status: u16) {
        // What an upstream said before, if it has failed, is no part of this answer but stays
        // readable as `$upstream_http_…`.
        debug_assert!((100..1_000).contains(&status), "{status} is no status");
        self.suppress_where(|_, _| true);
        debug_assert!(self.upstream_fields <= self.fields.len());
        self.fields.truncate(self.upstream_fields);
        self.body.clear();
        self.packing = Packing::default();
        self.trailer.clear();
        self.status = status;
        self.source = Source::Proxy;
        self.reason = Span::default();
        self.length = BodyLength::None;
    }

    /// An answer that an upstream has made: `head` was parsed from `bytes`.
    pub fn begin_upstream(&mut self, head: &mut ResponseHead, bytes: &[u8]) {
        self.clear();
        self.status = head.status;
        self.source = Source::Upstream;
        self.length = head.body;
        self.bytes.extend_from_slice(bytes);
        self.reason = head.reason;
        std::mem::swap(&mut self.fields, &mut head.fields);
        self.upstream_fields = self.fields.len();
    }

    /// Gives an upstream's answer another status. nginx: where it is an error's page.
    pub fn restate(&mut self, status: u16) {
        debug_assert!((100..1_000).contains(&status), "{status} is no status");
        if status == self.status {
            return;
        }
        // RFC 9110 §8.6: no length with 204. nginx: what has none and becomes what has one ends
        // when it ends.
        self.length = match (self.status, status) {
            (_, 204) => BodyLength::None,
            (204 | 304, _) => BodyLength::Chunked,
            _ => self.length,
        };
        self.status = status;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(http1::reason(status).as_bytes());
        self.reason = Span {
            start: u32::try_from(start).unwrap_or(0),
            len: u32::try_from(self.bytes.len() - start).unwrap_or(0),
        };
    }

    /// The value of the first field of that name that is sent.
    pub fn sent_value(&self, name: &[u8]) -> Option<&[u8]> {
        self.sent_named(name).next()
    }

    /// Adds a field. Bytes of its value that would end its line become spaces: values are made of
    /// decoded parts too (`$uri`, `$arg_x`).
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        self.push_own(name, |out| {
            let start = out.len();
            out.extend_from_slice(value);
            neutralise_line_ends(out.get_mut(start..).unwrap_or_default());
        });
    }

    /// Adds a field whose value is the proxy's own words, written by `write`.
    pub fn push_own(&mut self, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(!name.is_empty() && !name.contains(&b':'), "a field has a name");
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        write(&mut self.bytes);
        let span = |start: usize, end: usize| Span {
            start: u32::try_from(start).unwrap_or(0),
            len: u32::try_from(end - start).unwrap_or(0),
        };
        let value_start = start + name.len();
        let field = Field {
            name: span(start, value_start),
            value: span(value_start, self.bytes.len()),
            class: FieldClass::EndToEnd,
        };
        let is_line_end = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n');
        debug_assert!(!field.value.of(&self.bytes).iter().any(is_line_end), "a value is one line");
        self.fields.push(field);
    }

    /// The fields that are sent.
    pub fn sent(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let sent = self.fields.iter().filter(|field| field.class != FieldClass::Hop);
        sent.map(|field| (field.name.of(&self.bytes), field.value.of(&self.bytes)))
    }

    /// The fields that the upstream sent, whether they go on or not.
    pub fn from_upstream(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fields = self.fields.iter().take(self.upstream_fields);
        fields.map(|field| (field.name.of(&self.bytes), field.value.of(&self.bytes)))
    }

    /// The values of the fields of that name that are sent.
    fn sent_named(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        let is_sent = |field: &&Field| field.class != FieldClass::Hop;
        let named = self.fields.iter().filter(|field| field.is_named(name, &self.bytes));
        named.filter(is_sent).map(|field| field.value.of(&self.bytes))
    }

    /// The first field of that name that the upstream sent.
    pub fn upstream_field(&self, name: &[u8]) -> Option<&[u8]> {
        let mut fields = self.fields.iter().take(self.upstream_fields);
        let field = fields.find(|field| field.is_named(name, &self.bytes))?;
        Some(field.value.of(&self.bytes))
    }

    /// Adds what the request has met that does not let it in.
    pub fn push_challenges(&mut self, request: &Request) {
        for challenge in &request.values.borrow().challenges {
            self.push(b"WWW-Authenticate", challenge);
        }
    }

    /// What it asks of a client that is not let in.
    pub fn challenges(&self) -> impl Iterator<Item = &[u8]> {
        self.sent_named(b"www-authenticate")
    }

    /// Fields that the condition holds for are not sent.
    fn suppress_where(&mut self, condition: impl Fn(&[u8], &[u8]) -> bool) {
        let bytes = &self.bytes;
        for field in &mut self.fields {
            if field.class != FieldClass::Hop
                && condition(field.name.of(bytes), field.value.of(bytes))
            {
                field.class = FieldClass::Hop;
            }
        }
    }

    /// Fields of these names are not sent.
    fn suppress_named(&mut self, names: &[impl AsRef<[u8]>]) {
        // Most fields have not the length of any of them.
        let length_bit = |len: usize| 1_u64 << len.min(63);
        let lengths = names.iter().fold(0, |bits, name| bits | length_bit(name.as_ref().len()));
        for field in &mut self.fields {
            if lengths & length_bit(field.name.len as usize) != 0
                && names.iter().any(|name| field.is_named(name.as_ref(), &self.bytes))
            {
                field.class = FieldClass::Hop;
            }
        }
    }

    /// A field is not sent after all.
    pub fn unsay(&mut self, name: &[u8]) {
        self.suppress_named(&[name]);
    }

    /// How many fields of that name are sent.
    fn count(&self, name: &str) -> usize {
        self.sent_named(name.as_bytes()).count()
    }

    /// The largest of its buffers, in bytes.
    #[cfg(test)]
    pub(crate) fn held_bytes_max(&self) -> usize {
        let fields = self.fields.capacity() * size_of::<Field>();
        fields.max(self.bytes.capacity()).max(self.body.capacity())
    }

    /// Gives large buffers back.
    pub fn shrink(&mut self, kept_bytes_max: usize) {
        for buffer in [&mut self.body, &mut self.bytes] {
            if buffer.capacity() > kept_bytes_max {
                *buffer = Vec::new();
            }
        }
        if self.fields.capacity() > kept_bytes_max / size_of::<Field>() {
            self.fields = Vec::new();
        }
        self.upstream_fields = self.upstream_fields.min(self.fields.len());
    }

    /// Appends the head as it goes to the client.
    pub fn push_head(&self, out: &mut Vec<u8>) {
        let reason = match self.source {
            Source::Upstream => self.reason.of(&self.bytes),
            Source::Proxy => http1::reason(self.status).as_bytes(),
        };
        debug_assert!((100..1_000).contains(&self.status), "an answer has its status");
        http1::push_status_line(out, Version::Http11, self.status, reason);
        for (name, value) in self.sent() {
            http1::push_field(out, name, value);
        }
        http1::push_end(out);
    }
}

impl Response {
    /// nginx: whether fields are added to it that are not for all answers.
    pub fn is_good(&self) -> bool {
        is_good(self.status)
    }
}

/// nginx: statuses of answers that fields are added to.
fn is_good(status: u16) -> bool {
    matches!(status, 200 | 201 | 204 | 206 | 301..=304 | 307 | 308)
}

/// What filters know of the exchange.
pub struct Context<'e> {
    /// The request.
    pub request: &'e Request,
    /// How the upstreams did.
    pub attempts: &'e Attempts,
    /// Whether the client's connection goes on after this answer.
    pub is_persistent: bool,
    /// Whether the connection leaves HTTP with this answer.
    pub is_tunnel: bool,
    /// The time.
    pub now: Moment,
}

/// A header filter.
type Filter = fn(&mut Response, &Context<'_>);

/// What the upstream's answer becomes, what this proxy says of itself, of the content and of the
/// connection, what the file adds, which may speak of all that (`$sent_http_…`), and what the
/// content becomes.
const FILTERS: [Filter; 9] = [
    rewrite::filter,
    identity::filter,
    framing::filter,
    connection::filter,
    expires::filter,
    add_header::filter,
    packing::unpack,
    charset::filter,
    packing::filter,
];

impl Response {
    /// Passes the filters; then the head is as it goes out. How its content is written follows.
    pub fn filter(&mut self, context: &Context<'_>) -> BodyWriter {
        for filter in FILTERS {
            filter(self, context);
        }
        framing::writer(self, context.request)
    }
}

pub use identity::push_product;
pub use packing::takes_gzip;
pub use rewrite::absolute;

#[cfg(test)]
mod tests;
