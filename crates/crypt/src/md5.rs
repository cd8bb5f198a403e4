//! `$1$` and `$apr1$`: a thousand rounds of MD5 (Poul-Henning Kamp's; Apache's differs by its name).

use md5::{Digest, Md5};

use crate::{push_letters, three};

const ROUNDS: usize = 1_000;
const SALT_BYTES_MAX: usize = 8;

/// The digest of a text.
pub fn digest(text: &[u8]) -> [u8; 16] {
    Md5::digest(text).into()
}

/// What stands behind the salt for this password. `rest` begins with the salt.
pub(crate) fn crypt(password: &[u8], form: &[u8], rest: &[u8]) -> Vec<u8> {
    let salt = rest.split(|&byte| byte == b'$').next().unwrap_or_default();
    let salt = salt.get(..SALT_BYTES_MAX).unwrap_or(salt);
    let inner = Md5::new().chain_update(password).chain_update(salt).chain_update(password);
    let inner = inner.finalize();
    let mut first = Md5::new();
    for part in [password, b"$", form, b"$", salt] {
        first.update(part);
    }
    for at in (0..password.len()).step_by(inner.len()) {
        let left = (password.len() - at).min(inner.len());
        first.update(inner.get(..left).unwrap_or_default());
    }
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { b"\0" } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    let mut last = first.finalize();
    for round in 0..ROUNDS {
        let mut next = Md5::new();
        next.update(if round % 2 == 1 { password } else { &last });
        next.update(if round % 3 > 0 { salt } else { b"" });
        next.update(if round % 7 > 0 { password } else { b"" });
        next.update(if round % 2 == 1 { &last } else { password });
        last = next.finalize();
    }
    let mut out = Vec::new();
    for at in 0..5 {
        push_letters(three(&last, [at, at + 6, if at == 4 { 5 } else { at + 12 }]), 4, &mut out);
    }
    push_letters(u32::from(last[11]), 2, &mut out);
    out
}
