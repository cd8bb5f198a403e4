//! The values of nginx's variables, from what is known of an exchange.
//!
//! A variable that is not there adds nothing and says so, which is not the same as an empty one: a
//! log line shows the first as `-` and the second as nothing.

mod connection;
pub mod own;
mod parts;
mod rarer;
mod referer;
mod script;
mod trailer;

pub(crate) use parts::credentials;

use std::borrow::Cow;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use http1::Version;

use crate::clock::{self, Moment};
use crate::config::model::{Part, Template, Variable};
use crate::content::file;
use crate::course::TheBody;
use crate::request::Request;
use crate::response::{Context, Response};
use crate::upstream::address::Address;
use crate::upstream::call::{Attempt, Attempts};

/// What was sent to the client so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    /// Bytes before the content: the head, and `100 Continue` if that was said.
    pub head_bytes: u64,
    /// Bytes of the content with the framing around it.
    pub body_bytes: u64,
    /// Whether the answer went out whole.
    pub is_whole: bool,
    /// Bytes of the content before and after it was compressed, if it was.
    pub packed: Option<(u64, u64)>,
}

/// Everything that variables speak of.
pub struct View<'e> {
    /// The request.
    pub request: &'e Request,
    /// The answer as it is sent.
    pub response: &'e Response,
    /// How the upstreams did.
    pub attempts: &'e Attempts,
    /// How much of the answer is sent.
    pub sent: Sent,
    /// The time.
    pub now: Moment,
}

