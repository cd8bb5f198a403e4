//! Values that are parts of others: a cookie, an argument, the name in credentials.
//!
//! It takes apart what it is given; where that comes from is not its affair.

/// nginx: `$gzip_ratio`: two decimals, rounded.
pub(super) fn push_ratio((before, after): (u64, u64), out: &mut Vec<u8>) {
    let hundredths = (before * 1_000 / after.max(1) + 5) / 10;
    http1::push_decimal(out, hundredths / 100);
    out.push(b'.');
    out.extend_from_slice(if hundredths % 100 < 10 { b"0" } else { b"" });
    http1::push_decimal(out, hundredths % 100);
}

/// The value of the first cookie of that name. nginx: names are looked for behind `;` and `,` and
/// the spaces after them, spaces may stand around `=`, and only `;` ends a value.
pub(super) fn cookie<'f>(fields: impl Iterator<Item = &'f [u8]>, name: &[u8]) -> Option<&'f [u8]> {
    for mut rest in fields {
        while !rest.is_empty() {
            if let Some(value) = pair_of(rest, name) {
                let end = value.iter().position(|&byte| byte == b';');
                return end.map_or(Some(value), |end| value.get(..end));
            }
            let end = rest.iter().position(|byte| matches!(byte, b';' | b','));
            let after = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
            rest = skip_spaces(after);
        }
    }
    None
}

/// The value of the first cookie that is set by that name. nginx: each field sets one.
pub(super) fn set_cookie<'f>(
    mut fields: impl Iterator<Item = &'f [u8]>,
    name: &[u8],
) -> Option<&'f [u8]> {
    let value = fields.find_map(|field| pair_of(field, name))?;
    value.split(|&byte| byte == b';').next()
}

/// What follows `name =` at the front of `bytes`.
fn pair_of<'b>(bytes: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let (front, rest) = bytes.split_at_checked(name.len())?;
    if !front.eq_ignore_ascii_case(name) {
        return None;
    }
    skip_spaces(rest).strip_prefix(b"=").map(skip_spaces)
}

fn skip_spaces(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// The value of the first argument of that name.
pub(super) fn argument<'a>(args: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    args.split(|&byte| byte == b'&').find_map(|argument| {
        let (key, value) = argument.split_at_checked(name.len())?;
        let value = value.strip_prefix(b"=")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Adds the name in the credentials of an Authorization field. nginx: `$remote_user`: Basic ones
/// alone, whose name is not empty and has a colon after it. False where there is none.
pub(super) fn push_basic_user(value: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((user, _)) = credentials(value) else { return false };
    out.extend_from_slice(&user);
    true
}

/// The name and the password in an Authorization field, of which the name is not empty.
pub(crate) fn credentials(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    let mut user = Vec::new();
    let is_basic = scheme.eq_ignore_ascii_case(b"basic ");
    if !is_basic || !crypt::decode(skip_spaces(encoded), &mut user) {
        return None;
    }
    let colon = user.iter().position(|&byte| byte == b':').filter(|colon| *colon > 0)?;
    let password = user.get(colon + 1..)?.to_vec();
    user.truncate(colon);
    Some((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_where_nginx_finds_it() {
        let check = |fields: &[&str], expected: Option<&str>| {
            let found = cookie(fields.iter().map(|field| field.as_bytes()), b"c");
            assert_eq!(found, expected.map(str::as_bytes), "{fields:?}");
        };
        check(&["c=1; d=2"], Some("1"));
        check(&["d=2; C=1"], Some("1"));
        check(&["d=2,c=1"], Some("1"));
        check(&["c=1,d=2; e"], Some("1,d=2"));
        check(&["c = 1"], Some("1"));
        check(&["c=; d"], Some(""));
        check(&["c"], None);
        check(&["xc=1; c; c=3"], Some("3"));
        check(&["d=2", "c=1"], Some("1"));
        check(&["", "d"], None);
    }

    #[test]
    fn a_cookie_that_is_set_is_the_first_pair_of_its_field() {
        let check = |fields: &[&str], expected: Option<&str>| {
            let found = set_cookie(fields.iter().map(|field| field.as_bytes()), b"c");
            assert_eq!(found, expected.map(str::as_bytes), "{fields:?}");
        };
        check(&["c=1; Path=/; d=2"], Some("1"));
        check(&["d=1; c=2", "C = 3 ;x"], Some("3 "));
        check(&["c=", "c=1"], Some(""));
        check(&["c; c=1", "cc=1"], None);
        check(&[], None);
    }

    #[test]
    fn an_argument_is_the_first_of_its_name_that_has_a_value() {
        let check = |args: &str, expected: Option<&str>| {
            assert_eq!(argument(args.as_bytes(), b"a"), expected.map(str::as_bytes), "{args}");
        };
        check("a=1&b=2", Some("1"));
        check("b=2&A=1&a=3", Some("1"));
        check("a&a=2", Some("2"));
        check("xa=1&a=", Some(""));
        check("xa=1", None);
        check("", None);
    }

    #[test]
    fn the_name_in_credentials_has_a_colon_after_it() {
        let check = |value: &str, expected: Option<&str>| {
            let mut out = b"x".to_vec();
            let is_found = push_basic_user(value.as_bytes(), &mut out);
            assert_eq!(is_found, expected.is_some(), "{value}");
            assert_eq!(out, ["x", expected.unwrap_or_default()].concat().as_bytes(), "{value}");
        };
        check("Basic YWxpY2U6c2VjcmV0", Some("alice"));
        check("basic   YWxpY2U6", Some("alice"));
        // alice, :secret, and what is no base64.
        check("Basic YWxpY2U=", None);
        check("Basic OnNlY3JldA==", None);
        check("Basic !!!", None);
        check("Basic YWxpY2U6c", None);
        check("Bearer YWxpY2U6c2VjcmV0", None);
        check("Basic", None);
    }
}
