//! nginx: `syslog:`: the head of a datagram, and the socket that it goes out by.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;
use std::time::SystemTime;

use proxy_core::clock;
use proxy_core::config::model::{ErrorLevel, Syslog, SyslogServer};

/// Longest datagram: nginx cuts off the rest of an error's line, and none is taken beyond this by
/// UDP.
pub(super) const DATAGRAM_BYTES_MAX: usize = 65_000;

/// Adds `<NUMBER>TIME HOST TAG: ` (RFC 3164 §4.1). Times are those of UTC.
pub(super) fn push_head(
    syslog: &Syslog,
    level: Option<ErrorLevel>,
    now: SystemTime,
    out: &mut Vec<u8>,
) {
    let severity = level.map_or(syslog.severity, severity_of);
    let priority = u32::from(syslog.facility) * 8 + u32::from(severity);
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // From `26/Nov/2026:14:16:56 +0000`.
    let mut date = Vec::new();
    clock::push_time_local(u64::try_from(since.as_millis()).unwrap_or(0), &mut date);
    let [day, month, time] = [0..2, 3..6, 12..20].map(|at| date.get(at).unwrap_or_default());
    out.extend_from_slice(format!("<{priority}>").as_bytes());
    out.extend_from_slice(month);
    out.push(b' ');
    // nginx: a day of one digit has a space before it.
    out.extend_from_slice(if day.starts_with(b"0") { b" " } else { &day[..day.len().min(1)] });
    out.extend_from_slice(day.get(1..).unwrap_or_default());
    out.push(b' ');
    out.extend_from_slice(time);
    out.push(b' ');
    if syslog.tells_host {
        out.extend_from_slice(host().as_bytes());
        out.push(b' ');
    }
    out.extend_from_slice(syslog.tag.as_bytes());
    out.extend_from_slice(b": ");
}

/// nginx: in lower case.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| crate::config::hostname().trim().to_ascii_lowercase())
}

/// RFC 3164 §4.1.1, which are nginx's.
fn severity_of(level: ErrorLevel) -> u8 {
    match level {
        ErrorLevel::Emerg => 0,
        ErrorLevel::Alert => 1,
        ErrorLevel::Crit => 2,
        ErrorLevel::Error => 3,
        ErrorLevel::Warn => 4,
        ErrorLevel::Notice => 5,
        ErrorLevel::Info => 6,
        ErrorLevel::Debug => 7,
    }
}

/// A socket that never waits.
pub(super) fn open(server: &SyslogServer) -> io::Result<OwnedFd> {
    match server {
        SyslogServer::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(path)?;
            Ok(socket.into())
        }
        SyslogServer::Udp(_, None) => Err(io::Error::other("its name has no address")),
        SyslogServer::Udp(_, Some(address)) => {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            Ok(socket.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_head_is_nginxs() {
        let syslog = Syslog {
            server: SyslogServer::Unix("/dev/log".into()),
            facility: 23,
            severity: 6,
            tag: "nginx".into(),
            tells_host: false,
        };
        let check = |syslog: &Syslog, level, seconds, expected: &str| {
            let mut out = Vec::new();
            push_head(syslog, level, UNIX_EPOCH + Duration::from_secs(seconds), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(&syslog, None, 1_795_702_616, "<190>Nov 26 14:16:56 nginx: ");
        check(&syslog, Some(ErrorLevel::Emerg), 0, "<184>Jan  1 00:00:00 nginx: ");
        let other =
            Syslog { facility: 0, severity: 7, tag: "a_b".into(), tells_host: true, ..syslog };
        let host = host();
        assert!(!host.is_empty() && !host.contains(char::is_whitespace), "{host:?}");
        check(&other, None, 951_782_400, &format!("<7>Feb 29 00:00:00 {host} a_b: "));
        check(
            &other,
            Some(ErrorLevel::Error),
            951_782_400,
            &format!("<3>Feb 29 00:00:00 {host} a_b: "),
        );
    }
}
