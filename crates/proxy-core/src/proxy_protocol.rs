//! The PROXY protocol: what a load balancer says of a connection before its first request.
//!
//! Source: <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>. Pure: bytes in, addresses
//! out. Whom to believe is [`crate::phases`]' to say.

pub mod extensions;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A header is no longer. nginx: `NGX_PROXY_PROTOCOL_MAX_HEADER`.
pub const HEADER_BYTES_MAX: usize = 4096;
/// A line of version 1 is no longer, its end included.
const LINE_BYTES_MAX: usize = 107;
const LINE_BEGINNING: &[u8] = b"PROXY ";
/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED_BYTES: usize = 16;

/// Both ends of a connection, as it came to whoever passed it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
}

/// What a header tells of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its ends.
    pub ends: Ends,
    /// What version 2 has behind them; [`extensions`] finds a value in it.
    pub extensions: Box<[u8]>,
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// The beginning of a header.
    NeedMore,
    /// A header of so many bytes, unless it tells nothing.
    Done(usize, Option<Told>),
    /// No header.
    Broken,
}

/// Reads a header, or as much of one as is there.
pub fn read(bytes: &[u8]) -> Header {
    let begins = |known: &[u8]| {
        let count = bytes.len().min(known.len());
        bytes.get(..count) == known.get(..count)
    };
    match (begins(LINE_BEGINNING), begins(SIGNATURE)) {
        (true, _) => line(bytes),
        (_, true) => binary(bytes).unwrap_or(Header::NeedMore),
        _ => Header::Broken,
    }
}

/// Version 1.
fn line(bytes: &[u8]) -> Header {
    let first = bytes.get(..bytes.len().min(LINE_BYTES_MAX)).unwrap_or_default();
    match first.windows(2).position(|two| two == b"\r\n") {
        Some(end) => match words(first.get(LINE_BEGINNING.len()..end).unwrap_or_default()) {
            Some(ends) => {
                let told = ends.map(|ends| Told { ends, extensions: Box::default() });
                Header::Done(end + 2, told)
            }
            None => Header::Broken,
        },
        None if bytes.len() < LINE_BYTES_MAX => Header::NeedMore,
        None => Header::Broken,
    }
}

/// `TCP4 SOURCE DESTINATION PORT PORT`; of an unknown protocol whatever follows is passed over.
fn words(text: &[u8]) -> Option<Option<Ends>> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split(' ');
    let is_v4 = match words.next()? {
        "UNKNOWN" => return Some(None),
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let mut address = || words.next()?.parse().ok().filter(|ip: &IpAddr| ip.is_ipv4() == is_v4);
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
    };
    let (source_port, destination_port) = (port()?, port()?);
    if words.next().is_some() {
        return None;
    }
    Some(Some(Ends {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    }))
}

/// Version 2. `None` if there is more to come.
fn binary(bytes: &[u8]) -> Option<Header> {
    let fixed: &[u8; FIXED_BYTES] = bytes.first_chunk()?;
    let len = FIXED_BYTES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let is_command = matches!(fixed[12], 0x20 | 0x21);
    if !is_command || len > HEADER_BYTES_MAX {
        return Some(Header::Broken);
    }
    let told = bytes.get(FIXED_BYTES..len)?;
    // A connection of the load balancer's own, as for its checks, comes from where it comes from.
    if fixed[12] == 0x20 {
        return Some(Header::Done(len, None));
    }
    let told = match fixed[13] >> 4 {
        1 => told.split_first_chunk::<12>().map(|(&[a, b, c, d, e, f, g, h, ports @ ..], rest)| {
            (ends([a, b, c, d].into(), [e, f, g, h].into(), ports), rest)
        }),
        2 => told.split_first_chunk::<36>().map(|(told, rest)| {
            let ip = |at: usize| told.get(at..at + 16).and_then(|ip| ip.try_into().ok());
            let ip = |at: usize| Ipv6Addr::from(ip(at).unwrap_or([0u8; 16]));
            (ends(ip(0).into(), ip(16).into(), [told[32], told[33], told[34], told[35]]), rest)
        }),
        // nginx: "unsupported address family"; the connection goes on.
        _ => return Some(Header::Done(len, None)),
    };
    let Some((ends, extensions)) = told else { return Some(Header::Broken) };
    Some(Header::Done(len, Some(Told { ends, extensions: extensions.into() })))
}