impl<'e> View<'e> {
    /// What is known before anything of the answer is sent.
    pub fn of_response(context: &Context<'e>, response: &'e Response) -> View<'e> {
        let Context { request, attempts, now, .. } = *context;
        View { request, response, attempts, sent: Sent::default(), now }
    }

    /// Appends the template's text.
    pub fn push_template(&self, template: &Template, out: &mut Vec<u8>) {
        for part in &template.0 {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => {
                    self.push_variable(variable, out);
                }
            }
        }
    }

    /// The template's text, without a copy where no variable is in it.
    pub fn text<'t>(&self, template: &'t Template) -> Cow<'t, [u8]> {
        match template.0.as_slice() {
            [] => Cow::Borrowed(&[]),
            [Part::Literal(text)] => Cow::Borrowed(text),
            _ => {
                let mut text = Vec::new();
                self.push_template(template, &mut text);
                Cow::Owned(text)
            }
        }
    }

    /// Appends the variable's value. False where there is none, not even an empty one.
    pub fn push_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        use Variable as V;
        match variable {
            V::Absent => return false,
            V::Empty => {}
            V::Group(number) => {
                return push_found(self.request.values.borrow().group(*number), out);
            }
            V::Own(variable) => return self.push_own(*variable, out),
            V::Msec => clock::push_seconds(self.now.unix_ms, out),
            V::TimeIso8601 => clock::push_time_iso8601(self.now.unix_ms, out),
            V::TimeLocal => clock::push_time_local(self.now.unix_ms, out),
            V::RequestTime => {
                clock::push_seconds(self.now.ms.saturating_sub(self.request.began.ms), out);
            }
            V::BinaryRemoteAddr
            | V::Connection
            | V::ConnectionRequests
            | V::ConnectionTime
            | V::ConnectionsActive
            | V::ConnectionsReading
            | V::ConnectionsWaiting
            | V::ConnectionsWriting
            | V::RealipRemoteAddr
            | V::RealipRemotePort
            | V::RemoteAddr
            | V::RemotePort
            | V::Scheme
            | V::ServerAddr
            | V::ServerName
            | V::ServerPort
            | V::Pipe
            | V::Hostname
            | V::NginxVersion
            | V::Pid => self.push_connection_variable(variable, out),
            V::TcpinfoRcvSpace | V::TcpinfoRtt | V::TcpinfoRttvar | V::TcpinfoSndCwnd => {
                return self.push_path_variable(variable, out);
            }
            V::BodyBytesSent
            | V::BytesSent
            | V::GzipRatio
            | V::RequestCompletion
            | V::Status
            | V::ProxyHost
            | V::ProxyPort
            | V::SentHttp(_) => return self.push_response_variable(variable, out),
            V::FastcgiPathInfo | V::FastcgiScriptName => self.push_script(variable, out),
            V::DocumentRoot | V::RealpathRoot | V::RequestFilename => {
                return file::push_variable(self, variable, out);
            }
            V::UpstreamHttp(_)
            | V::UpstreamTrailer(_)
            | V::UpstreamAddr
            | V::UpstreamBytesReceived
            | V::UpstreamBytesSent
            | V::UpstreamConnectTime
            | V::UpstreamHeaderTime
            | V::UpstreamResponseLength
            | V::UpstreamResponseTime
            | V::UpstreamStatus => return self.push_upstream_variable(variable, out),
            _ => return self.push_request_variable(variable, out),
        }
        true
    }

    fn push_request_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        use Variable as V;
        let Request { head, bytes, uri, .. } = self.request;
        match variable {
            V::Host => out.extend_from_slice(&uri.host),
            V::HttpHost => return self.push_field("host", out),
            V::ContentLength => match self.request.course.body {
                TheBody::Held(bytes) => http1::push_decimal(out, bytes),
                _ => return self.push_field("content-length", out),
            },
            V::ContentType => return self.push_field("content-type", out),
            V::RemoteUser => {
                let value = http1::find(&head.fields, bytes, "authorization");
                return value.is_some_and(|value| parts::push_basic_user(value, out));
            }
            V::Http(name) => return self.push_field_list(name, out),
            V::Cookie(name) => {
                let is_cookie =
                    |field: &[u8]| field.len() == 6 && field.eq_ignore_ascii_case(b"cookie");
                let fields = self.request.fields().filter(|(field, _, _)| is_cookie(field));
                let found = parts::cookie(fields.map(|(_, value, _)| value), name);
                return push_found(found, out);
            }
            V::Arg(name) => return push_found(parts::argument(&uri.args, name), out),
            V::Args | V::QueryString => return push_some(&uri.args, out) || uri.has_new_args,
            V::InvalidReferer => self.push_invalid_referer(out),
            V::SecureLink => return self.push_secure_link(out),
            V::SecureLinkExpires => return self.push_secure_link_expires(out),
            V::IsArgs if uri.args.is_empty() => {}
            V::IsArgs => out.push(b'?'),
            V::Request => return push_some(self.request.line(), out),
            V::RequestId => out.extend_from_slice(&self.request.id()),
            V::RequestLength => push_number(self.request.length(), out),
            V::RequestMethod => return push_some(self.request.told_method(), out),
            V::RequestUri => return push_some(self.request.raw_uri(), out),
            V::Uri => return push_some(&uri.path, out),
            V::ServerProtocol if head.method.is_empty() => return false,
            V::ServerProtocol => out.extend_from_slice(match head.version {
                Version::Http10 => b"HTTP/1.0",
                Version::Http11 => b"HTTP/1.1",
            }),
            V::ProxyAddXForwardedFor => {
                let start = out.len();
                self.push_field_list(b"x-forwarded-for", out);
                if out.len() > start {
                    out.extend_from_slice(b", ");
                }
                push_ip(self.request.client.remote.ip(), out);
            }
            _ => return self.push_rarer_variable(variable, out),
        }
        true
    }

    fn push_response_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        use Variable as V;
        let Sent { head_bytes, body_bytes, is_whole, packed } = self.sent;
        match variable {
            V::BodyBytesSent => push_number(body_bytes, out),
            V::GzipRatio => match packed {
                Some(packed) => parts::push_ratio(packed, out),
                None => return false,
            },
            V::BytesSent => push_number(head_bytes + body_bytes, out),
            V::RequestCompletion if is_whole => out.extend_from_slice(b"OK"),
            V::RequestCompletion => {}
            V::Status => {
                let status = self.response.status;
                // nginx: 000 where there is no answer.
                let zeros: &[u8] = if status == 0 { b"00" } else { b"" };
                out.extend_from_slice(zeros);
                push_number(u64::from(status), out);
            }
            V::ProxyHost => return push_found(self.pass_url().map(|url| url.host.as_slice()), out),
            V::ProxyPort => return push_found(self.pass_url().map(|url| url.port.as_slice()), out),
            // nginx: the type of the content, not one that `add_header` says beside it.
            V::SentHttp(name) if matches_variable(b"content-type", name) => {
                return push_found(self.response.sent_value(b"content-type"), out);
            }
            V::SentHttp(name) => return push_list(self.response.sent(), name, out),
            _ => return false,
        }
        true
    }

    fn push_upstream_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        use Variable as V;
        match variable {
            V::UpstreamHttp(name) => push_list(self.response.from_upstream(), name, out),
            V::UpstreamTrailer(name) => push_list(self.upstream_trailer(), name, out),
            V::UpstreamAddr => self.push_attempts(out, |attempt, out| match &attempt.address {
                Some(Address::Tcp(address)) => push_address(*address, out),
                Some(Address::Unix(path)) => {
                    out.extend_from_slice(b"unix:");
                    out.extend_from_slice(path.as_bytes());
                }
                None => out.extend_from_slice(self.upstream_name(attempt)),
            }),
            V::UpstreamStatus => self.push_attempts(out, |attempt, out| {
                push_known(attempt.status.map(u64::from), push_number, out);
            }),
            V::UpstreamConnectTime => self.push_attempts(out, |attempt, out| {
                push_known(attempt.connect_ms, clock::push_seconds, out);
            }),
            V::UpstreamHeaderTime => self.push_attempts(out, |attempt, out| {
                push_known(attempt.head_ms, clock::push_seconds, out);
            }),
            V::UpstreamResponseTime => self.push_attempts(out, |attempt, out| {
                push_known(attempt.response_ms, clock::push_seconds, out);
            }),
            V::UpstreamBytesReceived => {
                self.push_attempts(out, |attempt, out| push_number(attempt.bytes_received, out))
            }
            V::UpstreamResponseLength => {
                self.push_attempts(out, |attempt, out| push_number(attempt.body_bytes, out))
            }
            V::UpstreamBytesSent => {
                self.push_attempts(out, |attempt, out| push_number(attempt.bytes_sent, out))
            }
            _ => false,
        }
    }

    fn upstream_name(&self, attempt: &Attempt) -> &[u8] {
        let upstreams = &self.request.at.config().upstreams;
        upstreams.get(attempt.upstream).map_or(&[], |upstream| &upstream.name)
    }

    /// nginx: servers of one group by commas, groups after internal redirects by colons.
    fn push_attempts(&self, out: &mut Vec<u8>, push: impl Fn(&Attempt, &mut Vec<u8>)) -> bool {
        let mut before: Option<&Attempt> = None;
        for attempt in self.attempts.iter() {
            if let Some(before) = before {
                let separator: &[u8] =
                    if before.redirects == attempt.redirects { b", " } else { b" : " };
                out.extend_from_slice(separator);
            }
            push(attempt, out);
            before = Some(attempt);
        }
        before.is_some()
    }

    fn push_field(&self, name: &str, out: &mut Vec<u8>) -> bool {
        push_found(http1::find(&self.request.head.fields, &self.request.bytes, name), out)
    }

    /// Several fields of one name are one list (nginx: `$http_NAME` since 1.23.0), by commas but
    /// for cookies.
    fn push_field_list(&self, name: &[u8], out: &mut Vec<u8>) -> bool {
        push_list(self.request.fields().map(|(name, value, _)| (name, value)), name, out)
    }
}

