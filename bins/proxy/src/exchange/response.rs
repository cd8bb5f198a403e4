//! From the upstream's bytes to the client's: heads written anew, bodies passed on as they come.
//!
//! No received byte is held back while the client can take it: there is no buffering to switch off.

use http1::{BodyLength, BodyReader, BodyWriter, Limits, Parsed, Version};

use super::clock::Moment;
use super::request::push_content_length;
use super::{ClientNext, Exchange, Fault, Out, Phase, Source};
use proxy_core::config::model::{Handler, Location, ProxyPass};

/// What an upstream may send as a head: as large as what the proxy takes from a client.
const UPSTREAM_LIMITS: Limits = Limits {
    line_bytes_max: 8 << 10,
    field_bytes_max: 32 << 10,
    head_bytes_max: 64 << 10,
    fields_max: 200,
};

impl Exchange {
    pub(super) fn on_upstream_bytes(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        self.upstream_since = now.ms;
        self.upstream_spoke |= !bytes.is_empty();
        let mut used = 0;
        while self.phase == Phase::Forwarding && !self.response_begun {
            match self.read_response_head(&bytes[used..], now, out) {
                0 => return used,
                count => used += count,
            }
        }
        match self.phase {
            Phase::Tunnel => {
                out.client.extend_from_slice(&bytes[used..]);
                self.client_body_bytes += (bytes.len() - used) as u64;
                bytes.len()
            }
            Phase::Forwarding => used + self.read_response_body(&bytes[used..], now, out),
            _ => used,
        }
    }

    /// Returns the bytes used; 0 asks for more or means that the exchange has failed.
    fn read_response_head(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let was_head = self.head.method.of(&self.head_bytes) == b"HEAD";
        let mut head = std::mem::take(&mut self.response);
        let parsed = http1::parse_response(bytes, &UPSTREAM_LIMITS, was_head, &mut head);
        self.response = head;
        match parsed {
            Parsed::NeedMore => 0,
            Parsed::Reject(reject) => {
                self.fail(Fault::Upstream(reject), now, out);
                0
            }
            Parsed::Done { used, .. } => {
                self.response_bytes.clear();
                self.response_bytes.extend_from_slice(&bytes[..used]);
                match self.response.status {
                    101 if self.upgrade().is_some() => self.begin_tunnel(now, out),
                    101 => self.fail(Fault::UnaskedUpgrade, now, out),
                    // RFC 9110 §15.2: an interim answer; the client was told to go on already.
                    100..=199 => {}
                    _ => self.begin_response(now, out),
                }
                used
            }
        }
    }

    fn begin_tunnel(&mut self, now: Moment, out: &mut Out) {
        self.note_response_head(now);
        self.push_response_head(None, now, &mut out.client);
        self.phase = Phase::Tunnel;
    }

    fn begin_response(&mut self, now: Moment, out: &mut Out) {
        self.note_response_head(now);
        self.response_body = BodyReader::new(self.response.body);
        self.response_writer = match self.response.body {
            BodyLength::None => BodyWriter::None,
            BodyLength::Exact(_) => BodyWriter::Exact,
            BodyLength::Chunked | BodyLength::UntilClose => match self.client_version() {
                Version::Http11 => BodyWriter::Chunked,
                Version::Http10 => BodyWriter::UntilClose,
            },
        };
        let persistent = self.response_may_persist();
        self.push_response_head(Some(persistent), now, &mut out.client);
        if self.response_body.is_done() {
            self.complete_response(now, &mut out.client);
        }
    }

    fn note_response_head(&mut self, now: Moment) {
        self.response_begun = true;
        self.status = self.response.status;
        self.source = Source::Upstream;
        self.upstream_status = self.response.status;
        self.upstream_times.head = Some(now.ms);
    }

    /// An answer that came before the whole request leaves the rest of it in the way.
    fn response_may_persist(&self) -> bool {
        self.client_may_persist()
            && self.request_body.is_done()
            && !matches!(self.response_writer, BodyWriter::UntilClose)
    }

