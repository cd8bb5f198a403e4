//! A look-up at servers that answer late, twice, wrongly, in part, or never.

use super::*;

const RANDOM: u64 = 0x0002_0001;

fn resolver(servers: usize) -> Resolver {
    let server = |n: usize| (format!("10.0.0.{n}"), 53);
    Resolver {
        servers: (0..servers).map(server).collect(),
        valid_ms: None,
        ipv4: true,
        ipv6: false,
    }
}

/// What a server says of the question in these bytes: `ok`, or a code.
fn answer(question: &[u8], code: u8, addresses: u8) -> Vec<u8> {
    let mut out = question.to_vec();
    out[2..4].copy_from_slice(&[0x81, 0x80 | code]);
    out[7] = addresses;
    for number in 0..addresses {
        out.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0");
        out.push(number + 1);
    }
    out
}

fn sent(next: Next) -> (usize, bool, Vec<u8>) {
    match next {
        Next::Send { server, by_tcp, bytes } => (server, by_tcp, bytes),
        other => panic!("{other:?}"),
    }
}

fn done(next: Next) -> Result<usize, NameFault> {
    match next {
        Next::Done(outcome) => outcome.map(|found| found.addresses.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_ends_it_and_a_second_one_changes_nothing() {
    let mut lookup = Lookup::new(&resolver(1), "app.test", RANDOM, 100);
    let (server, by_tcp, question) = sent(lookup.next(100));
    assert_eq!((server, by_tcp), (0, false));
    assert_eq!(lookup.next(100), Next::Wait(2_100));
    let mut wrong = answer(&question, 0, 1);
    wrong[1] ^= 1;
    assert!(!lookup.take(&wrong, 150), "another number");
    assert!(lookup.take(&answer(&question, 0, 2), 200));
    assert!(!lookup.take(&answer(&question, 3, 0), 201), "it has been answered");
    assert_eq!(done(lookup.next(202)), Ok(2));
}

#[test]
fn silence_asks_the_next_server_and_a_late_answer_still_counts() {
    let mut lookup = Lookup::new(&resolver(2), "app.test", RANDOM, 0);
    let (first, _, question) = sent(lookup.next(0));
    let (second, ..) = sent(lookup.next(2_000));
    assert_ne!(first, second);
    assert_eq!(lookup.next(2_000), Next::Wait(6_000));
    assert!(lookup.take(&answer(&question, 0, 1), 2_500));
    assert_eq!(done(lookup.next(2_500)), Ok(1));
}

#[test]
fn who_never_hears_anything_gives_up_after_bounded_questions() {
    let mut lookup = Lookup::new(&resolver(3), "app.test", RANDOM, 0);
    let (mut now, mut questions) = (0, 0);
    let outcome = loop {
        match lookup.next(now) {
            Next::Send { .. } => questions += 1,
            Next::Wait(until) => {
                assert!(until > now);
                now = until;
            }
            done => break done,
        }
    };
    assert_eq!(done(outcome), Err(NameFault::TimedOut));
    assert_eq!((now, questions), (LOOKUP_MS, 4));
}

#[test]
fn a_server_that_cannot_tell_is_followed_by_the_next_at_once() {
    let mut lookup = Lookup::new(&resolver(2), "app.test", RANDOM, 0);
    let (first, _, question) = sent(lookup.next(0));
    assert!(lookup.take(&answer(&question, 2, 0), 5));
    let (second, _, question) = sent(lookup.next(5));
    assert_ne!(first, second);
    assert!(lookup.take(&answer(&question, 5, 0), 6));
    assert_eq!(done(lookup.next(6)), Err(NameFault::Refused));
    let mut lookup = Lookup::new(&resolver(2), "app.test", RANDOM, 0);
    let (_, _, question) = sent(lookup.next(0));
    assert!(lookup.take(&answer(&question, 3, 0), 5));
    assert_eq!(done(lookup.next(5)), Err(NameFault::NotFound), "that is an answer");
}

#[test]
fn what_is_cut_is_asked_for_by_tcp() {
    let mut lookup = Lookup::new(&resolver(1), "app.test", RANDOM, 0);
    let (_, by_tcp, question) = sent(lookup.next(0));
    let mut cut = answer(&question, 0, 0);
    cut[2] |= 2;
    assert!(!by_tcp && lookup.take(&cut, 1));
    let (_, by_tcp, question) = sent(lookup.next(1));
    assert!(by_tcp && lookup.take(&answer(&question, 0, 60), 2));
    assert_eq!(done(lookup.next(2)), Ok(60));
}

#[test]
fn aliases_lead_on_from_answer_to_answer_but_not_for_ever() {
    let mut lookup = Lookup::new(&resolver(1), "app.test", RANDOM, 0);
    for _ in 0..=ALIASES_MAX {
        let (_, _, question) = sent(lookup.next(0));
        let mut alias = answer(&question, 0, 0);
        alias[7] = 1;
        // One stands for the other, and that for the one.
        let target = if question[13] == b'b' { b'c' } else { b'b' };
        alias.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x08\x01");
        alias.push(target);
        alias.extend_from_slice(b"\x04test\0");
        assert!(lookup.take(&alias, 0));
    }
    assert_eq!(done(lookup.next(0)), Err(NameFault::NotFound));
}

#[test]
fn both_families_are_asked_for_and_either_will_do() {
    let both = Resolver { ipv6: true, ..resolver(1) };
    let mut lookup = Lookup::new(&both, "app.test", RANDOM, 0);
    let (_, _, four) = sent(lookup.next(0));
    let (_, _, six) = sent(lookup.next(0));
    assert!(four[..2] != six[..2] && matches!(lookup.next(0), Next::Wait(_)));
    assert!(lookup.take(&answer(&six, 3, 0), 1));
    assert!(matches!(lookup.next(1), Next::Wait(_)));
    assert!(lookup.take(&answer(&four, 0, 1), 2));
    assert_eq!(done(lookup.next(2)), Ok(1));
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    let mut lookup = Lookup::new(&resolver(1), "a..b", RANDOM, 0);
    assert_eq!(done(lookup.next(0)), Err(NameFault::Format));
}
