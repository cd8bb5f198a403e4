//! Parts of a file: which are asked for, and a reader of the answer that has several.

use crate::files;
use crate::pattern::{self, Owner};
use crate::prng::Prng;

/// Draws parts of a request's file, from where to where with the last byte: two or three that do not
/// touch, none where the file is too small.
pub fn draw(rng: &mut Prng, ask: usize) -> Vec<(u64, u64)> {
    let count = rng.between(2, 3);
    let room = files::size(ask) / count;
    if room < 4 {
        return Vec::new();
    }
    let mut part = |index| {
        let from = index * room + rng.below(room / 2);
        (from, from + rng.below(room / 2))
    };
    (0..count).map(&mut part).collect()
}

/// The field that asks for them.
pub fn field(parts: &[(u64, u64)]) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = parts.iter().map(|(from, to)| format!("{from}-{to}")).collect();
    format!("Range: bytes={}\r\n", parts.join(","))
}

/// Holds a whole answer against what was asked for.
pub fn check(ask: usize, parts: &[(u64, u64)], body: &[u8]) -> Result<(), String> {
    let size = files::size(ask);
    let is_boundary = |byte: &&u8| byte.is_ascii_digit();
    let boundary: Vec<u8> = body.iter().skip(4).take_while(is_boundary).copied().collect();
    let boundary = String::from_utf8(boundary).map_err(|_| "no boundary")?;
    let mut rest = body;
    for (from, to) in parts {
        let start = format!("\r\n--{boundary}\r\n");
        let after =
            rest.strip_prefix(start.as_bytes()).ok_or(format!("ask {ask}: no part {from}"))?;
        let end =
            after.windows(4).position(|four| four == b"\r\n\r\n").ok_or("a part has no head")?;
        let head = String::from_utf8_lossy(&after[..end]).into_owned();
        let place = format!("Content-Range: bytes {from}-{to}/{size}");
        if !head.split("\r\n").any(|line| line == place) {
            return Err(format!("ask {ask}: {head:?} in the place of {place:?}"));
        }
        let bytes = (to - from + 1) as usize;
        let (content, behind) =
            after[end + 4..].split_at_checked(bytes).ok_or(format!("ask {ask}: a part is cut"))?;
        pattern::check(Owner::File(ask), *from, content)?;
        rest = behind;
    }
    let is_end = rest == format!("\r\n--{boundary}--\r\n").as_bytes();
    if is_end { Ok(()) } else { Err(format!("ask {ask}: {} bytes behind the parts", rest.len())) }
}
