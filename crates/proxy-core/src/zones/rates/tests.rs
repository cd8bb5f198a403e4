//! nginx's arithmetic on both sides of each bound, and a zone that is full.

use super::*;

/// A zone of room for so many keys.
fn zone(keys: u64) -> Rates {
    Rates::new(keys * 128)
}

/// Requests of one key at these times, and what each comes to.
fn check(rate: u64, burst: u64, expected: &[(Millis, Found)]) {
    let mut rates = zone(1);
    for (now, found) in expected {
        assert_eq!(rates.look(b"a", (rate, burst), true, *now), *found, "{rate} {burst} {now}");
    }
}

#[test]
fn a_bucket_leaks_by_its_rate_and_holds_its_burst() {
    use Found::{Beyond, Counted};
    // 1r/s without a burst: the second one within a second is beyond, to the millisecond.
    check(1_000, 0, &[(5_000, Counted(0)), (5_999, Beyond(1)), (6_000, Counted(0))]);
    // 2r/s with a burst of 1.
    let expected = [
        (0, Counted(0)),
        (0, Counted(1_000)),
        (0, Beyond(2_000)),
        (499, Beyond(1_002)),
        (500, Counted(1_000)),
    ];
    check(2_000, 1_000, &expected);
    // 1r/m is 16 thousandths a second: nginx cuts off what is below.
    check(16, 0, &[(0, Counted(0)), (62_499, Beyond(1)), (62_500, Counted(0))]);
    // What was refused does not count.
    check(1_000, 0, &[(0, Counted(0)), (999, Beyond(1)), (999, Beyond(1)), (1_000, Counted(0))]);
    // A clock that went back a little stands still; one that went back far goes on by one.
    check(
        1_000,
        5_000,
        &[(100_000, Counted(0)), (50_000, Counted(1_000)), (50_000, Counted(2_000))],
    );
    let far = [(100_000, Counted(0)), (39_999, Counted(999))];
    check(1_000, 5_000, &far);
}

#[test]
fn who_waits_waits_until_the_bucket_has_room() {
    for (excess, delay, rate, expected) in [
        (0, 0, 1_000, 0),
        (1_000, 0, 1_000, 1_000),
        (1_000, 0, 16, 62_500),
        (999, 0, 2_000, 499),
        (3_000, 3_000, 1_000, 0),
        (3_001, 3_000, 1_000, 1),
        (5_000, u64::MAX, 1_000, 0),
    ] {
        assert_eq!(delay_ms(excess, delay, rate), expected, "{excess} {delay} {rate}");
    }
}

#[test]
fn what_is_left_open_counts_when_it_is_told_to() {
    let mut rates = zone(2);
    assert_eq!(rates.look(b"a", (1_000, 0), false, 10), Found::Open);
    assert_eq!(rates.look(b"a", (1_000, 0), false, 10), Found::Open, "none has counted");
    assert_eq!(rates.count(b"a", 1_000, 10), 0);
    rates.let_go(b"a");
    assert_eq!(rates.look(b"a", (1_000, 0), false, 10), Found::Beyond(1_000));
    assert_eq!(rates.look(b"a", (1_000, 2_000), false, 10), Found::Open);
    assert_eq!(rates.count(b"a", 1_000, 20), 990);
    // One that was let go has not asked.
    assert_eq!(rates.look(b"b", (1_000, 0), false, 30), Found::Open);
    rates.let_go(b"b");
    assert_eq!(rates.look(b"b", (1_000, 0), true, 30), Found::Counted(0));
    assert_eq!(rates.look(b"b", (1_000, 0), true, 30), Found::Beyond(1_000));
}

#[test]
fn the_oldest_leaves_a_full_zone() {
    let mut rates = zone(3);
    let mut ask = |key: &str, now| rates.look(key.as_bytes(), (1_000, 0), true, now);
    for key in ["a", "b", "c"] {
        assert_eq!(ask(key, 0), Found::Counted(0));
    }
    assert_eq!(ask("a", 0), Found::Beyond(1_000), "it is the newest now");
    assert_eq!(ask("d", 0), Found::Counted(0));
    assert_eq!(ask("a", 0), Found::Beyond(1_000));
    assert_eq!(ask("c", 0), Found::Beyond(1_000));
    assert_eq!(ask("b", 0), Found::Counted(0), "it was forgotten");
    assert_eq!((rates.known.len(), rates.entries.len(), rates.bytes), (3, 3, 384));
}

#[test]
fn who_is_quiet_leaves_without_need_two_at_a_time() {
    let mut rates = zone(100);
    for key in ["a", "b", "c", "d"] {
        rates.look(key.as_bytes(), (1_000, 0), true, 0);
    }
    rates.look(b"e", (1_000, 0), true, 59_999);
    assert_eq!(rates.known.len(), 5);
    rates.look(b"f", (1_000, 0), true, 60_000);
    let knows = |rates: &Rates, key: &str| rates.find(key.as_bytes()).is_ok();
    let known = ["a", "b", "c", "d", "e", "f"].map(|key| knows(&rates, key));
    assert_eq!(known, [false, false, true, true, true, true]);
    // One that others have open stays, and with it those behind.
    rates.look(b"c", (1, 9_000), false, 60_000);
    rates.look(b"g", (1, 9_000), true, 200_000);
    assert!(knows(&rates, "c") && !knows(&rates, "d"));
}

#[test]
fn a_key_that_is_larger_than_the_zone_finds_no_room() {
    let mut rates = zone(2);
    let long = [b'x'; 177];
    assert_eq!(cost(&long), 512);
    assert_eq!(rates.look(&long, (1, 0), true, 0), Found::Full);
    assert_eq!(rates.look(&long[1..], (1, 0), true, 0), Found::Counted(0));
    assert_eq!((cost(&long[..48]), cost(&long[..49])), (128, 256));
    // An open one does not leave.
    let mut rates = zone(1);
    rates.look(b"a", (1, 0), false, 0);
    assert_eq!(rates.look(b"b", (1, 0), true, 0), Found::Full);
    rates.let_go(b"a");
    assert_eq!(rates.look(b"b", (1, 0), true, 0), Found::Counted(0));
}

#[test]
fn keys_of_any_length_are_told_apart() {
    let mut rates = zone(1_000);
    let keys: Vec<Vec<u8>> = (1..100).map(|length| vec![b'k'; length]).collect();
    for key in &keys {
        assert_eq!(rates.look(key, (1, 0), true, 5), Found::Counted(0), "{}", key.len());
    }
    for key in &keys {
        assert_eq!(rates.look(key, (1, 0), true, 5), Found::Beyond(1_000), "{}", key.len());
    }
    assert_eq!(size_of::<Entry>(), 64, "one line of a processor's cache");
}
