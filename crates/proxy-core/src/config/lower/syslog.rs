//! nginx: `syslog:server=…[,PARAMETER=VALUE]` of `access_log` and `error_log`.

use std::net::SocketAddr;

use nginx_conf::Directive;

use super::Lower;
use crate::config::address::{HostPort, host_port, literal_ip};
use crate::config::model::{Syslog, SyslogServer};

/// nginx: facilities by their number (RFC 3164 §4.1.1).
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "intern", "lpr", "news", "uucp", "clock", "authpriv",
    "ftp", "ntp", "audit", "alert", "cron", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];
/// nginx: severities by their number.
const SEVERITIES: [&str; 8] =
    ["emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"];
/// nginx: a port that is not written.
const PORT: u16 = 514;
/// RFC 3164 §4.1.3.
const TAG_BYTES_MAX: usize = 32;

/// What is written, each once.
#[derive(Default)]
struct Written<'t> {
    server: Option<&'t str>,
    facility: Option<u8>,
    severity: Option<u8>,
    tag: Option<&'t str>,
    hides_host: bool,
}

impl Lower<'_> {
    /// What follows `syslog:`; nothing where it is wrong, which is told.
    pub(super) fn syslog(&mut self, text: &str, directive: &Directive) -> Option<Syslog> {
        let span = directive.arg_span(0);
        let made = written(text).and_then(|written| {
            let server = written.server.ok_or("no syslog server specified")?;
            let server = match server.strip_prefix("unix:") {
                Some("") => return Err("no path in the unix domain socket".to_owned()),
                Some(path) => SyslogServer::Unix(self.surroundings.folder.join(path)),
                None => {
                    let HostPort { host, port } =
                        host_port(server).map_err(|what| format!("{what} in \"{server}\""))?;
                    let port = port.unwrap_or(PORT);
                    let found = || (self.surroundings.resolve)(host, port).first().copied();
                    let literal = literal_ip(host).map(|ip| SocketAddr::new(ip, port));
                    SyslogServer::Udp(server.to_owned(), literal.or_else(found))
                }
            };
            Ok(Syslog {
                server,
                facility: written.facility.unwrap_or(23),
                severity: written.severity.unwrap_or(6),
                tag: written.tag.unwrap_or("nginx").to_owned(),
                tells_host: !written.hides_host,
            })
        });
        let syslog = made.map_err(|message| self.error(span, message)).ok()?;
        if let SyslogServer::Udp(name, None) = &syslog.server {
            let message = format!(
                "host not found in syslog server \"{name}\": lines for it are dropped until a \
                 reload finds it"
            );
            self.warn(span, message);
        }
        Some(syslog)
    }
}

/// Takes the parameters apart. The errors are nginx's.
fn written(text: &str) -> Result<Written<'_>, String> {
    let mut written = Written::default();
    for parameter in text.split(',') {
        let twice = |name: &str| Err(format!("duplicate syslog \"{name}\""));
        match parameter.split_once('=') {
            Some(("server", _)) if written.server.is_some() => return twice("server"),
            Some(("server", server)) => written.server = Some(server),
            Some(("facility", _)) if written.facility.is_some() => return twice("facility"),
            Some(("facility", name)) => {
                let number = number_of(name, &FACILITIES);
                written.facility =
                    Some(number.ok_or_else(|| format!("unknown syslog facility \"{name}\""))?);
            }
            Some(("severity", _)) if written.severity.is_some() => return twice("severity"),
            Some(("severity", name)) => {
                let number = number_of(name, &SEVERITIES);
                written.severity =
                    Some(number.ok_or_else(|| format!("unknown syslog severity \"{name}\""))?);
            }
            Some(("tag", _)) if written.tag.is_some() => return twice("tag"),
            Some(("tag", tag)) => written.tag = Some(checked_tag(tag)?),
            None if parameter == "nohostname" => written.hides_host = true,
            _ => return Err(format!("unknown syslog parameter \"{parameter}\"")),
        }
    }
    Ok(written)
}

fn number_of(name: &str, names: &[&str]) -> Option<u8> {
    names.iter().position(|known| *known == name).and_then(|index| u8::try_from(index).ok())
}

fn checked_tag(tag: &str) -> Result<&str, String> {
    if tag.len() > TAG_BYTES_MAX {
        return Err(format!("syslog tag length exceeds {TAG_BYTES_MAX}"));
    }
    if !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err("syslog \"tag\" only allows alphanumeric characters and underscore".to_owned());
    }
    Ok(tag)
}
