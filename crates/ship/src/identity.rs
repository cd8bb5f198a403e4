//! What a record is called, whenever and however often it is sent.
//!
//! Owns the hash: FNV-1a of 128 bits over who sends, the file, the place in it and the text. Two
//! records of one name would be one for the store, so the text is in it, too.

use tail::format::Origin;

const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// A running hash, and what it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u128);

impl Identity {
    /// Of a sender: what is the same in all its records and no other sender's.
    pub(crate) fn of_sender(words: &[u8]) -> Identity {
        Identity(START).with(words)
    }

    fn with(self, bytes: &[u8]) -> Identity {
        Identity(
            bytes.iter().fold(self.0, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME)),
        )
    }

    /// Of a record of this sender.
    pub(crate) fn of_record(self, file: Origin, offset: u64, text: &[u8]) -> Identity {
        let Origin { ino, born_ns, cuts } = file;
        let place = [ino, born_ns, u64::from(cuts), offset].map(u64::to_le_bytes);
        self.with(place.as_flattened()).with(text)
    }

    /// Appends it as 32 hexadecimal digits.
    pub(crate) fn push(self, out: &mut Vec<u8>) {
        let digit = |shift: u32| b"0123456789abcdef"[(self.0 >> shift & 15) as usize];
        out.extend((0..32).rev().map(|place| digit(4 * place)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(sender: &str, file: Origin, offset: u64, text: &str) -> String {
        let mut out = Vec::new();
        Identity::of_sender(sender.as_bytes())
            .of_record(file, offset, text.as_bytes())
            .push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_hash_is_the_known_one() {
        let check = |text: &str, expected: &str| {
            let mut out = Vec::new();
            Identity::of_sender(text.as_bytes()).push(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check("", "6c62272e07bb014262b821756295c58d");
        check("a", "d228cb696f1a8caf78912b704e4a8964");
        check("foobar", "343e1662793c64bf6f0d3597ba446f18");
    }

    #[test]
    fn every_difference_is_another_name() {
        let file = Origin { ino: 1, born_ns: 2, cuts: 3 };
        let names = [
            name("pod", file, 4, "text"),
            name("pod-2", file, 4, "text"),
            name("pod", Origin { ino: 2, ..file }, 4, "text"),
            name("pod", Origin { born_ns: 3, ..file }, 4, "text"),
            name("pod", Origin { cuts: 4, ..file }, 4, "text"),
            name("pod", file, 5, "text"),
            name("pod", file, 4, "tex"),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert_eq!(name("pod", file, 4, "text"), names[0]);
    }
}
