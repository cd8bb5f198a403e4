//! Content that tells in every byte whose it is and where it stands, so that bytes which are lost,
//! doubled, invented or crossed show.

use crate::prng::mix;

/// Whose content it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The body of a request.
    Ask(usize),
    /// The body of an answer.
    Answer(usize),
    /// What the client of a tunnel says, by its request.
    TunnelUp(usize),
    /// What the server of a tunnel says, by its request.
    TunnelDown(usize),
    /// The file that a request asks for.
    File(usize),
}

impl Owner {
    fn seed(self) -> u64 {
        let (kind, id) = match self {
            Owner::Ask(id) => (1, id),
            Owner::Answer(id) => (2, id),
            Owner::TunnelUp(id) => (3, id),
            Owner::TunnelDown(id) => (4, id),
            Owner::File(id) => (5, id),
        };
        mix((id as u64) << 3 | kind)
    }
}

/// The bytes from a place on.
pub fn bytes(owner: Owner, from: u64, count: u64) -> Vec<u8> {
    let seed = owner.seed();
    let mut out = Vec::with_capacity(count as usize + 16);
    let mut word = from / 8;
    while (out.len() as u64) < count + from % 8 {
        out.extend_from_slice(&mix(seed ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes());
        word += 1;
    }
    out.drain(..(from % 8) as usize);
    out.truncate(count as usize);
    out
}

/// Says what is wrong with content that should be the owner's from a place on.
pub fn check(owner: Owner, from: u64, data: &[u8]) -> Result<(), String> {
    let expected = bytes(owner, from, data.len() as u64);
    match expected.iter().zip(data).position(|(one, other)| one != other) {
        None => Ok(()),
        Some(at) => {
            let at_byte = from + at as u64;
            Err(format!("byte {at_byte} of {owner:?} is wrong ({} bytes from {from})", data.len()))
        }
    }
}

#[test]
fn content_is_the_same_however_it_is_cut() {
    let whole = bytes(Owner::Ask(7), 0, 100);
    for from in 0..30 {
        assert_eq!(bytes(Owner::Ask(7), from, 40), whole[from as usize..from as usize + 40]);
    }
    assert!(check(Owner::Ask(7), 3, &whole[3..]).is_ok());
    assert!(check(Owner::Ask(7), 2, &whole[3..]).is_err());
    assert!(check(Owner::Answer(7), 3, &whole[3..]).is_err());
}
