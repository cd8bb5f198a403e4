//! Text with variables, compiled: `a$b${c}` to literal and variable parts.
//!
//! Owns: the rules of `$`, and the names of variables. Must not know any value.

use nginx_conf::suggest::nearest;

use super::model::{Part, Template, Variable};

/// Compiles a text. The error is nginx's message, without a place.
pub(crate) fn compile(text: &str) -> Result<Template, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        push_literal(&mut parts, &rest[..at]);
        let after = &rest[at + 1..];
        let (name, behind) = match after.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find('}').ok_or_else(|| {
                    format!("the closing bracket in \"{}\" variable is missing", name_of(inner))
                })?;
                (&inner[..end], &inner[end + 1..])
            }
            None => {
                let name = name_of(after);
                (name, &after[name.len()..])
            }
        };
        if name.is_empty() || name_of(name) != name {
            return Err(format!(
                "invalid variable name in \"{}\"",
                nginx_conf::parse::shorten(text)
            ));
        }
        parts.push(Part::Variable(variable(name)?));
        rest = behind;
    }
    push_literal(&mut parts, rest);
    Ok(Template(parts))
}

/// The text itself, if it has no variables.
pub(crate) fn literal(template: &Template) -> Option<Vec<u8>> {
    match template.0.as_slice() {
        [] => Some(Vec::new()),
        [Part::Literal(text)] => Some(text.clone()),
        _ => None,
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.extend_from_slice(text.as_bytes()),
        _ => parts.push(Part::Literal(text.as_bytes().to_vec())),
    }
}

/// The letters, digits and underscores at the start.
fn name_of(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.find(|c| !is_part(c)).map_or(text, |end| &text[..end])
}

/// The variable of a name; nginx takes names in either case.
fn variable(name: &str) -> Result<Variable, String> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == lower) {
        return Ok(variable.clone());
    }
    if let Some(variable) = family(&lower) {
        return Ok(variable);
    }
    if lower.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("\"${name}\" is a part of a regular expression, not supported yet"));
    }
    let starts = |prefix: &&str| lower.starts_with(*prefix);
    if NOT_YET.contains(&lower.as_str()) || NOT_YET_FAMILIES.iter().any(starts) {
        return Err(format!("the \"{name}\" variable is not supported yet"));
    }
    let near = nearest(&lower, VARIABLES.iter().map(|(known, _)| *known));
    let help = near.map_or(String::new(), |near| format!("; did you mean \"${near}\"?"));
    Err(format!("unknown \"{name}\" variable{help}"))
}

/// Variables that carry a field's, argument's or cookie's name in theirs.
fn family(name: &str) -> Option<Variable> {
    let dashed = |rest: &str| rest.replace('_', "-").into_bytes();
    if let Some(rest) = name.strip_prefix("http_") {
        return Some(Variable::Http(dashed(rest)));
    }
    if let Some(rest) = name.strip_prefix("sent_http_") {
        return Some(Variable::SentHttp(dashed(rest)));
    }
    if let Some(rest) = name.strip_prefix("upstream_http_") {
        return Some(Variable::UpstreamHttp(dashed(rest)));
    }
    if let Some(rest) = name.strip_prefix("arg_") {
        return Some(Variable::Arg(rest.as_bytes().to_vec()));
    }
    if let Some(rest) = name.strip_prefix("cookie_") {
        return Some(Variable::Cookie(rest.as_bytes().to_vec()));
    }
    // Without TLS nginx leaves all of these unset.
    name.starts_with("ssl_").then_some(Variable::Absent)
}

/// nginx: <https://nginx.org/en/docs/varindex.html>
const VARIABLES: &[(&str, Variable)] = &[
    ("args", Variable::Args),
    ("binary_remote_addr", Variable::BinaryRemoteAddr),
    ("body_bytes_sent", Variable::BodyBytesSent),
    ("bytes_sent", Variable::BytesSent),
    ("connection", Variable::Connection),
    ("connection_requests", Variable::ConnectionRequests),
    ("content_length", Variable::ContentLength),
    ("content_type", Variable::ContentType),
    ("document_uri", Variable::Uri),
    ("gzip_ratio", Variable::Absent),
    ("host", Variable::Host),
    ("hostname", Variable::Hostname),
    ("http2", Variable::Absent),
    ("http3", Variable::Absent),
    ("http_host", Variable::HttpHost),
    ("https", Variable::Absent),
    ("is_args", Variable::IsArgs),
    ("msec", Variable::Msec),
    ("nginx_version", Variable::NginxVersion),
    ("pid", Variable::Pid),
    ("pipe", Variable::Pipe),
    ("proxy_add_x_forwarded_for", Variable::ProxyAddXForwardedFor),
    ("proxy_host", Variable::ProxyHost),
    ("proxy_port", Variable::ProxyPort),
    ("query_string", Variable::QueryString),
    ("realip_remote_addr", Variable::RemoteAddr),
    ("realip_remote_port", Variable::RemotePort),
    ("remote_addr", Variable::RemoteAddr),
    ("remote_port", Variable::RemotePort),
    ("remote_user", Variable::RemoteUser),
    ("request", Variable::Request),
    ("request_completion", Variable::RequestCompletion),
    ("request_id", Variable::RequestId),
    ("request_length", Variable::RequestLength),
    ("request_method", Variable::RequestMethod),
    ("request_time", Variable::RequestTime),
    ("request_uri", Variable::RequestUri),
    ("scheme", Variable::Scheme),
    ("server_addr", Variable::ServerAddr),
    ("server_name", Variable::ServerName),
    ("server_port", Variable::ServerPort),
    ("server_protocol", Variable::ServerProtocol),
    ("status", Variable::Status),
    ("time_iso8601", Variable::TimeIso8601),
    ("time_local", Variable::TimeLocal),
    ("upstream_addr", Variable::UpstreamAddr),
    ("upstream_bytes_received", Variable::UpstreamBytesReceived),
    ("upstream_bytes_sent", Variable::UpstreamBytesSent),
    ("upstream_cache_status", Variable::Absent),
    ("upstream_connect_time", Variable::UpstreamConnectTime),
    ("upstream_header_time", Variable::UpstreamHeaderTime),
    ("upstream_response_length", Variable::UpstreamResponseLength),
    ("upstream_response_time", Variable::UpstreamResponseTime),
    ("upstream_status", Variable::UpstreamStatus),
    ("uri", Variable::Uri),
];