    fn read_response_body(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let mut used_total = 0;
        while !self.response_body.is_done() {
            match self.response_body.read(&bytes[used_total..]) {
                Ok(part) => {
                    used_total += part.used;
                    if !part.data.is_empty() {
                        self.client_body_bytes += part.data.len() as u64;
                        self.upstream_body_bytes += part.data.len() as u64;
                        self.response_writer.write(part.data, &mut out.client);
                    }
                    if part.used == 0 && !self.response_body.is_done() {
                        return used_total;
                    }
                }
                Err(reject) => {
                    self.fail(Fault::Upstream(reject), now, out);
                    return used_total;
                }
            }
        }
        if self.phase == Phase::Forwarding {
            self.complete_response(now, &mut out.client);
        }
        used_total
    }

    /// The whole response is there: writes its end and settles both connections.
    pub(super) fn complete_response(&mut self, now: Moment, out: &mut Vec<u8>) {
        self.response_writer.finish(out);
        self.upstream_times.ended = Some(now.ms);
        let keep_upstream = self.response.persistent()
            && self.request_body.is_done()
            && self.pass().is_some_and(|pass| pass.http11);
        let next = if self.response_may_persist() {
            ClientNext::KeepAlive
        } else if self.request_body.is_done() {
            ClientNext::Close
        } else {
            ClientNext::Linger
        };
        self.complete(next, keep_upstream);
    }

    /// `persistent` is `None` for a tunnel.
    fn push_response_head(&mut self, persistent: Option<bool>, now: Moment, out: &mut Vec<u8>) {
        let start = out.len();
        let config = self.config.clone();
        let location = self.place.location(&config);
        let Handler::Proxy(pass) = &location.handler else { return };

        let reason = self.response.reason.of(&self.response_bytes);
        http1::push_status_line(out, Version::Http11, self.status, reason);
        self.push_server_and_date(location.server_tokens, now, out);
        let body = self.response.body;
        match (persistent, body) {
            (Some(_), BodyLength::Exact(bytes)) => {
                push_content_length(out, bytes);
            }
            (Some(_), BodyLength::None) => self.push_length_as_told(out),
            (Some(_), _) if matches!(self.response_writer, BodyWriter::Chunked) => {
                http1::push_field(out, b"Transfer-Encoding", b"chunked");
            }
            _ => {}
        }
        match persistent {
            None => {
                http1::push_field(out, b"Connection", b"upgrade");
                let upgrade = http1::find(&self.response.fields, &self.response_bytes, "upgrade");
                http1::push_field(out, b"Upgrade", upgrade.unwrap_or(b"websocket"));
            }
            Some(persistent) => self.push_connection_fields(persistent, out),
        }
        self.push_upstream_fields(location, pass, out);
        self.push_add_headers(location, now, out);
        http1::push_end(out);
        self.client_head_bytes = (out.len() - start) as u64;
    }

    /// An answer to HEAD and a 304 may tell the length of a body that is not there.
    fn push_length_as_told(&self, out: &mut Vec<u8>) {
        if matches!(self.status, 204 | 100..=199) {
            return;
        }
        let told = http1::find(&self.response.fields, &self.response_bytes, "content-length");
        if let Some(length) = told.filter(|value| value.iter().all(u8::is_ascii_digit)) {
            http1::push_field(out, b"Content-Length", length);
        }
    }

    fn push_upstream_fields(&self, location: &Location, pass: &ProxyPass, out: &mut Vec<u8>) {
        let bytes = &self.response_bytes;
        for field in &self.response.fields {
            let name = field.name.of(bytes);
            let value = field.value.of(bytes);
            let nominated = self.response.connection.nominates
                && http1::is_connection_nominated(name, &self.response.fields, bytes);
            let passes = !nominated
                && !http1::is_hop_by_hop(name)
                && !name.eq_ignore_ascii_case(b"content-length")
                && !pass.hidden.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
            if !passes {
                continue;
            }
            match redirected(pass, name, value) {
                Some((rest, replacement)) => {
                    let address = self.absolute([replacement, rest].concat(), location);
                    http1::push_field(out, name, &address);
                }
                None => http1::push_field(out, name, value),
            }
        }
    }
}

/// nginx: proxy_redirect on `Location`: what follows the prefix found, and what replaces that.
fn redirected<'a>(
    pass: &'a ProxyPass,
    name: &[u8],
    value: &'a [u8],
) -> Option<(&'a [u8], &'a [u8])> {
    if !name.eq_ignore_ascii_case(b"location") {
        return None;
    }
    pass.redirects.iter().find_map(|(from, to)| {
        value.strip_prefix(from.as_slice()).map(|rest| (rest, to.as_slice()))
    })
}
