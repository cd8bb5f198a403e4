//! What a client says before its first request where the PROXY protocol is spoken: version 1 or 2,
//! in pieces, or nothing of the kind.

use std::collections::VecDeque;

use crate::client::Step;
use crate::prng::Prng;

/// Draws what is said; how many bytes it is, none where it is left out.
pub fn push(rng: &mut Prng, script: &mut VecDeque<Step>) -> u64 {
    if rng.once_in(6) {
        return 0;
    }
    let bytes = draw(rng);
    let cut = rng.index(bytes.len());
    let is_in_pieces = rng.once_in(2) && cut > 0;
    let (first, rest) = bytes.split_at(if is_in_pieces { cut } else { bytes.len() });
    script.push_back(Step::Send(first.to_vec()));
    if is_in_pieces {
        script.push_back(Step::Wait(rng.below(10)));
        script.push_back(Step::Send(rest.to_vec()));
    }
    bytes.len() as u64
}

fn draw(rng: &mut Prng) -> Vec<u8> {
    let lines: [&[u8]; 3] = [
        b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 80\r\n",
        b"PROXY TCP6 2001:db8::7 ::1 4000 80\r\n",
        b"PROXY UNKNOWN\r\n",
    ];
    if rng.once_in(2) {
        return rng.pick(&lines).to_vec();
    }
    let (command, family, addresses) =
        rng.pick(&[(0x20, 0, 0), (0x21, 0x11, 12), (0x21, 0x21, 36)]);
    // What stands behind the addresses is passed over.
    let len: u16 = addresses + rng.pick(&[0, 5, 300]);
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend_from_slice(&[command, family]);
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.resize(bytes.len() + usize::from(len), 7);
    bytes
}