fn ends(source: IpAddr, destination: IpAddr, ports: [u8; 4]) -> Ends {
    let [a, b, c, d] = ports;
    Ends {
        source: SocketAddr::new(source, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination, u16::from_be_bytes([c, d])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(source: &str, destination: &str) -> Option<Told> {
        let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
        Some(Told { ends: Ends { source, destination }, extensions: Box::default() })
    }

    /// Version 2 with this command and family, and what follows them.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = (rest.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, rest].concat()
    }

    #[test]
    fn a_line_tells_both_ends() {
        let check = |line: &str, expected: Option<Told>| {
            let text = format!("{line}\r\nGET / HTTP/1.1\r\n");
            assert_eq!(read(text.as_bytes()), Header::Done(line.len() + 2, expected), "{line}");
            for end in 0..line.len() + 2 {
                assert_eq!(read(&text.as_bytes()[..end]), Header::NeedMore, "{line} {end}");
            }
        };
        check("PROXY TCP4 1.2.3.4 10.0.0.1 5000 80", told("1.2.3.4:5000", "10.0.0.1:80"));
        check("PROXY TCP6 2001:db8::1 ::1 5000 80", told("[2001:db8::1]:5000", "[::1]:80"));
        check("PROXY UNKNOWN", None);
        check("PROXY UNKNOWN whatever there is", None);
    }

    #[test]
    fn what_is_no_header_is_broken() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_BYTES_MAX - 15));
        for text in [
            "GET / HTTP/1.1\r\n\r\n",
            "PROXY TCP5 1.2.3.4 10.0.0.1 5000 80\r\n",
            "PROXY TCP4 1.2.3.4 ::1 5000 80\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 5000\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 5000 65536\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 +5000 80\r\n",
            "PROXY TCP4 1.2.3.4 10.0.0.1 5000 80 \r\n",
            "PROXY TCP4  1.2.3.4 10.0.0.1 5000 80\r\n",
            "PROXY \r\n",
            "\r\n\r\nGET",
            &long,
        ] {
            assert_eq!(read(text.as_bytes()), Header::Broken, "{text}");
        }
        let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE_BYTES_MAX - 16));
        assert_eq!(read(longest.as_bytes()), Header::Done(LINE_BYTES_MAX, None));
    }

    #[test]
    fn version_two_tells_both_ends_in_bytes() {
        let v4 = [1, 2, 3, 4, 10, 0, 0, 1, 0x13, 0x88, 0, 80];
        let mut v6 = [0; 36];
        (v6[0], v6[15], v6[31], v6[33], v6[35]) = (0x20, 1, 1, 7, 8);
        let check = |bytes: Vec<u8>, expected: Option<Told>| {
            assert_eq!(read(&bytes), Header::Done(bytes.len(), expected), "{bytes:?}");
            for end in 0..bytes.len() {
                assert_eq!(read(&bytes[..end]), Header::NeedMore, "{end}");
            }
        };
        check(v2(0x21, 0x11, &v4), told("1.2.3.4:5000", "10.0.0.1:80"));
        let extensions = |told: Option<Told>| {
            told.map(|told| Told { extensions: b"\x04\0\x01x"[..].into(), ..told })
        };
        check(
            v2(0x21, 0x11, &[&v4[..], b"\x04\0\x01x"].concat()),
            extensions(told("1.2.3.4:5000", "10.0.0.1:80")),
        );
        check(
            v2(0x21, 0x21, &[&v6[..], b"\x04\0\x01x"].concat()),
            extensions(told("[2000::1]:7", "[::1]:8")),
        );
        check(v2(0x21, 0x21, &v6), told("[2000::1]:7", "[::1]:8"));
        check(v2(0x20, 0x00, b""), None);
        check(v2(0x21, 0x31, &[0; 216]), None);
        check(v2(0x20, 0x11, &[0; HEADER_BYTES_MAX - FIXED_BYTES]), None);
    }

    #[test]
    fn a_broken_version_two_is_known_by_its_first_bytes() {
        for (command, family, rest) in
            [(0x22, 0x11, 12), (0x11, 0x11, 12), (0x21, 0x11, 11), (0x21, 0x21, 35)]
        {
            let bytes = v2(command, family, &vec![0; rest]);
            assert_eq!(read(&bytes), Header::Broken, "{command} {family} {rest}");
        }
        let too_long = v2(0x20, 0x11, &vec![0; HEADER_BYTES_MAX - FIXED_BYTES + 1]);
        assert_eq!(read(&too_long[..FIXED_BYTES]), Header::Broken);
    }
}
