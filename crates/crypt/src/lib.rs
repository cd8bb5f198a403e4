//! Whether a password is the one that a file keeps in some encrypted form.
//!
//! In scope: the forms that nginx knows by itself (`$apr1$`, `{SHA}`, `{SSHA}`, `{PLAIN}`), and of
//! those that it leaves to crypt(3) `$1$`, `$2a$`, `$2b$`, `$2y$`, `$5$` and `$6$`; base64 and MD5,
//! which others need as well. Out of scope: files, users, and what is done about a wrong one.
//!
//! How long a comparison takes does not tell how much was right.

mod base64;
mod bcrypt;
mod md5;
mod sha;

use std::fmt;

use sha1::{Digest, Sha1};

pub use base64::{decode, decode_url};
pub use md5::digest as md5;

/// A longer password is wrong: crypt(3) of Linux takes no more, and the work grows by its square.
const PASSWORD_BYTES_MAX: usize = 511;

/// Why it cannot be told whether a password is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A form that is not known here, DES of old among them.
    Form,
    /// A known one that asks for more work than is done for a request.
    Work,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unknown::Form => {
                "the password is encrypted in a form that is not known here; known are $apr1$, \
                 $1$, $2y$, $5$, $6$, {SHA}, {SSHA} and {PLAIN}"
            }
            Unknown::Work => "to check the password is more work than is done for a request",
        })
    }
}

/// Whether `password` is the one that `kept` was made of. nginx: it ends before its first NUL.
///
/// # Errors
/// Where `kept` is of a form that is not checked here.
pub fn is_right(password: &[u8], kept: &[u8]) -> Result<bool, Unknown> {
    let password = password.split(|&byte| byte == 0).next().unwrap_or_default();
    if password.len() > PASSWORD_BYTES_MAX {
        return Ok(false);
    }
    if let Some(plain) = kept.strip_prefix(b"{PLAIN}") {
        return Ok(is_same(password, plain));
    }
    if let Some(encoded) = kept.strip_prefix(b"{SHA}") {
        return Ok(is_salted_sha1(password, encoded, 0));
    }
    if let Some(encoded) = kept.strip_prefix(b"{SSHA}") {
        return Ok(is_salted_sha1(password, encoded, usize::MAX));
    }
    let Some((form, rest)) = kept.strip_prefix(b"$").and_then(|text| cut(text, b'$')) else {
        return Err(Unknown::Form);
    };
    let made = match form {
        b"apr1" | b"1" => md5::crypt(password, form, rest),
        b"2a" | b"2b" | b"2y" => bcrypt::crypt(password, rest)?,
        b"5" => sha::crypt::<sha2::Sha256>(password, rest, &sha::SHA256)?,
        b"6" => sha::crypt::<sha2::Sha512>(password, rest, &sha::SHA512)?,
        _ => return Err(Unknown::Form),
    };
    // What was made is what stands behind the last `$`, or the last 31 letters of bcrypt.
    let own = rest.get(rest.len().saturating_sub(made.len())..).unwrap_or_default();
    Ok(is_same(&made, own))
}

/// The text before and after the first `mark`.
fn cut(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == mark)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// nginx: `{SHA}` and `{SSHA}`: a digest, and behind it the salt that was in it.
fn is_salted_sha1(password: &[u8], encoded: &[u8], salt_bytes_max: usize) -> bool {
    let mut decoded = Vec::new();
    let is_encoded = decode(encoded, &mut decoded);
    let Some((digest, salt)) = decoded.split_at_checked(20) else { return false };
    let made = Sha1::new().chain_update(password).chain_update(salt).finalize();
    is_encoded && salt.len() <= salt_bytes_max && is_same(&made, digest)
}

/// Looks at all bytes, wherever the first difference is.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |all, (a, b)| std::hint::black_box(all | a ^ b));
    one.len() == other.len() && difference == 0
}

/// Appends the letters of crypt(3) for so many bits, the lowest first.
fn push_letters(mut bits: u32, letters: usize, out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for _ in 0..letters {
        out.extend(LETTERS.get((bits & 63) as usize));
        bits >>= 6;
    }
}

/// Three bytes of a digest as one number, the first at the top; what is beyond it counts nothing.
fn three(digest: &[u8], places: [usize; 3]) -> u32 {
    places.iter().fold(0, |bits, at| (bits << 8) | u32::from(digest.get(*at).copied().unwrap_or(0)))
}

#[cfg(test)]
mod tests;
