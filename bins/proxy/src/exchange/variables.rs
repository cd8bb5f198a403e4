//! The values of nginx's variables for one exchange.
//!
//! A variable without a value adds nothing; in log lines that is shown as `-` by the caller.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use http1::Version;

use super::Exchange;
use super::clock::{self, Moment};
use proxy_core::config::model::{Part, Template, Variable};

impl Exchange {
    /// Appends the template's text.
    pub fn push_template(&self, template: &Template, now: Moment, out: &mut Vec<u8>) {
        for part in &template.0 {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => self.push_variable(variable, now, out),
            }
        }
    }

    /// Appends a field with the template's text, or nothing where that is empty (nginx:
    /// proxy_set_header, add_header).
    pub(super) fn push_template_field(
        &self,
        name: &[u8],
        template: &Template,
        now: Moment,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        let value_start = out.len();
        self.push_template(template, now, out);
        if out.len() == value_start {
            return out.truncate(start);
        }
        neutralise_line_ends(&mut out[value_start..]);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the variable's value.
    pub fn push_variable(&self, variable: &Variable, now: Moment, out: &mut Vec<u8>) {
        use Variable as V;
        match variable {
            V::Host
            | V::HttpHost
            | V::ContentLength
            | V::ContentType
            | V::RemoteUser
            | V::Http(_)
            | V::Cookie(_)
            | V::Arg(_)
            | V::Args
            | V::QueryString
            | V::IsArgs
            | V::Request
            | V::RequestId
            | V::RequestLength
            | V::RequestMethod
            | V::RequestUri
            | V::Uri
            | V::ServerProtocol
            | V::ProxyAddXForwardedFor => {
                self.push_request_variable(variable, out);
            }
            V::BinaryRemoteAddr
            | V::Connection
            | V::ConnectionRequests
            | V::RemoteAddr
            | V::RemotePort
            | V::Scheme
            | V::ServerAddr
            | V::ServerName
            | V::ServerPort
            | V::Pipe
            | V::Hostname
            | V::NginxVersion
            | V::Pid => {
                self.push_connection_variable(variable, out);
            }
            V::Msec => clock::push_seconds(now.unix_ms, out),
            V::TimeIso8601 => clock::push_time_iso8601(now.unix_ms, out),
            V::TimeLocal => clock::push_time_local(now.unix_ms, out),
            V::RequestTime => clock::push_seconds(now.ms.saturating_sub(self.began.ms), out),
            _ => self.push_response_variable(variable, out),
        }
    }

    fn push_request_variable(&self, variable: &Variable, out: &mut Vec<u8>) {
        use Variable as V;
        let bytes = &self.head_bytes;
        match variable {
            V::Host => out.extend_from_slice(&self.host),
            V::HttpHost => self.push_field("host", out),
            V::ContentLength => self.push_field("content-length", out),
            V::ContentType => self.push_field("content-type", out),
            V::RemoteUser => self.push_basic_user(out),
            V::Http(name) => self.push_field_list(name, out),
            V::Cookie(name) => self.push_cookie(name, out),
            V::Arg(name) => self.push_argument(name, out),
            V::Args | V::QueryString => out.extend_from_slice(self.query.of(bytes)),
            V::IsArgs if !self.query.is_empty() => out.push(b'?'),
            V::Request => self.push_request_line(out),
            V::RequestId => out.extend_from_slice(self.request_id.as_ref().map_or(&[], |id| id)),
            V::RequestLength => {
                push_number(self.head_bytes.len() as u64 + self.request_body_bytes, out);
            }
            V::RequestMethod => out.extend_from_slice(self.head.method.of(bytes)),
            V::RequestUri => out.extend_from_slice(self.target.of(bytes)),
            V::Uri => out.extend_from_slice(&self.path),
            V::ServerProtocol => out.extend_from_slice(self.protocol()),
            V::ProxyAddXForwardedFor => {
                let start = out.len();
                self.push_field_list(b"x-forwarded-for", out);
                if out.len() > start {
                    out.extend_from_slice(b", ");
                }
                push_ip(self.client.remote.ip(), out);
            }
            _ => {}
        }
    }

    fn push_connection_variable(&self, variable: &Variable, out: &mut Vec<u8>) {
        use Variable as V;
        match variable {
            V::BinaryRemoteAddr => match self.client.remote.ip() {
                IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            },
            V::Connection => push_number(self.client.serial, out),
            V::ConnectionRequests => push_number(self.client.requests, out),
            V::RemoteAddr => push_ip(self.client.remote.ip(), out),
            V::RemotePort => push_number(u64::from(self.client.remote.port()), out),
            V::Scheme => out.extend_from_slice(b"http"),
            V::ServerAddr => push_ip(self.client.local.ip(), out),
            V::ServerPort => push_number(u64::from(self.client.local.port()), out),
            V::ServerName => {
                out.extend_from_slice(&self.config.servers[self.place.server].name);
            }
            V::Pipe => out.push(if self.client.requests > 1 { b'p' } else { b'.' }),
            V::Hostname => out.extend_from_slice(hostname()),
            V::NginxVersion => out.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes()),
            V::Pid => push_number(u64::from(std::process::id()), out),
            _ => {}
        }
    }

    fn push_response_variable(&self, variable: &Variable, out: &mut Vec<u8>) {
        use Variable as V;
        let times = &self.upstream_times;
        match variable {
            V::BodyBytesSent => push_number(self.client_body_bytes, out),
            V::BytesSent => push_number(self.client_head_bytes + self.client_body_bytes, out),
            V::RequestCompletion if self.completed() => out.extend_from_slice(b"OK"),
            V::Status => {
                let _ = write!(out, "{:03}", self.status);
            }
            V::ProxyHost => out.extend_from_slice(self.pass().map_or(&[], |pass| &pass.url.host)),
            V::ProxyPort => out.extend_from_slice(self.pass().map_or(&[], |pass| &pass.url.port)),
            V::SentHttp(name) => self.push_sent_field(name, out),
            V::UpstreamHttp(name) => self.push_upstream_field(name, out),
            V::UpstreamAddr => self.push_upstream_addresses(out),
            V::UpstreamStatus if self.upstream_status > 0 => {
                push_number(u64::from(self.upstream_status), out);
            }
            V::UpstreamStatus if times.began.is_some() => {
                push_number(u64::from(self.status), out);
            }
            V::UpstreamConnectTime => push_interval(times.began, times.connected, out),
            V::UpstreamHeaderTime => push_interval(times.began, times.head, out),
            V::UpstreamResponseTime => push_interval(times.began, times.ended.or(times.head), out),
            V::UpstreamBytesReceived => {
                push_number(self.response_bytes.len() as u64 + self.upstream_body_bytes, out);
            }
            V::UpstreamResponseLength => push_number(self.upstream_body_bytes, out),
            V::UpstreamBytesSent => push_number(self.upstream_sent_bytes(), out),
            _ => {}
        }
    }

    fn push_field(&self, name: &str, out: &mut Vec<u8>) {
        let value = http1::find(&self.head.fields, &self.head_bytes, name);
        out.extend_from_slice(value.unwrap_or(&[]));
    }

    /// Several fields of one name are one list (nginx: `$http_NAME` since 1.23.0).
    fn push_field_list(&self, name: &[u8], out: &mut Vec<u8>) {
        let mut first = true;
        for field in &self.head.fields {
            if matches_variable(field.name.of(&self.head_bytes), name) {
                if !std::mem::take(&mut first) {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(field.value.of(&self.head_bytes));
            }
        }
    }

    fn push_cookie(&self, name: &[u8], out: &mut Vec<u8>) {
        let Some(cookies) = http1::find(&self.head.fields, &self.head_bytes, "cookie") else {
            return;
        };
        let found = cookies.split(|&b| b == b';').find_map(|cookie| {
            let (key, value) = split_once(cookie.trim_ascii(), b'=')?;
            (key == name).then_some(value)
        });
        out.extend_from_slice(found.unwrap_or(&[]));
    }

    fn push_argument(&self, name: &[u8], out: &mut Vec<u8>) {
        let query = self.query.of(&self.head_bytes);
        let found = query.split(|&b| b == b'&').find_map(|argument| {
            let (key, value) = split_once(argument, b'=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        out.extend_from_slice(found.unwrap_or(&[]));
    }

    fn push_request_line(&self, out: &mut Vec<u8>) {
        let line = self.head_bytes.split(|&b| b == b'\r' || b == b'\n').find(|l| !l.is_empty());
        out.extend_from_slice(line.unwrap_or(&[]));
    }

    fn protocol(&self) -> &'static [u8] {
        match self.head.version {
            Version::Http10 => b"HTTP/1.0",
            Version::Http11 => b"HTTP/1.1",
        }
    }

    /// nginx: `$remote_user`: the name in Basic credentials.
    fn push_basic_user(&self, out: &mut Vec<u8>) {
        let value = http1::find(&self.head.fields, &self.head_bytes, "authorization");
        let Some((scheme, encoded)) = value.and_then(|value| split_once(value, b' ')) else {
            return;
        };
        if scheme.eq_ignore_ascii_case(b"basic") {
            let mut plain = Vec::new();
            push_base64_decoded(encoded.trim_ascii(), &mut plain);
            out.extend_from_slice(plain.split(|&b| b == b':').next().unwrap_or(&[]));
        }
    }

    fn push_sent_field(&self, name: &[u8], out: &mut Vec<u8>) {
        if self.upstream_status > 0 {
            self.push_upstream_field(name, out);
        }
    }

    fn push_upstream_field(&self, name: &[u8], out: &mut Vec<u8>) {
        let field = self
            .response
            .fields
            .iter()
            .find(|field| matches_variable(field.name.of(&self.response_bytes), name));
        out.extend_from_slice(field.map_or(&[], |field| field.value.of(&self.response_bytes)));
    }

    fn push_upstream_addresses(&self, out: &mut Vec<u8>) {
        for (index, address) in self.upstream_addresses.iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            push_address(*address, out);
        }
    }
}

/// A value made of decoded parts (`$uri`, `$arg_x` …) must not begin a new line.
pub(super) fn neutralise_line_ends(value: &mut [u8]) {
    for byte in value {
        if matches!(byte, b'\r' | b'\n' | 0) {
            *byte = b' ';
        }
    }
}

/// A variable's name has `_` where the field's has `-`, and lower case.
fn matches_variable(field: &[u8], name: &[u8]) -> bool {
    field.len() == name.len()
        && field.iter().zip(name).all(|(f, n)| {
            f.eq_ignore_ascii_case(n) || (matches!(f, b'-' | b'_') && matches!(n, b'-' | b'_'))
        })
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let position = bytes.iter().position(|&b| b == at)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}

fn push_number(value: u64, out: &mut Vec<u8>) {
    http1::push_decimal(out, value);
}

fn push_interval(from: Option<u64>, to: Option<u64>, out: &mut Vec<u8>) {
    if let (Some(from), Some(to)) = (from, to) {
        clock::push_seconds(to.saturating_sub(from), out);
    }
}

/// An IPv4 client of a socket that serves both families is written as IPv4.
fn push_ip(ip: IpAddr, out: &mut Vec<u8>) {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            for (index, octet) in v4.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                push_number(u64::from(octet), out);
            }
        }
        IpAddr::V6(v6) => {
            let _ = write!(out, "{v6}");
        }
    }
}

