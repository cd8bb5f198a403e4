//! Questions as they are sent, and answers as they may come, the worst too.

use super::*;

/// An answer as a server would write it: the question, then records of kind, owner and data.
fn answer(
    id: u16,
    flags: u16,
    name: &str,
    family: Family,
    records: &[(&str, u16, &[u8])],
) -> Vec<u8> {
    let mut out = question(id, name, family).unwrap();
    out[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
    out[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
    for (owner, kind, data) in records {
        out.extend(labels(owner));
        out.extend(kind.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 60]);
        out.extend((data.len() as u16).to_be_bytes());
        out.extend_from_slice(data);
    }
    out
}

fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

const ASKED: (u16, &str, Family) = (7, "App.test", Family::V4);

fn read_records(records: &[(&str, u16, &[u8])]) -> Option<Reply> {
    read(&answer(7, 0, "app.test", Family::V4, records), ASKED)
}

fn found(addresses: &[&str]) -> Option<Reply> {
    Some(Reply::Found(addresses.iter().map(|ip| ip.parse().unwrap()).collect(), 60))
}

#[test]
fn a_question_is_one_of_one_name_and_kind() {
    let expected = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x03app\x04test\0\x00\x1c\x00\x01";
    assert_eq!(question(0x1234, "app.test", Family::V6).unwrap(), expected);
    assert_eq!(question(0x1234, "app.test.", Family::V6).unwrap(), expected);
    for name in ["", ".", "a..b", ".a", &"a".repeat(64), &"a.".repeat(128)] {
        assert_eq!(question(1, name, Family::V4), None, "{name}");
    }
}

#[test]
fn addresses_are_those_of_the_name_or_of_what_it_stands_for() {
    let (one, two): (&[u8], &[u8]) = (&[10, 0, 0, 1], &[10, 0, 0, 2]);
    let (b, c) = (labels("b.test"), labels("c.test"));
    for (records, expected) in [
        (
            &[("app.test", 1, one), ("APP.test", 1, two), ("app.test", 1, one)][..],
            found(&["10.0.0.1", "10.0.0.2"]),
        ),
        (&[("app.test", 5, &b), ("b.test", 5, &c), ("c.test", 1, two)], found(&["10.0.0.2"])),
        (&[("c.test", 1, two), ("b.test", 5, &c), ("app.test", 5, &b)], found(&["10.0.0.2"])),
        (&[("app.test", 5, &b), ("b.test", 5, &c)], Some(Reply::Alias("c.test".into()))),
        (&[("other.test", 1, one)], Some(Reply::Fault(NameFault::NotFound))),
        (&[("app.test", 1, &[1, 2, 3])], Some(Reply::Fault(NameFault::NotFound))),
        (&[], Some(Reply::Fault(NameFault::NotFound))),
        // A circle.
        (
            &[("app.test", 5, &b), ("b.test", 5, &labels("app.test"))],
            Some(Reply::Fault(NameFault::NotFound)),
        ),
    ] {
        assert_eq!(read_records(records), expected, "{records:?}");
    }
}

#[test]
fn only_an_answer_to_the_question_is_one() {
    let one: &[u8] = &[10, 0, 0, 1];
    let records = [("app.test", 1, one)];
    let good = answer(7, 0, "app.test", Family::V4, &records);
    assert!(read(&good, ASKED).is_some());
    let changed = |at: usize, to: u8| {
        let mut packet = good.clone();
        packet[at] = to;
        packet
    };
    for (packet, why) in [
        (answer(8, 0, "app.test", Family::V4, &records), "another number"),
        (answer(7, 0, "ape.test", Family::V4, &records), "another name"),
        (answer(7, 0, "app.test", Family::V6, &records), "another kind"),
        (changed(2, 0x01), "a question"),
        (changed(2, 0xa1), "another operation"),
        (changed(5, 2), "two questions"),
        (Vec::new(), "nothing"),
    ] {
        assert_eq!(read(&packet, ASKED), None, "{why}");
    }
}

#[test]
fn what_a_server_says_instead_is_told_in_nginxs_words() {
    for (flags, expected) in [
        (1, "1: Format error"),
        (2, "2: Server failure"),
        (3, "3: Host not found"),
        (4, "4: Unimplemented"),
        (5, "5: Operation refused"),
        (9, "4: Unimplemented"),
    ] {
        let Some(Reply::Fault(fault)) = read(&answer(7, flags, "app.test", Family::V4, &[]), ASKED)
        else {
            panic!("{flags}");
        };
        assert_eq!(fault.to_string(), expected);
    }
    assert_eq!(read(&answer(7, 0x200, "app.test", Family::V4, &[]), ASKED), Some(Reply::Cut));
}

#[test]
fn names_point_to_the_front_only() {
    let mut packet = answer(7, 0, "app.test", Family::V4, &[]);
    packet[7] = 1;
    let end = packet.len();
    let record = |name: &[u8]| {
        let mut out = packet.clone();
        out.extend_from_slice(name);
        out.extend_from_slice(b"\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01");
        read(&out, ASKED)
    };
    assert_eq!(record(&[0xc0, 12]), found(&["10.0.0.1"]));
    let nothing = Some(Reply::Fault(NameFault::NotFound));
    for name in
        [&[0xc0, end as u8][..], &[0xc0, 200], &[1, b'a', 0xc0, end as u8], &[0x80, 1], &[0xc0]]
    {
        assert_eq!(record(name), nothing, "{name:?}");
    }
}

#[test]
fn every_change_of_an_answer_ends_somewhere() {
    let (b, one): (Vec<u8>, &[u8]) = (labels("b.test"), &[10, 0, 0, 1]);
    let good = answer(7, 0, "app.test", Family::V4, &[("app.test", 5, &b), ("b.test", 1, one)]);
    for at in 0..good.len() {
        let _ = read(&good[..at], ASKED);
        for byte in 0..=255 {
            let mut packet = good.clone();
            packet[at] = byte;
            let _ = read(&packet, ASKED);
        }
    }
    // As many records as a packet of TCP has room for, each with a name of many steps.
    let mut long = answer(7, 0, "app.test", Family::V4, &[]);
    long[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
    while long.len() < 65_000 {
        long.extend_from_slice(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c");
    }
    assert_eq!(read(&long, ASKED), Some(Reply::Fault(NameFault::NotFound)));
}
