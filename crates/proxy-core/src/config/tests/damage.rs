//! Files that are cut or shuffled.

use super::*;

#[test]
fn damaged_files_never_panic() {
    let whole = include_str!("../../../../nginx-conf/testdata/good/full.conf");
    for end in 0..whole.len() {
        if whole.is_char_boundary(end) {
            let _ = lowered(&whole[..end]);
        }
    }
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % bound.max(1)
    };
    let words: Vec<&str> = whole.split_inclusive(' ').collect();
    for _ in 0..3000 {
        let mut words = words.clone();
        for _ in 0..=below(3) {
            let (from, to) = (below(words.len()), below(words.len()));
            words[to] = words[from];
        }
        let _ = lowered(&words.concat());
    }
}