fn push_address(address: SocketAddr, out: &mut Vec<u8>) {
    let _ = write!(out, "{address}");
}

fn hostname() -> &'static [u8] {
    use std::sync::OnceLock;
    static HOSTNAME: OnceLock<Vec<u8>> = OnceLock::new();
    HOSTNAME.get_or_init(|| std::env::var("HOSTNAME").unwrap_or_default().into_bytes())
}

/// RFC 4648 §4; what is not base64 ends the text.
fn push_base64_decoded(encoded: &[u8], out: &mut Vec<u8>) {
    let mut bits: u32 = 0;
    let mut count = 0;
    for &byte in encoded {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_up_to_its_end() {
        let mut out = Vec::new();
        push_base64_decoded(b"YWxpY2U6c2VjcmV0", &mut out);
        assert_eq!(out, b"alice:secret");
        out.clear();
        push_base64_decoded(b"YQ==", &mut out);
        assert_eq!(out, b"a");
    }

    #[test]
    fn names_of_variables_match_fields_with_dashes() {
        assert!(matches_variable(b"X-Forwarded-For", b"x-forwarded-for"));
        assert!(matches_variable(b"X-Forwarded-For", b"x_forwarded_for"));
        assert!(!matches_variable(b"X-Forwarded", b"x_forwarded_for"));
    }
}
