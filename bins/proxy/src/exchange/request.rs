//! From the request's head to a decision, and to the head that the upstream gets.
//!
//! Every head towards the upstream is written anew from what was parsed; bytes of the client's
//! head are never copied as they stand (RFC 9110 §7.6.1, RFC 9112 §2.2).

use http1::target::{self, Target};
use http1::{BodyLength, BodyReader, BodyWriter, Reject, RequestHead, Span, Version};

use super::answer::Answer;
use super::clock::Moment;
use super::{ClientInfo, Exchange, Fault, Out, Phase, Snapshot};
use proxy_core::config::model::{Handler, ProxyPass};

impl Exchange {
    /// The place a head is parsed into before `begin`.
    pub fn head_mut(&mut self) -> &mut RequestHead {
        &mut self.head
    }

    /// Begins with a head that was parsed from `head_bytes` into [`Exchange::head_mut`].
    /// `listen` is the index of the listening address that the client came by.
    pub fn begin(
        &mut self,
        config: Snapshot,
        listen: usize,
        client: ClientInfo,
        head_bytes: &[u8],
        now: Moment,
        out: &mut Out,
    ) {
        self.reset(config, client, now);
        self.head_bytes.extend_from_slice(head_bytes);
        self.place.server = self.config.listens[listen].default_server;
        match self.route(listen) {
            Ok(()) => self.start(now, out),
            Err(reject) => self.refuse(reject, now, out),
        }
    }

    /// Answers a head that broke HTTP; `head_bytes` is what came of it.
    pub fn reject(
        &mut self,
        config: Snapshot,
        listen: usize,
        client: ClientInfo,
        (head_bytes, reject): (&[u8], Reject),
        now: Moment,
        out: &mut Out,
    ) {
        self.reset(config, client, now);
        self.begin_without_head(listen, head_bytes);
        self.refuse(reject, now, out);
    }

    /// The client was too slow with its head: nginx answers 408 only where something came.
    pub fn head_timed_out(
        &mut self,
        config: Snapshot,
        listen: usize,
        client: ClientInfo,
        head_bytes: &[u8],
        now: Moment,
        out: &mut Out,
    ) {
        self.reset(config, client, now);
        self.begin_without_head(listen, head_bytes);
        self.fail(Fault::ClientTooSlow, now, out);
    }

    /// For the access log the first line is kept as far as it came.
    fn begin_without_head(&mut self, listen: usize, head_bytes: &[u8]) {
        const KEPT_BYTES_MAX: usize = 1024;
        self.place.server = self.config.listens[listen].default_server;
        let line = head_bytes.split(|&b| b == b'\r' || b == b'\n').next().unwrap_or(&[]);
        self.head_bytes.extend_from_slice(&line[..line.len().min(KEPT_BYTES_MAX)]);
        self.head = RequestHead::default();
        // What follows cannot be told apart: nothing more is read as a request.
        self.head.connection.close = true;
    }

    fn refuse(&mut self, reject: Reject, now: Moment, out: &mut Out) {
        self.head.connection.close = true;
        self.fail(Fault::Client(reject), now, out);
    }

    /// Finds server and location.
    fn route(&mut self, listen: usize) -> Result<(), Reject> {
        let target = self.head.target;
        let method = self.head.method;
        let split = target::split(method.of(&self.head_bytes), target.of(&self.head_bytes))?;
        self.target = within(target, split_start(&split));
        self.query = split.query.map_or(Span::default(), |query| within(target, query));
        self.take_host(target, &split);
        let path = within(target, split.path);
        if path.of(&self.head_bytes) == b"*" {
            self.path.push(b'*');
        } else {
            http1::path::normalize(path.of(&self.head_bytes), &mut self.path)?;
        }
        let config = &self.config;
        self.place.server = config.listens[listen].server(&self.host);
        let server = &config.servers[self.place.server];
        self.place.location = server.location_index(&self.path);
        if self.host.is_empty() {
            self.host.extend_from_slice(&server.name);
            self.host.make_ascii_lowercase();
        }
        Ok(())
    }

