//! A part of content, as the rest of it passes by.

/// Lets bytes from one place up to another pass.
#[derive(Debug)]
pub struct Cut {
    to_skip: u64,
    to_pass: u64,
}

impl Cut {
    /// From this byte up to that one, which does not pass.
    pub fn to(from: u64, to: u64) -> Cut {
        Cut { to_skip: from, to_pass: to.saturating_sub(from) }
    }

    /// What passes of the next piece.
    pub fn pass<'d>(&mut self, data: &'d [u8]) -> &'d [u8] {
        let of = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).min(data.len());
        let from = of(self.to_skip);
        let to = of(self.to_skip.saturating_add(self.to_pass));
        let part = data.get(from..to).unwrap_or_default();
        self.to_skip -= from as u64;
        self.to_pass -= part.len() as u64;
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_the_same_wherever_the_content_is_cut() {
        for (from, to, expected) in [
            (0, 10, "0123456789"),
            (0, 1, "0"),
            (2, 5, "234"),
            (9, 10, "9"),
            (10, 10, ""),
            (4, u64::MAX, "456789"),
        ] {
            for piece in 1..=10 {
                let mut cut = Cut::to(from, to);
                let pieces = b"0123456789".chunks(piece).flat_map(|data| cut.pass(data).to_vec());
                assert_eq!(String::from_utf8(pieces.collect()).unwrap(), expected, "{piece}");
                assert_eq!(cut.pass(b""), b"");
            }
        }
    }
}
