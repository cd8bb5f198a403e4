//! Records are read the same wherever their bytes are cut, and written as the specification has them.

use super::*;

fn record(kind: u8, content: &[u8], padding: u8) -> Vec<u8> {
    let mut out = vec![1, kind, 0, 1, 0, content.len() as u8, padding, 0];
    out.extend_from_slice(content);
    out.resize(out.len() + usize::from(padding), 0xaa);
    out
}

/// What is said, pieces of one kind joined, in pieces of input of these sizes.
fn told(input: &[u8], pieces: impl Iterator<Item = usize>) -> String {
    let (mut records, mut out, mut at) = (Records::default(), String::new(), 0);
    for piece in pieces {
        let mut rest = &input[at..(at + piece).min(input.len())];
        at += rest.len();
        loop {
            let (event, used) = match records.read(rest) {
                Ok(found) => found,
                Err(flaw) => return format!("{out}{flaw:?}"),
            };
            rest = &rest[used..];
            let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
            match event {
                Some(Event::Answer(data)) => out.push_str(&text(data)),
                Some(Event::Error(data)) => out.push_str(&text(data).to_uppercase()),
                Some(Event::ErrorEnd) => out.push('!'),
                Some(Event::AnswerEnd) => out.push(';'),
                Some(Event::End) => out.push('.'),
                None => {
                    assert!(rest.is_empty(), "what is not used says something");
                    break;
                }
            }
        }
    }
    format!("{out}{}", if records.is_between() { "" } else { " cut" })
}

/// The same in one piece, byte by byte, and cut anywhere.
fn check(input: &[u8], expected: &str) {
    assert_eq!(told(input, [input.len()].into_iter()), expected);
    assert_eq!(told(input, std::iter::repeat_n(1, input.len())), expected, "byte by byte");
    for cut in 0..=input.len() {
        assert_eq!(told(input, [cut, input.len()].into_iter()), expected, "cut at {cut}");
    }
}

#[test]
fn records_are_told_whatever_their_padding() {
    let end = record(3, &[0; 8], 0);
    check(&[record(6, b"ab", 6), record(6, b"c", 0), end.clone()].concat(), "abc.");
    check(&[record(7, b"no", 255), record(6, b"a", 1), end].concat(), "NO!a.");
    check(&[record(6, b"a", 0), record(6, b"", 8), record(3, &[1; 8], 3)].concat(), "a;.");
    check(&record(7, b"", 1), "!");
    // Of the end's content nobody says how long it is.
    check(&record(3, b"", 2), ".");
    check(&record(6, b"abc", 0)[..10], "ab cut");
    check(&record(6, b"a", 2)[..10], "a cut");
}

#[test]
fn what_is_no_record_is_told_at_its_first_byte() {
    check(b"HTTP/1.1 400", "Version(72)");
    check(&[1, 5], "Kind(5)");
    check(&[1, 6, 1], "Request(1)");
    check(&[1, 6, 0, 2], "Request(2)");
    check(&[record(6, b"a", 0), vec![2]].concat(), "aVersion(2)");
}

#[test]
fn no_bytes_make_it_fail() {
    let mut seed = 1;
    for round in 0..2_000_u64 {
        let mut input = Vec::new();
        for _ in 0..40 {
            seed = crate::request::split_mix(seed ^ round);
            // Most bytes are ones that a header may have.
            input.push(if seed & 3 == 0 {
                (seed >> 8) as u8
            } else {
                [1, 6, 0, 1][input.len() % 4]
            });
        }
        let mut records = Records::default();
        let mut rest = &input[..];
        while let Ok((event, used)) = records.read(rest) {
            rest = &rest[used..];
            if event.is_none() {
                assert!(rest.is_empty());
                break;
            }
        }
    }
}

#[test]
fn bodies_are_records_of_a_bounded_length() {
    let mut out = Vec::new();
    push_body(b"abc", &mut out);
    push_body(b"", &mut out);
    push_body_end(&mut out);
    assert_eq!(out, b"\x01\x05\0\x01\0\x03\x05\0abc\0\0\0\0\0\x01\x05\0\x01\0\0\0\0");
    out.clear();
    push_body(&[b'x'; CONTENT_BYTES_MAX + 1], &mut out);
    assert_eq!(out.len(), CONTENT_BYTES_MAX + 8 + 8 + 8);
    assert_eq!((out[4], out[5], out[6]), (0x80, 0, 0));
    let second = &out[CONTENT_BYTES_MAX + 8..];
    assert_eq!(second[..9], [1, 5, 0, 1, 0, 1, 7, 0, b'x']);
}