fn push_found(value: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value.unwrap_or_default());
    value.is_some()
}

/// A value that is there if it is not empty.
fn push_some(value: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(value);
    !value.is_empty()
}

/// The values of all fields of that name, as one list; false where there is no such field.
fn push_list<'f>(
    fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
    name: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let separator: &[u8] = if name == b"cookie" { b"; " } else { b", " };
    let mut is_found = false;
    for (_, value) in fields.filter(|(field, _)| matches_variable(field, name)) {
        if std::mem::replace(&mut is_found, true) {
            out.extend_from_slice(separator);
        }
        out.extend_from_slice(value);
    }
    is_found
}

/// nginx: what is not known of an attempt is `-`.
fn push_known(value: Option<u64>, push: fn(u64, &mut Vec<u8>), out: &mut Vec<u8>) {
    match value {
        Some(value) => push(value, out),
        None => out.push(b'-'),
    }
}

/// A variable's name has `_` where the field's has `-`, and lower case.
fn matches_variable(field: &[u8], name: &[u8]) -> bool {
    field.len() == name.len()
        && field.iter().zip(name).all(|(f, n)| {
            f.eq_ignore_ascii_case(n) || (matches!(f, b'-' | b'_') && matches!(n, b'-' | b'_'))
        })
}

fn push_number(value: u64, out: &mut Vec<u8>) {
    http1::push_decimal(out, value);
}

/// An IPv4 client of a socket that serves both families is written as IPv4.
pub(crate) fn push_ip(ip: IpAddr, out: &mut Vec<u8>) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            // Written aside first: the text is at hand more often than any other.
            let mut text = [b'.'; 16];
            let mut len = 0;
            for octet in v4.octets() {
                let digits = [octet / 100, octet / 10 % 10, octet % 10];
                let skipped = usize::from(octet < 100) + usize::from(octet < 10);
                for digit in digits.iter().skip(skipped) {
                    if let Some(place) = text.get_mut(len) {
                        *place = b'0' + digit;
                    }
                    len += 1;
                }
                len += 1;
            }
            out.extend_from_slice(text.get(..len - 1).unwrap_or_default());
        }
        IpAddr::V6(v6) => {
            let _ = write!(out, "{v6}");
        }
    }
}

fn push_address(address: SocketAddr, out: &mut Vec<u8>) {
    match address {
        SocketAddr::V4(address) => {
            push_ip(IpAddr::V4(*address.ip()), out);
            out.push(b':');
            push_number(u64::from(address.port()), out);
        }
        SocketAddr::V6(_) => {
            let _ = write!(out, "{address}");
        }
    }
}

#[cfg(test)]
mod tests;
