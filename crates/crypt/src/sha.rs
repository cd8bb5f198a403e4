//! `$5$` and `$6$`: rounds of SHA-256 and SHA-512 (Ulrich Drepper's).

use sha2::Digest;

use crate::{Unknown, cut, push_letters, three};

const ROUNDS: usize = 5_000;
const ROUNDS_MIN: usize = 1_000;
/// More rounds are not made for a request: these take about a tenth of a second.
const ROUNDS_MAX: usize = 100_000;
const SALT_BYTES_MAX: usize = 16;

/// The order in which a digest is written: its first three bytes, how the places of the next three
/// follow from them, and the last letters.
pub(crate) struct Order {
    first: [usize; 3],
    turn: usize,
    groups: usize,
    last: ([usize; 3], usize),
}

pub(crate) const SHA256: Order =
    Order { first: [0, 10, 20], turn: 2, groups: 10, last: ([usize::MAX, 31, 30], 3) };
pub(crate) const SHA512: Order =
    Order { first: [0, 21, 42], turn: 1, groups: 21, last: ([usize::MAX, usize::MAX, 63], 2) };

/// What stands behind the salt for this password. `rest` begins with `rounds=N$` or the salt.
pub(crate) fn crypt<D: Digest>(
    password: &[u8],
    rest: &[u8],
    order: &Order,
) -> Result<Vec<u8>, Unknown> {
    let (rounds, rest) = match rest.strip_prefix(b"rounds=").and_then(|text| cut(text, b'$')) {
        Some((number, rest)) => {
            let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
            (number.ok_or(Unknown::Form)?, rest)
        }
        None => (ROUNDS, rest),
    };
    let rounds = rounds.max(ROUNDS_MIN);
    if rounds > ROUNDS_MAX {
        return Err(Unknown::Work);
    }
    let salt = rest.split(|&byte| byte == b'$').next().unwrap_or_default();
    let salt = salt.get(..SALT_BYTES_MAX).unwrap_or(salt);
    let inner = D::new().chain_update(password).chain_update(salt).chain_update(password);
    let inner = inner.finalize();
    let mut first = D::new().chain_update(password).chain_update(salt);
    first.update(stretched(&inner, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &inner } else { password });
        bits >>= 1;
    }
    let mut last = first.finalize();
    let whole = D::digest(password.repeat(password.len()));
    let password = stretched(&whole, password.len());
    let times = 16 + usize::from(last.first().copied().unwrap_or(0));
    let whole = D::digest(salt.repeat(times));
    let salt = stretched(&whole, salt.len());
    for round in 0..rounds {
        let mut next = D::new();
        next.update(if round % 2 == 1 { &password } else { &last[..] });
        next.update(if round % 3 > 0 { &salt[..] } else { b"" });
        next.update(if round % 7 > 0 { &password[..] } else { b"" });
        next.update(if round % 2 == 1 { &last[..] } else { &password });
        last = next.finalize();
    }
    let (mut out, mut places) = (Vec::new(), order.first);
    for _ in 0..order.groups {
        push_letters(three(&last, places), 4, &mut out);
        places.rotate_left(order.turn);
        places = places.map(|place| place + 1);
    }
    push_letters(three(&last, order.last.0), order.last.1, &mut out);
    Ok(out)
}

/// A digest again and again, up to a length.
fn stretched(digest: &[u8], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}
