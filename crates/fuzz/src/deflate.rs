//! Bodies of requests, compressed.

use miniz_oxide::inflate::decompress_to_vec;
use ship::deflate::Deflate;

use crate::draw::Draw;

/// Takes `data` for a body that comes in pieces, and for one that comes twice. Somebody else inflates what
/// it became, to the same bytes, whatever was compressed before.
pub fn deflate(data: &[u8]) {
    let mut deflate = Deflate::default();
    let ends = Draw::of(data).cuts(data.len());
    let starts = [0].into_iter().chain(ends.iter().copied());
    let cut: Vec<&[u8]> = starts.zip(&ends).map(|(start, end)| &data[start..*end]).collect();
    // As far away as a repeat may be, and about that.
    let between = vec![b'-'; 32_768 - data.len().min(300)];
    for pieces in
        [&cut[..], &[data], &[&[data, data].concat()], &[&[data, &between, data].concat()]]
    {
        let mut out = Vec::new();
        deflate.compress(pieces.iter().copied(), &mut out);
        let inflated = decompress_to_vec(&out);
        assert_eq!(
            inflated.as_ref().ok(),
            Some(&pieces.concat()),
            "{:?}",
            out.escape_ascii().to_string()
        );
    }
}
