//! What the Connection fields of a head say: options of this connection, and names of fields that
//! belong to it (RFC 9110 §7.6.1).

use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::field::{Field, FieldClass};
use crate::grammar::Version;
use crate::line::trim;
use crate::reject::Reject;

/// The options of the Connection fields (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `close` was among them.
    pub close: bool,
    /// `keep-alive` was among them.
    pub keep_alive: bool,
    /// `upgrade` was among them.
    pub upgrade: bool,
}

impl Connection {
    /// Takes one option; false if it is none of the known ones.
    pub(crate) fn take_option(&mut self, option: &[u8]) -> bool {
        let (flag, name): (_, &[u8]) = match option.len() {
            5 => (&mut self.close, b"close"),
            7 => (&mut self.upgrade, b"upgrade"),
            10 => (&mut self.keep_alive, b"keep-alive"),
            _ => return false,
        };
        let is_known = option.eq_ignore_ascii_case(name);
        *flag |= is_known;
        is_known
    }

    /// Takes the lists of options in all Connection fields of a head, and makes `Hop` of each field
    /// that they nominate. Allocates only if they nominate any. The work is that of a sort: a name
    /// that comes again costs one search among the names so far. Host and Cache-Control stay
    /// end-to-end whatever is said of them: a client must not be able to make them vanish.
    #[cold]
    pub(crate) fn take_lists(&mut self, fields: &mut [Field], bytes: &[u8]) -> Result<(), Reject> {
        let names = self.nominated(fields, bytes)?;
        if !names.is_empty() {
            class_nominated(fields, bytes, &names);
        }
        Ok(())
    }

    /// The names that the Connection fields nominate, in order and each once.
    fn nominated<'b>(
        &mut self,
        fields: &[Field],
        bytes: &'b [u8],
    ) -> Result<Vec<&'b [u8]>, Reject> {
        let mut names: Vec<&[u8]> = Vec::new();
        for field in fields.iter().filter(|field| field.class == FieldClass::Hop) {
            if !field.name.of(bytes).eq_ignore_ascii_case(b"connection") {
                continue;
            }
            for option in field.value.of(bytes).split(|&byte| byte == b',') {
                let option = trim(option);
                if option.is_empty() || self.take_option(option) {
                    continue;
                }
                let Err(place) = names.binary_search_by(|name| compare(name, option)) else {
                    continue;
                };
                if names.len() >= NOMINATED_MAX {
                    return Err(Reject::TooManyNominations);
                }
                names.insert(place, option);
            }
        }
        Ok(names)
    }

    /// Whether the connection goes on after this message (RFC 9112 §9.3).
    pub(crate) fn persists(&self, version: Version) -> bool {
        match version {
            _ if self.close => false,
            Version::Http11 => true,
            Version::Http10 => self.keep_alive,
        }
    }
}

/// Bound of the different names that the Connection fields of one head may nominate. Honest peers
/// name one or two.
const NOMINATED_MAX: usize = 64;

fn class_nominated(fields: &mut [Field], bytes: &[u8], names: &[&[u8]]) {
    for field in fields {
        let name = field.name.of(bytes);
        let is_kept = |kept: &[u8]| name.eq_ignore_ascii_case(kept);
        if names.binary_search_by(|nominated| compare(nominated, name)).is_ok()
            && !is_kept(b"host")
            && !is_kept(b"cache-control")
        {
            field.class = FieldClass::Hop;
        }
    }
}

