//! Answers of the proxy itself: `return`, redirects and error pages, as nginx writes them.
//!
//! It decides nothing about where a request goes; it writes one whole answer and ends the exchange.

use http1::Version;

use super::clock::Moment;
use super::request::push_content_length;
use super::variables::neutralise_line_ends;
use super::{ClientNext, Exchange, Out, Source};
use proxy_core::config::model::{Location, Return};

/// Product name in `Server` and on error pages.
pub const PRODUCT: &str = "sidecar-kit";

/// What is answered.
#[derive(Debug)]
pub enum Answer<'c> {
    /// nginx: `return`.
    Return(&'c Return),
    /// nginx: a pass to `/path/` answers `/path` by a redirect.
    SlashRedirect,
    /// A status with its page.
    Status(u16),
}

impl Exchange {
    /// Answers with an error page; the connection persists only where that is safe.
    pub(super) fn answer_error(&mut self, status: u16, now: Moment, out: &mut Out) {
        self.answer(&Answer::Status(status), now, out);
    }

    /// Writes the answer and completes the exchange.
    pub(super) fn answer(&mut self, answer: &Answer<'_>, now: Moment, out: &mut Out) {
        self.source = Source::Proxy;
        let status = match answer {
            Answer::Return(answer) => answer.status,
            Answer::SlashRedirect => 301,
            Answer::Status(status) => *status,
        };
        self.status = status;
        // nginx: 444 closes the connection without an answer, 499 is for the log only.
        if matches!(status, 444 | 499) {
            return self.complete(ClientNext::Abort, false);
        }
        let config = self.config.clone();
        let location = self.place.location(&config);

        let mut address = None;
        let mut body = Vec::new();
        let mut content_type: &[u8] = b"text/html";
        match answer {
            Answer::Return(Return { text: Some(text), .. }) if is_redirect(status) => {
                let mut value = Vec::new();
                self.push_template(text, now, &mut value);
                address = Some(self.absolute(value, location));
            }
            Answer::Return(Return { text: Some(text), .. }) => {
                self.push_template(text, now, &mut body);
                content_type = location.content_type(&self.path);
            }
            Answer::SlashRedirect => {
                let mut value = Vec::new();
                http1::path::escape(&self.path, &mut value);
                value.push(b'/');
                if !self.query.is_empty() {
                    value.push(b'?');
                    value.extend_from_slice(self.query.of(&self.head_bytes));
                }
                address = Some(self.absolute(value, location));
            }
            _ => {}
        }
        let has_page =
            !matches!(answer, Answer::Return(Return { text: Some(_), .. })) || is_redirect(status);
        if has_page {
            push_page(status, location.server_tokens, &mut body);
        }
        if status == 204 {
            content_type = b"";
        } else if body.is_empty() {
            // nginx types an empty text too.
            content_type = location.content_type(&self.path);
        }
        let content = Content { content_type, address: address.as_deref(), body: &body };
        self.push_answer(location, &content, now, &mut out.client);
    }

    fn push_answer(
        &mut self,
        location: &Location,
        content: &Content<'_>,
        now: Moment,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let status = self.status;
        let next = self.after_answer();
        let reason = http1::reason(status).as_bytes();
        http1::push_status_line(out, Version::Http11, status, reason);
        self.push_server_and_date(location.server_tokens, now, out);
        if !content.content_type.is_empty() {
            http1::push_field(out, b"Content-Type", content.content_type);
        }
        // RFC 9110 §8.6: no length with 204.
        if status != 204 {
            push_content_length(out, content.body.len() as u64);
        }
        self.push_connection_fields(next == ClientNext::KeepAlive, out);
        if let Some(address) = content.address {
            http1::push_field(out, b"Location", address);
        }
        self.push_add_headers(location, now, out);
        http1::push_end(out);
        self.client_head_bytes += (out.len() - start) as u64;
        let is_head = self.head.method.of(&self.head_bytes) == b"HEAD";
        if !is_head && !matches!(status, 204 | 304) {
            out.extend_from_slice(content.body);
            self.client_body_bytes += content.body.len() as u64;
        }
        self.complete(next, false);
    }