    /// nginx: `$host`: from the request line, else the Host field, in lower case without port.
    fn take_host(&mut self, target: Span, split: &Target) {
        let span = split.authority.map(|authority| within(target, authority)).or(self.head.host);
        let Some(span) = span else { return };
        let value = span.of(&self.head_bytes);
        let without_port = match value.first() {
            Some(b'[') => value.iter().position(|&b| b == b']').map_or(value, |end| &value[..=end]),
            _ => value.split(|&b| b == b':').next().unwrap_or(value),
        };
        let host = without_port.strip_suffix(b".").unwrap_or(without_port);
        self.host.extend_from_slice(host);
        self.host.make_ascii_lowercase();
    }

    fn start(&mut self, now: Moment, out: &mut Out) {
        self.request_body = BodyReader::new(self.head.body);
        let config = self.config.clone();
        let server = &config.servers[self.place.server];
        if let Some(answer) = &server.early_return {
            return self.answer(&Answer::Return(answer), now, out);
        }
        if let (BodyLength::Exact(bytes), Some(max)) =
            (self.head.body, self.location().client.body_bytes_max)
            && bytes > max
        {
            return self.fail(Fault::BodyTooLarge, now, out);
        }
        let location = self.place.location(&config);
        match &location.handler {
            Handler::Return(answer) => self.answer(&Answer::Return(answer), now, out),
            Handler::SlashRedirect => self.answer(&Answer::SlashRedirect, now, out),
            Handler::NotFound => self.answer(&Answer::Status(404), now, out),
            Handler::Proxy(pass) => self.connect(pass, now, out),
        }
    }

    fn connect(&mut self, pass: &ProxyPass, now: Moment, out: &mut Out) {
        self.request_writer = match self.head.body {
            BodyLength::Chunked if pass.http11 => BodyWriter::Chunked,
            BodyLength::Chunked => return self.fail(Fault::LengthRequired, now, out),
            BodyLength::Exact(_) => BodyWriter::Exact,
            BodyLength::None | BodyLength::UntilClose => BodyWriter::None,
        };
        self.continue_owed = self.head.expects_continue;
        self.phase = Phase::Connecting;
        self.upstream_times.began = Some(now.ms);
        self.upstream_since = now.ms;
        self.action_connect = Some(false);
    }

    /// Whether the client asks to leave HTTP on this connection, and to where. h2c is not offered
    /// on: the upstream's HTTP/2 would pass unread.
    pub(crate) fn upgrade(&self) -> Option<&[u8]> {
        if self.head.version != Version::Http11 || !self.head.connection.upgrade {
            return None;
        }
        let protocol = self.head.upgrade?.of(&self.head_bytes);
        let is_h2c = protocol.len() >= 3 && protocol[..3].eq_ignore_ascii_case(b"h2c");
        (!is_h2c && !protocol.is_empty()).then_some(protocol)
    }

    /// Writes the head that the upstream gets.
    pub(super) fn push_request_head(&mut self, now: Moment, out: &mut Out) {
        let config = self.config.clone();
        let server = &config.servers[self.place.server];
        let location = self.place.location(&config);
        let Handler::Proxy(pass) = &location.handler else { return };
        let version = if pass.http11 { Version::Http11 } else { Version::Http10 };
        self.make_request_id();

        let mut target = Vec::new();
        let target: &[u8] = match &pass.url.uri {
            None => self.target.of(&self.head_bytes),
            Some(uri) => {
                self.push_replaced_target(uri, &location.path, &mut target);
                &target
            }
        };
        let out = &mut out.upstream;
        http1::push_request_line(out, self.head.method.of(&self.head_bytes), target, version);
        self.push_connection(pass, out);
        self.push_set_headers(pass, now, out);
        self.push_request_framing(out);
        self.push_client_fields(pass, server.client.underscores_in_headers, out);
        http1::push_end(out);
    }

    fn push_connection(&self, pass: &ProxyPass, out: &mut Vec<u8>) {
        if let Some(protocol) = self.upgrade().filter(|_| pass.http11) {
            http1::push_field(out, b"Connection", b"upgrade");
            http1::push_field(out, b"Upgrade", protocol);
        } else if !pass.http11 {
            http1::push_field(out, b"Connection", b"close");
        }
    }