/// An order of names in any case: by length, then by bytes.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let by_bytes = || {
        let other = other.iter().map(u8::to_ascii_lowercase);
        one.iter().map(u8::to_ascii_lowercase).cmp(other)
    };
    one.len().cmp(&other.len()).then_with(by_bytes)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::{Limits, Parsed, RequestHead, parse_request};

    fn parse(fields: &str) -> (Parsed<()>, RequestHead, String) {
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let limits = Limits { field_bytes_max: 32 * 1024, ..Limits::default() };
        let mut head = RequestHead::new();
        (parse_request(input.as_bytes(), &limits, &mut head), head, input)
    }

    /// Checks which of the fields belong to the connection; Host is never among them.
    fn check(fields: &str, expected: &[&str]) {
        let (parsed, head, input) = parse(fields);
        assert!(matches!(parsed, Parsed::Done { .. }), "{fields}");
        let hop = head.fields.iter().filter(|field| field.class == FieldClass::Hop);
        let names: Vec<_> = hop.map(|field| field.name.of(input.as_bytes())).collect();
        assert_eq!(names, expected.iter().map(|name| name.as_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn options_are_a_list_in_any_case() {
        let check = |value: &str, expected: [bool; 3]| {
            let (_, head, _) = parse(&format!("Connection: {value}\r\n"));
            let Connection { close, keep_alive, upgrade } = head.connection;
            assert_eq!([close, keep_alive, upgrade], expected, "{value}");
        };
        check("", [false, false, false]);
        check("Close", [true, false, false]);
        check("keep-alive", [false, true, false]);
        check("Keep-Alive , ,UPGRADE", [false, true, true]);
        check("x-secret,\tclose", [true, false, false]);
        check("closed, upgrad, keep_alive", [false, false, false]);
        check("close, x\r\nConnection: upgrade", [true, false, true]);
    }

    #[test]
    fn nominated_fields_belong_to_the_connection_wherever_they_stand() {
        check(
            "X-One: 1\r\nConnection: x-ONE, close\r\nX-Two: 2\r\nX-Three: 3\r\n\
             Connection: \t, X-Two ,,\r\nx-one: 4\r\n",
            &["X-One", "Connection", "X-Two", "Connection", "x-one"],
        );
        check("Connection: close\r\nClose: 1\r\n", &["Connection"]);
        check("Connection: X-On\r\nX-One: 1\r\nX-O: 2\r\n", &["Connection"]);
        check("Connection: a_b, (x)\r\na_b: 1\r\n(x): 2\r\n", &["Connection", "a_b", "(x)"]);
    }

    #[test]
    fn nobody_can_make_host_and_cache_control_vanish() {
        check("Connection: host, Cache-Control, x\r\nCache-Control: a\r\n", &["Connection"]);
    }

    #[test]
    fn sixty_four_names_may_be_nominated_however_often() {
        let list = |names: core::ops::Range<usize>| {
            let names: Vec<String> = names.map(|number| format!("x-{number}")).collect();
            names.join(",")
        };
        let check_all = |connection: String| {
            let fields = format!("{connection}x-0: 1\r\nx-63: 2\r\nx-64: 3\r\n");
            let (parsed, head, input) = parse(&fields);
            assert!(matches!(parsed, Parsed::Done { .. }), "{fields}");
            let class = |name: &str| {
                let is_it = |field: &&Field| field.name.of(input.as_bytes()) == name.as_bytes();
                head.fields.iter().find(is_it).map(|field| field.class)
            };
            assert_eq!(class("x-0"), Some(FieldClass::Hop));
            assert_eq!(class("x-63"), Some(FieldClass::Hop));
            assert_eq!(class("x-64"), Some(FieldClass::EndToEnd));
        };
        check_all(format!("Connection: {}\r\n", list(0..64)));
        let again = format!("{},{}", list(0..64), list(0..64).to_uppercase());
        check_all(format!("Connection: {again}\r\nConnection: close, {again}\r\n"));
        for too_many in [
            format!("Connection: {}\r\n", list(0..65)),
            format!("Connection: {}\r\nConnection: {}\r\n", list(0..33), list(32..65)),
        ] {
            assert_eq!(parse(&too_many).0, Parsed::Reject(Reject::TooManyNominations));
        }
    }

    #[test]
    fn persistence_follows_version_and_options() {
        let check = |version, option: &[u8], expected| {
            let mut connection = Connection::default();
            connection.take_option(option);
            assert_eq!(connection.persists(version), expected, "{version:?} {option:?}");
        };
        check(Version::Http11, b"", true);
        check(Version::Http11, b"close", false);
        check(Version::Http10, b"", false);
        check(Version::Http10, b"keep-alive", true);
        let both = Connection { close: true, keep_alive: true, upgrade: false };
        assert!(!both.persists(Version::Http10) && !both.persists(Version::Http11));
    }
}
