//! Passwords that other programs have encrypted: crypt(3) of Linux, and openssl.

use super::*;

const LONG: &str = "a longer passphrase, of more than sixteen bytes in it, and even of sixty-four";

fn check(password: &str, kept: &str, expected: Result<bool, Unknown>) {
    assert_eq!(is_right(password.as_bytes(), kept.as_bytes()), expected, "{password} {kept}");
}

#[test]
fn the_password_that_was_encrypted_is_right_and_no_other() {
    let x80 = "x".repeat(80);
    for (password, kept) in [
        ("secret", "$apr1$r31.....$G/cElGhD0cboYkZN5h5Ne/"),
        (LONG, "$apr1$ab$3iZ4coEZ2TAoVZsEwUWOS0"),
        ("secret", "$1$ab$dslkcXxVH.x8LwW1W/oAB/"),
        (LONG, "$1$ab$dy3JA4wPx0OKL3qoYLA0N/"),
        ("", "$1$ab$rn6aQS/o7141mj179E/zA."),
        ("secret", "$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA"),
        (LONG, "$5$saltsalt$.THS3JJu5kxpMEl1UaC1bhEC5ujficEEhdTOwaboVQ/"),
        ("", "$5$saltsalt$09agN5RZ2meWdEdnEusqsq5G7RwwghB8jCKoWWADxW/"),
        ("secret", "$5$rounds=1400$anotherlongsalts$hA9phAhHgeqcKTycY/LRKamQM18d5P2uD0VRrWGWMX6"),
        ("", "$5$rounds=1000$s$cdjvTno7yp4OJ1Yyxn95LrCQTyxHsv3TK6lXb48P4L1"),
        (
            "secret",
            "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz.",
        ),
        (
            LONG,
            "$6$rounds=1000$x$MTqOFtRlae1wuQugdpZ.4OilTczPgeMCJMu8MuFMLucg0vNme7eNFpdjJwTfEXFIIvAudOvndSZNDCvALqgtl.",
        ),
        ("secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
        (LONG, "$2a$04$abcdefghijklmnopqrstuuw1zwEQ61JGWusxxuHCNMuMTdzLvvlji"),
        ("secret", "$2b$05$......................35w9tBXOiWEqF4YNx8Fn9rPUbxS7RTu"),
        ("", "$2y$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"),
        (&x80, "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"),
        (&x80[..71], "$2y$04$abcdefghijklmnopqrstuu.gc7UY/21CSNJGJg21jJzx9QiOpJ9bO"),
        ("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
        ("secret", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0"),
        ("secret", "{PLAIN}secret"),
        ("", "{PLAIN}"),
        ("secret\0more", "{PLAIN}secret"),
    ] {
        check(password, kept, Ok(true));
        check(&format!("y{password}"), kept, Ok(false));
        check(&password.to_uppercase(), kept, Ok(password.is_empty()));
        // A letter of what is kept is another one; the last letter's low bits may mean nothing.
        if !kept.starts_with("{PLAIN}") {
            let (front, rest) = kept.split_at(kept.len() - 8);
            let other = if rest.starts_with('A') { 'B' } else { 'A' };
            check(password, &format!("{front}{other}{}", &rest[1..]), Ok(false));
        }
    }
}

#[test]
fn a_password_is_so_long_at_most() {
    let kept = "$6$rounds=1000$x$9eOxb0aprvfjc6Bpf/KYGlbm8FaoDpur8LDdxuVplZ.thdxWSsWEjFEvBf3xBMm.zzg6/6abqd6rtb5Scp3RA/";
    check(&"x".repeat(511), kept, Ok(true));
    let long = "x".repeat(512);
    check(&long, &format!("{{PLAIN}}{long}"), Ok(false));
    check(&long[1..], &format!("{{PLAIN}}{}", &long[1..]), Ok(true));
}

#[test]
fn what_cannot_be_checked_says_why() {
    for kept in [
        "abNANd1rDfiNc",
        "$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9",
        "",
        "$",
        "$2y$",
        "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0",
        "$2y$05$abcdefghij!lmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        "$2y$03$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        "$2x$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
        "$5$rounds=x$s$cdjvTno7yp4OJ1Yyxn95LrCQTyxHsv3TK6lXb48P4L1",
        "secret",
    ] {
        check("secret", kept, Err(Unknown::Form));
    }
    let costly = "$2y$13$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a";
    check("secret", costly, Err(Unknown::Work));
    let many = "$5$rounds=100001$s$cdjvTno7yp4OJ1Yyxn95LrCQTyxHsv3TK6lXb48P4L1";
    check("secret", many, Err(Unknown::Work));
    assert_ne!(Unknown::Form.to_string(), Unknown::Work.to_string());
}

#[test]
fn what_is_cut_short_is_wrong() {
    for kept in
        ["$apr1$", "$apr1$ab", "$1$ab$", "$5$", "$6$x$", "{SHA}", "{SHA}5en6", "{SSHA}gVK8WC9Yy"]
    {
        check("secret", kept, Ok(false));
    }
    // A digest with a salt is none without.
    check("secret", "{SHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", Ok(false));
    check("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ!", Ok(false));
}

#[test]
fn both_alphabets_of_base64_are_read() {
    let decoded = |with: fn(&[u8], &mut Vec<u8>) -> bool, text: &str| {
        let mut out = Vec::new();
        with(text.as_bytes(), &mut out).then_some(out)
    };
    assert_eq!(decoded(decode, "+/8="), Some(vec![0xfb, 0xff]));
    assert_eq!(decoded(decode_url, "-_8"), Some(vec![0xfb, 0xff]));
    assert_eq!(decoded(decode_url, "+/8="), None);
    assert_eq!(decoded(decode, "-_8="), None);
    assert_eq!(decoded(decode, "A"), None);
    assert_eq!(decoded(decode, ""), Some(vec![]));
}
