//! What version 2 tells behind the addresses: values that have a type and a length each.
//!
//! Source: the same, section 2.2. Pure; which of them a file asks for, and by what name, is nginx's
//! `$proxy_protocol_tlv_NAME`.

use std::borrow::Cow;

/// Type of what is told of TLS, which has values of its own in it.
const TLS: u64 = 0x20;
/// nginx: its names of types; any other is told by its number, as `0x20`.
const TYPES: [(&[u8], u64); 5] =
    [(b"alpn", 1), (b"authority", 2), (b"unique_id", 5), (b"ssl", TLS), (b"netns", 0x30)];
/// nginx: those of TLS, behind `ssl_`.
const TLS_TYPES: [(&[u8], u64); 5] =
    [(b"version", 0x21), (b"cn", 0x22), (b"cipher", 0x23), (b"sig_alg", 0x24), (b"key_alg", 0x25)];

/// Why there is no value, as nginx's error log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// What was told ends within a value.
    Broken,
    /// No type has that name.
    Unknown,
    /// What follows `0x` is no number.
    Invalid,
}

/// The value of a name: none where nothing was told of it.
pub fn named<'e>(extensions: &'e [u8], name: &[u8]) -> Result<Option<Cow<'e, [u8]>>, Missing> {
    let Some(name) = name.strip_prefix(b"ssl_") else {
        return Ok(find(extensions, number(name, &TYPES)?)?.map(Cow::Borrowed));
    };
    let Some(tls) = find(extensions, TLS)? else { return Ok(None) };
    // What the client did, and what became of its certificate, stand before the values.
    let Some((&[_, verified @ ..], values)) = tls.split_first_chunk::<5>() else {
        return Err(Missing::Broken);
    };
    if name == b"verify" {
        return Ok(Some(Cow::Owned(u32::from_be_bytes(verified).to_string().into_bytes())));
    }
    Ok(find(values, number(name, &TLS_TYPES)?)?.map(Cow::Borrowed))
}

/// The first value of a type.
fn find(mut extensions: &[u8], number: u64) -> Result<Option<&[u8]>, Missing> {
    while !extensions.is_empty() {
        let Some((&[found, high, low], rest)) = extensions.split_first_chunk::<3>() else {
            return Err(Missing::Broken);
        };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (value, rest) = rest.split_at_checked(len).ok_or(Missing::Broken)?;
        if u64::from(found) == number {
            return Ok(Some(value));
        }
        extensions = rest;
    }
    Ok(None)
}

fn number(name: &[u8], types: &[(&[u8], u64)]) -> Result<u64, Missing> {
    if let Some(digits) = name.strip_prefix(b"0x") {
        let is_number = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_number);
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        return number.ok_or(Missing::Invalid);
    }
    let known = types.iter().find(|(known, _)| *known == name);
    known.map(|(_, number)| *number).ok_or(Missing::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values with their types and lengths.
    fn told(values: &[(u8, &[u8])]) -> Vec<u8> {
        let one = |(kind, value): &(u8, &[u8])| {
            [&[*kind][..], &(value.len() as u16).to_be_bytes(), value].concat()
        };
        values.iter().flat_map(one).collect()
    }

    fn check(extensions: &[u8], name: &str, expected: Result<Option<&str>, Missing>) {
        let found = named(extensions, name.as_bytes());
        let expected = expected.map(|value| value.map(|value| value.as_bytes().into()));
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn a_value_is_found_by_its_name_and_by_its_number() {
        let tls = told(&[(0x21, b"TLSv1.3"), (0x22, b"client"), (0x25, b"RSA2048")]);
        let tls = [&[7, 0, 0, 1, 2][..], &tls].concat();
        let all = told(&[
            (4, b"padding"),
            (1, b"h2"),
            (2, b"a.test"),
            (0x20, &tls),
            (1, b"h3"),
            (0xea, b""),
        ]);
        for (name, expected) in [
            ("alpn", Some("h2")),
            ("0x1", Some("h2")),
            ("0x01", Some("h2")),
            ("authority", Some("a.test")),
            ("0x4", Some("padding")),
            ("0xea", Some("")),
            ("unique_id", None),
            ("netns", None),
            ("0x120", None),
            ("ssl_version", Some("TLSv1.3")),
            ("ssl_cn", Some("client")),
            ("ssl_key_alg", Some("RSA2048")),
            ("ssl_0x22", Some("client")),
            ("ssl_cipher", None),
            ("ssl_verify", Some("258")),
        ] {
            check(&all, name, Ok(expected));
        }
        assert_eq!(named(&all, b"ssl"), Ok(Some(tls.into())));
        check(b"", "alpn", Ok(None));
        check(b"", "ssl_cn", Ok(None));
    }

    #[test]
    fn what_is_no_name_and_what_ends_too_early_is_said_to_be() {
        let all = told(&[(1, b"h2"), (0x20, b"\x07\0\0\0")]);
        check(&all, "other", Err(Missing::Unknown));
        check(&all, "", Err(Missing::Unknown));
        for name in ["0x", "0xg", "0x+1", "0x10000000000000000"] {
            // Of no digits Rust makes no number, and neither does nginx.
            check(&all, name, Err(Missing::Invalid));
        }
        check(&all, "ssl_cn", Err(Missing::Broken));
        // What stands before the break is there.
        for end in 1..all.len() {
            let expected = if end < 5 { Err(Missing::Broken) } else { Ok(Some("h2")) };
            check(&all[..end], "alpn", expected);
        }
        check(&told(&[(1, b"h2")])[..4], "alpn", Err(Missing::Broken));
        check(&[&told(&[(1, b"h2")])[..], b"\x02"].concat(), "netns", Err(Missing::Broken));
    }
}
