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
    /// Something else was among them, so that fields may be nominated.
    pub(crate) nominates: bool,
}

impl Connection {
    /// Takes the value of a Connection field.
    pub(crate) fn take(&mut self, value: &[u8]) {
        // Most have one option.
        if !self.take_option(value) {
            for option in options(value) {
                self.nominates |= !self.take_option(option);
            }
        }
    }

    /// False if `option` is none of the known ones.
    fn take_option(&mut self, option: &[u8]) -> bool {
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

    /// Whether the connection goes on after this message (RFC 9112 §9.3).
    pub(crate) fn persists(&self, version: Version) -> bool {
        match version {
            _ if self.close => false,
            Version::Http11 => true,
            Version::Http10 => self.keep_alive,
        }
    }
}

/// The members of a list that are not empty (RFC 9110 §5.6.1).
fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim).filter(|option| !option.is_empty())
}

/// Bound of the different names that the Connection fields of one head may nominate. Honest peers
/// name one or two.
const NOMINATED_MAX: usize = 64;

/// Makes `Hop` of each field that the Connection fields nominate. Called only where there are
/// nominations, for it allocates. The work is that of a sort: a name that comes again costs one
/// search among the names so far. Host and Cache-Control stay end-to-end whatever is said of them:
/// a client must not be able to make them vanish.
#[cold]
pub(crate) fn class_nominated(fields: &mut [Field], bytes: &[u8]) -> Result<(), Reject> {
    let mut names: Vec<&[u8]> = Vec::new();
    let is_connection = |field: &&Field| {
        field.class == FieldClass::Hop && field.name.of(bytes).eq_ignore_ascii_case(b"connection")
    };
    for field in fields.iter().filter(is_connection) {
        for option in options(field.value.of(bytes)) {
            let Err(place) = names.binary_search_by(|name| compare(name, option)) else {
                continue;
            };
            if names.len() >= NOMINATED_MAX {
                return Err(Reject::TooManyNominations);
            }
            names.insert(place, option);
        }
    }
    for field in fields {
        let name = field.name.of(bytes);
        let is_kept =
            [&b"host"[..], b"cache-control"].iter().any(|kept| name.eq_ignore_ascii_case(kept));
        if !is_kept && names.binary_search_by(|nominated| compare(nominated, name)).is_ok() {
            field.class = FieldClass::Hop;
        }
    }
    Ok(())
}

/// An order of names in any case: by length, then by bytes.
fn compare(one: &[u8], other: &[u8]) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| {
        let pairs = one.iter().zip(other);
        let pairs = pairs.map(|(a, b)| a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()));
        pairs.fold(Ordering::Equal, Ordering::then)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_options_are_a_list_in_any_case() {
        let mut connection = Connection::default();
        connection.take(b"Keep-Alive , ,UPGRADE");
        assert!(connection.keep_alive && connection.upgrade);
        assert!(!connection.close && !connection.nominates);
        connection.take(b"x-secret,\tclose");
        assert!(connection.close && connection.nominates);
    }

    #[test]
    fn persistence_follows_version_and_options() {
        let check = |version, value: &[u8], expected| {
            let mut connection = Connection::default();
            connection.take(value);
            assert_eq!(connection.persists(version), expected, "{version:?} {value:?}");
        };
        check(Version::Http11, b"", true);
        check(Version::Http11, b"close", false);
        check(Version::Http11, b"close, keep-alive", false);
        check(Version::Http10, b"", false);
        check(Version::Http10, b"keep-alive", true);
        check(Version::Http10, b"keep-alive, close", false);
    }
}
