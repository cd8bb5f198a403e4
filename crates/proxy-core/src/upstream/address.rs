//! Where a server of an upstream is reached: an address and port, or a socket in the file system.
//!
//! Owns: how each is read and written. It looks no name up and opens nothing.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::address::literal_ip;

/// How nginx marks the path of a socket.
const UNIX: &str = "unix:";
/// Longest path of a socket in bytes: Linux has room for 108, nginx ends it by a NUL.
pub const UNIX_PATH_BYTES_MAX: usize = 107;

/// Where a server of an upstream is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// By TCP.
    Tcp(SocketAddr),
    /// By a socket at this path, which may be relative to the working folder. Names of the
    /// abstract kind cannot be written, as in nginx.
    Unix(Arc<str>),
}

impl Address {
    /// What a `server` or a `proxy_pass` names without a look-up: `unix:PATH`, or a literal
    /// address. Nothing where it is a name.
    pub fn literal(host: &str, port: u16) -> Option<Address> {
        match host.strip_prefix(UNIX) {
            Some(path) => Some(Address::Unix(path.into())),
            None => literal_ip(host).map(|ip| Address::Tcp(SocketAddr::new(ip, port))),
        }
    }

    /// Whether it is in this pod: its loopback, or a socket in its file system.
    pub fn is_local(&self) -> bool {
        match self {
            Address::Tcp(address) => address.ip().is_loopback(),
            Address::Unix(_) => true,
        }
    }
}

/// The host of a `unix:PATH`, if the text is one: the whole. The error is nginx's word for it,
/// without a place.
pub(crate) fn unix_host(text: &str) -> Option<Result<&str, &'static str>> {
    let path = text.strip_prefix(UNIX)?;
    Some(match path.len() {
        0 => Err("no path in the unix domain socket"),
        1..=UNIX_PATH_BYTES_MAX => Ok(text),
        _ => Err("too long path in the unix domain socket"),
    })
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Address {
        Address::Tcp(address)
    }
}

impl fmt::Display for Address {
    /// nginx: `$upstream_addr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "{UNIX}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_look_up_is_known_at_once_and_written_as_it_was() {
        for (host, expected) in [
            ("10.0.0.1", Some("10.0.0.1:81")),
            ("[::1]", Some("[::1]:81")),
            ("unix:/run/app.sock", Some("unix:/run/app.sock")),
            ("unix:app:1", Some("unix:app:1")),
            ("app", None),
            ("unix", None),
        ] {
            let address = Address::literal(host, 81).map(|address| address.to_string());
            assert_eq!(address.as_deref(), expected, "{host}");
        }
    }

    #[test]
    fn a_path_is_as_long_as_the_system_takes_it() {
        let longest = format!("/{}", "a".repeat(UNIX_PATH_BYTES_MAX - 1));
        let host = format!("unix:{longest}");
        assert_eq!(unix_host(&host), Some(Ok(&*host)));
        let told = Some(Err("too long path in the unix domain socket"));
        assert_eq!(unix_host(&format!("unix:{longest}a")), told);
        assert_eq!(unix_host("unix:"), Some(Err("no path in the unix domain socket")));
        assert_eq!(unix_host("/run/app.sock"), None);
    }

    #[test]
    fn an_address_takes_no_more_room_than_that_of_tcp() {
        assert_eq!(size_of::<Option<Address>>(), size_of::<SocketAddr>());
    }
}
