//! The command line: parsing with the kit's exit codes, and the types flags share.
//!
//! Owns durations, sizes and addresses as people write them. It binds sockets only when
//! asked ([`ListenAddress::bind`]) and reads no file.

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::exit;

/// Connections the kernel may hold before they are accepted; it caps this at `somaxconn`.
const BACKLOG: i32 = 4096;

/// Parses the process's arguments and environment.
///
/// # Errors
/// The code to exit with: 0 after `--help` and `--version` (printed to stdout), 64 after a wrong
/// command line (one line on stderr).
pub fn parse<T: Parser>() -> Result<T, ExitCode> {
    T::try_parse().map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away (`--help | head`) is no reason to fail.
            let _ = error.print();
            ExitCode::from(exit::OK)
        }
        _ => {
            let name = T::command().get_name().to_owned();
            let line = usage_error(&name, &error.to_string());
            let _ = writeln!(io::stderr(), "{line}");
            ExitCode::from(exit::USAGE)
        }
    })
}

/// Tells on stderr why a command line that could be parsed cannot be meant; the code to exit with.
pub fn refuse<T: Parser>(why: &str) -> ExitCode {
    let name = T::command().get_name().to_owned();
    let _ = writeln!(io::stderr(), "{}", usage_error(&name, why));
    ExitCode::from(exit::USAGE)
}

/// clap's several paragraphs as one line: its message, its tip, and where to look.
fn usage_error(program: &str, message: &str) -> String {
    let joined = |paragraph: &str| {
        paragraph
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut paragraphs = message.split("\n\n").map(joined);
    let first = paragraphs.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(&first);
    let tip = paragraphs
        .find(|paragraph| paragraph.starts_with("tip: "))
        .map_or_else(String::new, |tip| format!("; {}", tip.trim_start_matches("tip: ")));
    format!("{program}: {first}{tip} (see {program} --help)")
}

/// `500ms`, `5s`, `1m`, `1h`, `2d`; a plain number is seconds.
///
/// # Errors
/// A sentence that says what was expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (count, unit) = split_number(text)
        .ok_or_else(|| format!("{text:?} is not a duration like 500ms, 5s, 1m or 1h"))?;
    let unit_millis = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("unknown unit {unit:?}, expected ms, s, m, h or d")),
    };
    count
        .checked_mul(unit_millis)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("{text:?} is too long a time"))
}

/// `4096`, `10k`, `64KiB`, `1MiB`, `2G`: powers of 1024, as nginx and Kubernetes' `Ki` count.
///
/// `KB` and `MB` are refused rather than guessed at.
///
/// # Errors
/// A sentence that says what was expected.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (count, unit) = split_number(text)
        .ok_or_else(|| format!("{text:?} is not a size like 4096, 64KiB, 10k or 1MiB"))?;
    let unit_bytes = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "ki" | "kib" => 1 << 10,
        "m" | "mi" | "mib" => 1 << 20,
        "g" | "gi" | "gib" => 1 << 30,
        _ => {
            return Err(format!("unknown unit {unit:?}, expected KiB, MiB or GiB (or k, m, g)"));
        }
    };
    count.checked_mul(unit_bytes).ok_or_else(|| format!("{text:?} is too large"))
}

/// Leading digits and the rest; `None` without a digit or when the number passes 64 bits.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at_checked(digits)?;
    Some((count.parse().ok()?, unit))
}

/// Where to listen: `:PORT` (every address of both families), `HOST:PORT` or `[IPV6]:PORT`.
///
/// Port 0 lets the kernel choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` is every address.
    host: Option<Host>,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    /// Resolved when bound; the first address that can be bound is taken.
    Name(String),
}

impl ListenAddress {
    /// A listening, blocking, close-on-exec socket with `SO_REUSEADDR`.
    ///
    /// `:PORT` is one dual-stack socket where the kernel has IPv6, else IPv4 alone.
    ///
    /// # Errors
    /// What the system said about the last address that was tried.
    pub fn bind(&self) -> io::Result<TcpListener> {
        let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.candidates()? {
            match listen(address, self.host.is_none()) {
                Ok(listener) => return Ok(listener),
                Err(error) => last_error = error,
            }
        }
        Err(last_error)
    }

    fn candidates(&self) -> io::Result<Vec<SocketAddr>> {
        let at = |ip: IpAddr| SocketAddr::new(ip, self.port);
        Ok(match &self.host {
            None => vec![at(Ipv6Addr::UNSPECIFIED.into()), at(Ipv4Addr::UNSPECIFIED.into())],
            Some(Host::Ip(ip)) => vec![at(*ip)],
            Some(Host::Name(name)) => (name.as_str(), self.port).to_socket_addrs()?.collect(),
        })
    }
}

