//! Streams with two odd things at once, and draws: faults that neither would show alone.

use super::Stream;

/// Odd parts of one request; those left out are as they should be.
struct Oddity {
    name: &'static str,
    before: &'static str,
    line: &'static str,
    host: &'static str,
    fields: &'static str,
    body: &'static str,
}

const GOOD: Oddity = Oddity {
    name: "",
    before: "",
    line: "POST /mix HTTP/1.1\r\n",
    host: "Host: a\r\n",
    fields: "",
    body: "Content-Length: 5\r\n\r\nhello",
};

const ODDITIES: [Oddity; 20] = [
    Oddity { name: "empty line", before: "\r\n", ..GOOD },
    Oddity { name: "lf before", before: "\n", ..GOOD },
    Oddity { name: "lf line", line: "POST /mix HTTP/1.1\n", ..GOOD },
    Oddity { name: "old", line: "POST /mix HTTP/1.0\r\n", ..GOOD },
    Oddity { name: "absolute", line: "POST http://b/mix HTTP/1.1\r\n", ..GOOD },
    Oddity { name: "dots", line: "POST /a/../mix?x HTTP/1.1\r\n", ..GOOD },
    Oddity { name: "two spaces", line: "POST  /mix HTTP/1.1\r\n", ..GOOD },
    Oddity { name: "lf host", host: "Host: a\n", ..GOOD },
    Oddity { name: "no host", host: "", ..GOOD },
    Oddity { name: "host port", host: "Host: a:80\r\n", ..GOOD },
    Oddity { name: "odd name", fields: "X[: 1\r\n", ..GOOD },
    Oddity { name: "underscore", fields: "X_A: 1\r\n", ..GOOD },
    Oddity { name: "fold", fields: "X-A: 1\r\n 2\r\n", ..GOOD },
    Oddity { name: "control", fields: "X-A: \x01\r\n", ..GOOD },
    Oddity { name: "close", fields: "Connection: close\r\n", ..GOOD },
    Oddity { name: "expect", fields: "Expect: 100-continue\r\n", ..GOOD },
    Oddity {
        name: "chunks",
        body: "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ..GOOD
    },
    Oddity { name: "lf chunks", body: "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n", ..GOOD },
    Oddity {
        name: "extension",
        body: "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        ..GOOD
    },
    Oddity { name: "lf end", body: "Content-Length: 5\r\n\nhello", ..GOOD },
];

pub(super) fn add(streams: &mut Vec<Stream>) {
    for (index, first) in ODDITIES.iter().enumerate() {
        for second in &ODDITIES[index + 1..] {
            let pick = |of: fn(&Oddity) -> &'static str| {
                let (first, second) = (of(first), of(second));
                if first == of(&GOOD) { second } else { first }
            };
            let bytes = [
                pick(|oddity| oddity.before),
                pick(|oddity| oddity.line),
                pick(|oddity| oddity.host),
                pick(|oddity| oddity.fields),
                pick(|oddity| oddity.body),
            ];
            let name = format!("mix/{}+{}", first.name, second.name);
            if !overlap(first, second) {
                streams.push(Stream::new(name, bytes.concat()));
            }
        }
    }
}

/// Whether both are odd in the same part, so that only one would show.
fn overlap(first: &Oddity, second: &Oddity) -> bool {
    let parts = |o: &Oddity| [o.before, o.line, o.host, o.fields, o.body];
    let good = parts(&GOOD);
    (0..good.len())
        .any(|part| parts(first)[part] != good[part] && parts(second)[part] != good[part])
}

/// A generator of draws (splitmix64): small, and what it draws stays the same for ever.
pub struct Draw(u64);

impl Draw {
    /// Draws that belong to a name.
    pub fn from(name: &str) -> Draw {
        const PRIME: u64 = 0x0100_0000_01b3;
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        });
        Draw(hash)
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
