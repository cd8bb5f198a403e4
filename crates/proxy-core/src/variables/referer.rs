//! nginx: `$invalid_referer`, `$secure_link` and `$secure_link_expires`: whether who asks has come
//! from where it should.

use super::View;
use crate::config::model::{Guard, Referers, SecureLink};

/// nginx: a longer name of a host is none.
const HOST_BYTES_MAX: usize = 256;
/// nginx: a shorter URL is none: `http://i.ru`.
const URL_BYTES_MIN: usize = 11;

impl<'e> View<'e> {
    fn guard(&self) -> Option<&'e Guard> {
        let request = self.request;
        request.at.location(request.place).access.guard.as_deref()
    }

    /// nginx: `1` where the referrer is none of those that are valid.
    pub(super) fn push_invalid_referer(&self, out: &mut Vec<u8>) {
        let referers = self.guard().and_then(|guard| guard.referers.as_deref());
        if referers.is_some_and(|referers| !self.is_valid_referer(referers)) {
            out.push(b'1');
        }
    }

    fn is_valid_referer(&self, referers: &Referers) -> bool {
        let request = self.request;
        let Some(told) = http1::find(&request.head.fields, &request.bytes, "referer") else {
            return referers.none;
        };
        let schemes = [&b"http://"[..], b"https://"];
        let after = |scheme: &&[u8]| {
            let (front, rest) = told.split_at_checked(scheme.len())?;
            front.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let rest = schemes.iter().find_map(after).filter(|_| told.len() >= URL_BYTES_MIN);
        let Some(rest) = rest else { return referers.blocked };
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b':')).unwrap_or(rest.len());
        let host = rest.get(..end).unwrap_or_default().to_ascii_lowercase();
        if host.len() > HOST_BYTES_MAX {
            return false;
        }
        if let Some(path) = referers.path_of(&host) {
            let slash = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
            return rest.get(slash..).is_some_and(|found| found.starts_with(path));
        }
        referers.own_names && request.at.listen().is_name_of(&host, request.place.server)
            || referers.expressions.iter().any(|expression| expression.pattern.is_match(rest))
    }

    /// nginx: `1` for a good link, `0` for one whose time is over; of `secure_link_secret` what
    /// follows the digest. False where it is neither.
    pub(super) fn push_secure_link(&self, out: &mut Vec<u8>) -> bool {
        let Some(link) = self.guard().map(|guard| &guard.link) else { return false };
        if let Some(secret) = &link.secret {
            let found = linked(self.request.raw_uri(), secret);
            out.extend_from_slice(found.unwrap_or_default());
            return found.is_some();
        }
        let Some((digest, expires_s)) = self.told_link(link) else { return false };
        let mut told = Vec::new();
        let is_digest = digest.len() <= 24 && crypt::decode_url(&digest, &mut told);
        let Some(hashed) = &link.hashed else { return false };
        if !is_digest || !crypt::is_same(&told, &crypt::md5(&self.text(hashed))) {
            return false;
        }
        let is_over = expires_s.is_some_and(|end| end < self.now.unix_ms / 1_000);
        out.push(if is_over { b'0' } else { b'1' });
        true
    }

    /// nginx: when the link ends.
    pub(super) fn push_secure_link_expires(&self, out: &mut Vec<u8>) -> bool {
        let link = self.guard().map(|guard| &guard.link);
        let Some(link) = link.filter(|link| link.hashed.is_some()) else { return false };
        let Some((_, Some(_))) = self.told_link(link) else { return false };
        let told = link.told.as_ref().map(|told| self.text(told).into_owned()).unwrap_or_default();
        let comma = told.iter().position(|&byte| byte == b',').unwrap_or(told.len());
        out.extend_from_slice(told.get(comma + 1..).unwrap_or_default());
        true
    }

    /// The digest that is told, and the second at which the link ends.
    fn told_link(&self, link: &SecureLink) -> Option<(Vec<u8>, Option<u64>)> {
        let mut told = self.text(link.told.as_ref()?).into_owned();
        let Some(comma) = told.iter().position(|&byte| byte == b',') else {
            return Some((told, None));
        };
        let expires = std::str::from_utf8(told.get(comma + 1..)?).ok()?;
        let expires = nginx_conf::units::number(expires).filter(|end| *end > 0)?;
        told.truncate(comma);
        Some((told, Some(expires)))
    }
}

impl Referers {
    /// The path that belongs to a host, if it is one of these.
    fn path_of(&self, host: &[u8]) -> Option<&[u8]> {
        let suffix = |(name, _): &&(Vec<u8>, Vec<u8>)| host.ends_with(name);
        let prefix = |(name, _): &&(Vec<u8>, Vec<u8>)| host.starts_with(name);
        let by_name = || {
            let found = self.suffixes.iter().find(suffix);
            found.or_else(|| self.prefixes.iter().find(prefix)).map(|(_, path)| path)
        };
        self.exact.get(host).or_else(by_name).map(Vec::as_slice)
    }
}

/// nginx: `/any/DIGEST/link`, where the digest is that of the link and the secret.
fn linked<'u>(uri: &'u [u8], secret: &[u8]) -> Option<&'u [u8]> {
    let mut parts = uri.get(1..)?.splitn(3, |&byte| byte == b'/');
    let (_, digest, link) = (parts.next()?, parts.next()?, parts.next()?);
    let digest = digest.to_ascii_lowercase();
    let made = crypt::md5(&[link, secret].concat());
    let made: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
    (!link.is_empty() && crypt::is_same(&digest, made.as_bytes())).then_some(link)
}