fn listen(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, !dual_stack)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

/// Whether `HOST[:PORT]` of an address has a host, and a port that there is; what stands before an `@` is
/// passed over.
///
/// # Errors
/// What is wrong with it, without a word of what may be a password.
pub fn check_authority(authority: &str) -> Result<(), String> {
    let whole = authority.rsplit('@').next().unwrap_or_default();
    let host_len = match whole.strip_prefix('[').and_then(|inner| inner.find(']')) {
        Some(inner_len) => inner_len + 2,
        None => whole.find(':').unwrap_or(whole.len()),
    };
    if host_len == 0 {
        return Err("it has no host".to_owned());
    }
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    match &whole[host_len..] {
        "" | ":" => Ok(()),
        rest => match rest.strip_prefix(':') {
            Some(port) if is_number(port) && matches!(port.parse(), Ok(1..=u16::MAX)) => Ok(()),
            Some(port) => Err(format!("port {port} is not within 1 to 65535")),
            None => Err(format!("{rest:?} is no port")),
        },
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenAddress, String> {
        let wrong =
            || format!("{text:?} is not an address like :5000, 127.0.0.1:5000 or [::1]:5000");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let port = port.parse().map_err(|_| format!("port {port} is not within 0 to 65535"))?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(ipv6) => Some(Host::Ip(IpAddr::V6(ipv6.parse().map_err(|_| wrong())?))),
            None if host.is_empty() => None,
            None => Some(match host.parse::<Ipv4Addr>() {
                Ok(ipv4) => Host::Ip(IpAddr::V4(ipv4)),
                Err(_) if is_host_name(host) => Host::Name(host.to_owned()),
                Err(_) => return Err(wrong()),
            }),
        };
        Ok(ListenAddress { host, port })
    }
}

/// Letters, digits, `-`, `.` and `_`, and not only digits and dots, which is a mistyped address.
fn is_host_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(out, ":{}", self.port),
            Some(Host::Ip(ip)) => write!(out, "{}", SocketAddr::new(*ip, self.port)),
            Some(Host::Name(name)) => write!(out, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn durations_are_read_with_each_unit() {
        let check = |text: &str, millis: u64| {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        };
        check("500ms", 500);
        check("5s", 5000);
        check("5", 5000);
        check("0", 0);
        check("1m", 60_000);
        check("2h", 7_200_000);
        check("1d", 86_400_000);
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "s", "-1s", "1.5s", "5 s", "5x", "1m30s", "18446744073709551615h", "٣s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        let check = |text: &str, expected: u64| assert_eq!(bytes(text), Ok(expected), "{text}");
        check("0", 0);
        check("4096", 4096);
        check("10k", 10_240);
        check("64KiB", 65_536);
        check("1MiB", 1 << 20);
        check("1Mi", 1 << 20);
        check("2G", 2 << 30);
    }

    #[test]
    fn sizes_of_unclear_meaning_are_refused() {
        for text in
            ["", "k", "-1", "1.5M", "1KB", "1MB", "1T", "99999999999999999999", "16777216TiB"]
        {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn listen_addresses_are_read_and_written_alike() {
        for text in [":5000", "127.0.0.1:0", "[::1]:80", "[::]:8080", "localhost:65535"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_listen_addresses_are_refused() {
        for text in [
            "",
            "5000",
            "127.0.0.1",
            ":",
            ":x",
            ":65536",
            ":+80",
            "::1:80",
            "[::1]",
            "1.2.3:80",
            "a b:80",
            "[1.2.3.4]:80",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_address_takes_both_families_where_there_are_two() {
        let listener = ":0".parse::<ListenAddress>().unwrap().bind().unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn loopback_is_loopback_only() {
        let listener = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let taken = "127.0.0.1:0".parse::<ListenAddress>().unwrap().bind().unwrap();
        let again = taken.local_addr().unwrap().to_string().parse::<ListenAddress>().unwrap();
        assert_eq!(again.bind().unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn a_usage_error_is_one_line_with_its_tip() {
        let message = "error: unexpected argument '--lisen' found\n\n  tip: a similar argument exists: \
                       '--listen'\n\nUsage: app [OPTIONS]\n\nFor more information, try '--help'.\n";
        assert_eq!(
            usage_error("app", message),
            "app: unexpected argument '--lisen' found; a similar argument exists: '--listen' \
             (see app --help)"
        );
        let message = "error: the following required arguments were not provided:\n  <PATH>\n  \
                       <URL>\n\nUsage: app <PATH>\n";
        assert_eq!(
            usage_error("app", message),
            "app: the following required arguments were not provided: <PATH> <URL> (see app --help)"
        );
    }
}