    /// nginx: proxy_pass with a URI part: the part of the decoded path that the location matched
    /// is replaced by it, and what comes out is encoded again.
    fn push_replaced_target(&self, uri: &[u8], matched: &[u8], target: &mut Vec<u8>) {
        target.extend_from_slice(uri);
        let rest = self.path.get(matched.len()..).unwrap_or(&[]);
        let raw_end = self.target.len - self.query_len_with_mark();
        let raw = Span { start: self.target.start, len: raw_end };
        // nginx encodes again only what was encoded before.
        if http1::path::has_escapes(raw.of(&self.head_bytes)) {
            http1::path::escape(rest, target);
        } else {
            target.extend_from_slice(rest);
        }
        if !self.query.is_empty() {
            target.push(b'?');
            target.extend_from_slice(self.query.of(&self.head_bytes));
        }
    }

    fn query_len_with_mark(&self) -> u32 {
        if self.query.is_empty() { 0 } else { self.query.len + 1 }
    }

    fn push_set_headers(&self, pass: &ProxyPass, now: Moment, out: &mut Vec<u8>) {
        for field in &pass.set_headers {
            if is_framing_name(&field.name) {
                continue;
            }
            self.push_template_field(&field.name, &field.value, now, out);
        }
    }

    fn push_request_framing(&self, out: &mut Vec<u8>) {
        match self.head.body {
            BodyLength::Exact(bytes) => {
                push_content_length(out, bytes);
            }
            BodyLength::Chunked => http1::push_field(out, b"Transfer-Encoding", b"chunked"),
            BodyLength::None | BodyLength::UntilClose => {}
        }
    }

    /// The client's own fields, less what belongs to its connection and what the file sets.
    fn push_client_fields(&self, pass: &ProxyPass, underscores: bool, out: &mut Vec<u8>) {
        let bytes = &self.head_bytes;
        for field in &self.head.fields {
            let name = field.name.of(bytes);
            let plain = http1::is_plain_name(name)
                || (underscores
                    && name.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            let nominated = self.head.connection.nominates
                && http1::is_connection_nominated(name, &self.head.fields, bytes);
            let passes = plain
                && !nominated
                && !is_framing_name(name)
                && !name.eq_ignore_ascii_case(b"host")
                && !name.eq_ignore_ascii_case(b"expect")
                && !pass.set_headers.iter().any(|set| set.name.eq_ignore_ascii_case(name));
            if passes {
                http1::push_field(out, name, field.value.of(bytes));
            }
        }
    }

    /// nginx: `$request_id`, 16 random bytes in hexadecimal. The seed comes from the caller.
    fn make_request_id(&mut self) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        if self.request_id.is_some() {
            return;
        }
        let mut id = [0; 32];
        let mut state = self.request_seed ^ self.client.serial.rotate_left(32) ^ self.began.unix_ms;
        for pair in id.chunks_mut(16) {
            state = split_mix(state);
            let mut bits = state;
            for digit in pair {
                *digit = HEX[usize::try_from(bits & 15).unwrap_or(0)];
                bits >>= 4;
            }
        }
        self.request_seed = split_mix(state);
        self.request_id = Some(id);
    }
}

/// SplitMix64: one step of a 64-bit generator whose outputs do not repeat within 2^64 steps.
fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Fields that say how this hop's bytes are framed; each hop writes its own.
fn is_framing_name(name: &[u8]) -> bool {
    http1::is_hop_by_hop(name) || name.eq_ignore_ascii_case(b"content-length")
}

/// Where path and query begin in the target as it is passed on.
fn split_start(split: &Target) -> Span {
    let end =
        split.query.map_or(split.path.start + split.path.len, |query| query.start + query.len);
    Span { start: split.path.start, len: end - split.path.start }
}

/// `inner` is relative to the target; the result is relative to the head.
fn within(target: Span, inner: Span) -> Span {
    Span { start: target.start + inner.start, len: inner.len }
}

/// RFC 9112 §6.2.
pub(super) fn push_content_length(out: &mut Vec<u8>, bytes: u64) {
    out.extend_from_slice(b"Content-Length: ");
    http1::push_decimal(out, bytes);
    out.extend_from_slice(b"\r\n");
}