    /// A body that nobody reads is in the way of the next request: the client is let go, slowly,
    /// so that it sees the answer (nginx reads the rest away; the limit on that is ours).
    fn after_answer(&self) -> ClientNext {
        let unread = !self.request_body.is_done() || self.head.connection.close;
        if self.client_may_persist() && self.request_body.is_done() && self.status != 413 {
            ClientNext::KeepAlive
        } else if unread || matches!(self.status, 400..=499) {
            ClientNext::Linger
        } else {
            ClientNext::Close
        }
    }

    /// nginx: absolute_redirect and port_in_redirect: a path becomes an URL of this server.
    pub(super) fn absolute(&self, mut value: Vec<u8>, location: &Location) -> Vec<u8> {
        neutralise_line_ends(&mut value);
        if !location.redirect.absolute || value.first() != Some(&b'/') || self.host.is_empty() {
            return value;
        }
        let mut absolute = b"http://".to_vec();
        absolute.extend_from_slice(&self.host);
        let port = self.client.local.port();
        if location.redirect.port && port != 80 {
            absolute.extend_from_slice(format!(":{port}").as_bytes());
        }
        absolute.extend_from_slice(&value);
        absolute
    }

    pub(super) fn push_server_and_date(&self, tokens: bool, now: Moment, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Server: ");
        push_product(tokens, out);
        out.extend_from_slice(b"\r\nDate: ");
        out.extend_from_slice(&http1::imf_fixdate(now.unix_ms / 1_000));
        out.extend_from_slice(b"\r\n");
    }

    pub(super) fn push_connection_fields(&self, persistent: bool, out: &mut Vec<u8>) {
        if !persistent {
            return http1::push_field(out, b"Connection", b"close");
        }
        http1::push_field(out, b"Connection", b"keep-alive");
        if let Some(seconds) = self.location().keepalive.field_s {
            out.extend_from_slice(b"Keep-Alive: timeout=");
            http1::push_decimal(out, seconds);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// nginx: add_header: on good statuses only, unless `always`.
    pub(super) fn push_add_headers(&self, location: &Location, now: Moment, out: &mut Vec<u8>) {
        let good = matches!(self.status, 200 | 201 | 204 | 206 | 301..=304 | 307 | 308);
        for field in location.add_headers.iter().filter(|field| good || field.always) {
            self.push_template_field(&field.name, &field.value, now, out);
        }
    }
}

struct Content<'b> {
    content_type: &'b [u8],
    address: Option<&'b [u8]>,
    body: &'b [u8],
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

fn push_product(tokens: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(PRODUCT.as_bytes());
    if tokens {
        out.push(b'/');
        out.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    }
}

/// nginx has a page for redirects and for the errors it knows; other statuses go without a body.
fn push_page(status: u16, tokens: bool, body: &mut Vec<u8>) {
    let known = matches!(status, 301..=303 | 307 | 308 | 400..=406 | 408..=416 | 421 | 429 | 431)
        || matches!(status, 500..=505 | 507);
    if !known {
        return;
    }
    let mut code = Vec::with_capacity(3);
    http1::push_decimal(&mut code, u64::from(status));
    let reason = http1::reason(status).as_bytes();
    let code = code.as_slice();
    let pieces: [&[u8]; 9] = [
        b"<html>\r\n<head><title>",
        code,
        b" ",
        reason,
        b"</title></head>\r\n<body>\r\n<center><h1>",
        code,
        b" ",
        reason,
        b"</h1></center>\r\n<hr><center>",
    ];
    for piece in pieces {
        body.extend_from_slice(piece);
    }
    push_product(tokens, body);
    body.extend_from_slice(b"</center>\r\n</body>\r\n</html>\r\n");
}
