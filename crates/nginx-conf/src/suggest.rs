//! The nearest known name to a mistyped one.
//!
//! Owns: edit distance and the rule when a name is near enough. Must not know any name itself.

/// Longest word that is compared: no directive comes near it, and the cost grows with the square.
const WORD_BYTES_MAX: usize = 64;

/// The candidate nearest to `word`, if it is near enough to be what was meant: at most a third of
/// the word's letters differ, two at least being allowed for words of four letters and more.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > WORD_BYTES_MAX {
        return None;
    }
    let wanted = word.to_ascii_lowercase();
    let bound = if wanted.len() < 4 { 1 } else { (wanted.len() / 3).clamp(2, 4) };
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates.filter(|c| c.len().abs_diff(wanted.len()) <= bound) {
        let distance = distance(wanted.as_bytes(), candidate.as_bytes());
        if distance <= bound && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Letters to insert, delete, replace, or swap with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.iter().enumerate() {
        let mut current = vec![row + 1; b.len() + 1];
        for (column, right) in b.iter().enumerate() {
            let replace = last[column] + usize::from(left != right);
            let mut least = replace.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *left == b[column - 1] && a[row - 1] == *right {
                least = least.min(before[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        before = std::mem::replace(&mut last, current);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Option<&str>) {
        let names = ["proxy_pass", "proxy_set_header", "listen", "server", "if", "root", "gzip"];
        assert_eq!(nearest(word, names.into_iter()), expected, "{word}");
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        check("proxy_pas", Some("proxy_pass"));
        check("Proxy_Pass", Some("proxy_pass"));
        check("porxy_pass", Some("proxy_pass"));
        check("proxypass", Some("proxy_pass"));
        check("lisen", Some("listen"));
        check("proxy_set_headers", Some("proxy_set_header"));
        check("fi", Some("if"));
        check("x", None);
        check("", None);
        check("something_else", None);
        check(&"a".repeat(100_000), None);
    }

    #[test]
    fn distance_counts_a_swap_as_one() {
        assert_eq!(distance(b"ab", b"ba"), 1);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}
