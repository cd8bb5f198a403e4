//! `$2a$`, `$2b$` and `$2y$`: bcrypt (Niels Provos and David Mazières).

use blowfish::Blowfish;

use crate::{Unknown, cut};

/// A higher cost is not paid for a request: this one takes about a third of a second.
const COST_MAX: u32 = 12;
const KEY_BYTES_MAX: usize = 72;
const LETTERS: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What stands behind the salt for this password. `rest` begins with the cost.
pub(crate) fn crypt(password: &[u8], rest: &[u8]) -> Result<Vec<u8>, Unknown> {
    let (cost, rest) = cut(rest, b'$').filter(|(cost, _)| cost.len() == 2).ok_or(Unknown::Form)?;
    let cost = std::str::from_utf8(cost).ok().and_then(|text| text.parse::<u32>().ok());
    let cost = cost.filter(|cost| (4..=31).contains(cost)).ok_or(Unknown::Form)?;
    if cost > COST_MAX {
        return Err(Unknown::Work);
    }
    let salt = salt(rest.get(..22).filter(|_| rest.len() == 53).ok_or(Unknown::Form)?)?;
    let mut key = password.to_vec();
    key.push(0);
    key.truncate(KEY_BYTES_MAX);
    let mut state: Blowfish = Blowfish::bc_init_state();
    state.salted_expand_key(&salt, &key);
    for _ in 0..1_u32 << cost {
        state.bc_expand_key(&key);
        state.bc_expand_key(&salt);
    }
    let mut digest = Vec::with_capacity(24);
    for block in b"OrpheanBeholderScryDoubt".as_chunks::<8>().0 {
        let [a, b, c, d, e, f, g, h] = *block;
        let mut words = [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])];
        for _ in 0..64 {
            words = state.bc_encrypt(words);
        }
        digest.extend(words.into_iter().flat_map(u32::to_be_bytes));
    }
    digest.truncate(23);
    Ok(encoded(&digest))
}

/// The sixteen bytes of 22 letters.
fn salt(letters: &[u8]) -> Result<[u8; 16], Unknown> {
    let mut bits: u128 = 0;
    let value = |letter: &u8| LETTERS.iter().position(|known| known == letter);
    let (last, others) = letters.split_last().ok_or(Unknown::Form)?;
    for letter in others {
        bits = (bits << 6) | value(letter).ok_or(Unknown::Form)? as u128;
    }
    // Of the last letter two bits count.
    bits = (bits << 2) | (value(last).ok_or(Unknown::Form)? >> 4) as u128;
    Ok(bits.to_be_bytes())
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    let (mut out, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in bytes {
        (bits, count) = ((bits << 8) | u32::from(*byte), count + 8);
        while count >= 6 {
            count -= 6;
            out.extend(LETTERS.get(((bits >> count) & 63) as usize));
        }
    }
    if count > 0 {
        out.extend(LETTERS.get(((bits << (6 - count)) & 63) as usize));
    }
    out
}