const NOT_YET: &[&str] = &[
    "connection_time",
    "connections_active",
    "connections_reading",
    "connections_waiting",
    "connections_writing",
    "document_root",
    "invalid_referer",
    "is_request_port",
    "limit_conn_status",
    "limit_rate",
    "limit_req_status",
    "realpath_root",
    "request_body",
    "request_body_file",
    "request_filename",
    "request_port",
    "slice_range",
    "uid_got",
    "uid_set",
    "upstream_last_server_name",
    "upstream_queue_time",
];

const NOT_YET_FAMILIES: &[&str] = &[
    "fastcgi_",
    "geoip_",
    "jwt_",
    "proxy_protocol_",
    "secure_link",
    "sent_trailer_",
    "tcpinfo_",
    "upstream_cookie_",
    "upstream_trailer_",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Part]) {
        assert_eq!(compile(text).map(|template| template.0).as_deref(), Ok(expected), "{text}");
    }

    fn text(text: &str) -> Part {
        Part::Literal(text.as_bytes().to_vec())
    }

    #[test]
    fn text_and_variables_are_told_apart() {
        check("", &[]);
        check("abc", &[text("abc")]);
        check("$host", &[Part::Variable(Variable::Host)]);
        check("a${host}b", &[text("a"), Part::Variable(Variable::Host), text("b")]);
        let both = [Part::Variable(Variable::Scheme), text("://"), Part::Variable(Variable::Host)];
        check("$scheme://$host", &both);
        check("$HOST", &[Part::Variable(Variable::Host)]);
        check("ü$host", &[text("ü"), Part::Variable(Variable::Host)]);
    }

    #[test]
    fn families_take_any_name() {
        check("$http_x_real_ip", &[Part::Variable(Variable::Http(b"x-real-ip".to_vec()))]);
        check("$http_host", &[Part::Variable(Variable::HttpHost)]);
        check("$sent_http_etag", &[Part::Variable(Variable::SentHttp(b"etag".to_vec()))]);
        check("$upstream_http_a", &[Part::Variable(Variable::UpstreamHttp(b"a".to_vec()))]);
        check("$arg_a_b", &[Part::Variable(Variable::Arg(b"a_b".to_vec()))]);
        check("$cookie_s", &[Part::Variable(Variable::Cookie(b"s".to_vec()))]);
        check("$ssl_protocol", &[Part::Variable(Variable::Absent)]);
    }

    #[test]
    fn bad_variables_are_told_in_nginx_words() {
        for (text, expected) in [
            ("$hostt", "unknown \"hostt\" variable; did you mean \"$host\"?"),
            ("${nothing_like_it}", "unknown \"nothing_like_it\" variable"),
            ("${host", "the closing bracket in \"host\" variable is missing"),
            ("a$", "invalid variable name in \"a$\""),
            ("$-", "invalid variable name in \"$-\""),
            ("${}", "invalid variable name in \"${}\""),
            ("${a-b}", "invalid variable name in \"${a-b}\""),
            ("$1", "\"$1\" is a part of a regular expression, not supported yet"),
            ("$document_root", "the \"document_root\" variable is not supported yet"),
            ("$upstream_cookie_a", "the \"upstream_cookie_a\" variable is not supported yet"),
        ] {
            assert_eq!(compile(text).map(|template| template.0), Err(expected.to_owned()));
        }
    }

    #[test]
    fn only_a_text_without_variables_is_literal() {
        assert_eq!(compile("").ok().and_then(|t| literal(&t)), Some(vec![]));
        assert_eq!(compile("a").ok().and_then(|t| literal(&t)), Some(b"a".to_vec()));
        assert_eq!(compile("a$host").ok().and_then(|t| literal(&t)), None);
    }
}
