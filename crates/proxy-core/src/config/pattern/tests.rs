//! What matches, what is captured, and what is refused.

use super::*;

fn found(text: &str, subject: &str) -> Option<Vec<String>> {
    let pattern = Pattern::new(text, false).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut captures = Captures::default();
    let is_found = pattern.captures(subject.as_bytes(), &mut captures);
    assert_eq!(is_found, pattern.is_match(subject.as_bytes()), "{text} {subject:?}");
    let count = pattern.groups() + 1;
    let group = |number| String::from_utf8_lossy(captures.group(number).unwrap_or_default()).into();
    is_found.then(|| (1..count).map(group).collect())
}

fn check(text: &str, subject: &str, expected: Option<&[&str]>) {
    let found = found(text, subject);
    let found: Option<Vec<&str>> =
        found.as_ref().map(|groups| groups.iter().map(String::as_str).collect());
    assert_eq!(found.as_deref(), expected, "{text} {subject:?}");
}

#[test]
fn the_first_of_several_ways_holds_as_in_pcre() {
    check("^/(a|ab)(.*)$", "/abc", Some(&["a", "bc"]));
    check("^/(.*?)/(.*)$", "/a/b/c", Some(&["a", "b/c"]));
    check("(x)|(y)", "y", Some(&["", "y"]));
    check(r"\.(gif|jpe?g)$", "/a.jpeg", Some(&["jpeg"]));
    check("b", "abc", Some(&[]));
    check("^b", "abc", None);
}

#[test]
fn a_dollar_is_the_end_or_before_the_line_end_that_is_the_last_byte() {
    for (subject, is_match) in [("/a.php", true), ("/a.php\n", true), ("/a.php\n\n", false)] {
        check(r"\.php$", subject, is_match.then_some(&[]));
        check(r"\.php\Z", subject, is_match.then_some(&[]));
    }
    check(r"\.php\z", "/a.php\n", None);
    check(r"\.php$", "/a.php\nb", None);
    check("^/([^/]+)$", "/a\n", Some(&["a\n"]));
    check("^/(.+)$", "/a\n", Some(&["a"]));
    check("[$]", "$", Some(&[]));
    check(r"a\$", "a$", Some(&[]));
}

#[test]
fn bytes_are_what_is_matched_and_a_dot_is_any_but_a_line_end() {
    let pattern = Pattern::new(r"^/(.)\xFF$", false).unwrap();
    let mut captures = Captures::default();
    assert!(pattern.captures(b"/\xC3\xFF", &mut captures));
    assert_eq!(captures.group(1), Some(&b"\xC3"[..]));
    check("^/ü$", "/ü", Some(&[]));
    check("^/[ü]{2}$", "/ü", Some(&[]));
    check("^.$", "ü", None);
    check("a.b", "a\nb", None);
    check(r"\w", "ü", None);
}

#[test]
fn what_pcre_takes_as_it_stands_is_taken_so() {
    check("^/a{b}$", "/a{b}", Some(&[]));
    check("^/a{,3}$", "/a{,3}", Some(&[]));
    check("^/a{2}$", "/aa", Some(&[]));
    check("^/a{2,}?b$", "/aaab", Some(&[]));
    check("^[]a]+$", "]a]", Some(&[]));
    check("^[^]a]+$", "]", None);
    check("^[a[b]+$", "a[b", Some(&[]));
    check("^[a&&b]+$", "&", Some(&[]));
    check("^[a~~*--]+$", "~,", Some(&[]));
    check(r"^[\w.-]+$", "a-.", Some(&[]));
    check(r"^[a-c-e]+$", "b-e", Some(&[]));
    check(r"^[a-c-e]+$", "d", None);
    check(r"^[\w\-\/.]+$", "a-/.", Some(&[]));
    check(r"^[a-c-]+$", "b-", Some(&[]));
    check(r"^[+--]+$", ",", Some(&[]));
    check("^[[:digit:][:^alpha:]]+$", "1-", Some(&[]));
    check("^[[:x]+$", ":[x", Some(&[]));
    check(r"^\/a\-b\_c\<d\>\!\#\%\@\,\:\;\'\`\~$", "/a-b_c<d>!#%@,:;'`~", Some(&[]));
    check(r"^\h\v\R\e\x41\x{42}$", " \n\r\n\x1bAB", Some(&[]));
    check(r"^}]$", "}]", Some(&[]));
    check("(?i)^/A", "/a", Some(&[]));
    check("^/(?i:A)b$", "/ab", Some(&[]));
    check("^/(?s:.)$", "/\n", Some(&[]));
}

#[test]
fn groups_have_names_in_three_spellings() {
    let text = "(?<a>.)(?P<b_2>.)(?'c'.)(.)";
    let pattern = Pattern::new(text, false).unwrap();
    let groups: Vec<(&str, usize)> = pattern.named_groups().collect();
    assert_eq!(groups, [("a", 1), ("b_2", 2), ("c", 3)]);
    assert_eq!(names(text).collect::<Vec<_>>(), ["a", "b_2", "c"]);
    check(text, "wxyz", Some(&["w", "x", "y", "z"]));
    assert_eq!(names("(?=x)(?:y)(?<=z)(?<").count(), 0);
}

#[test]
fn letters_of_either_case_are_the_same_where_it_is_said_so() {
    let pattern = Pattern::new(r"\.PNG$", true).unwrap();
    assert!(pattern.is_match(b"/a.png") && pattern.is_match(b"/a.Png\n"));
    assert!(!Pattern::new(r"\.PNG$", false).unwrap().is_match(b"/a.png"));
}

#[test]
fn what_cannot_be_had_in_linear_time_is_refused_with_that_reason() {
    let reason = |text: &str| Pattern::new(text, false).map(|_| ()).expect_err(text);
    for text in [
        "(?<=a)b",
        "(?<!a)b",
        "^((?!api).)*$",
        "a|(?!b)c",
        "(?!b)c|a",
        "^/.*(?!x)",
        "^/a?(?=x)",
        "/(?!a+)b",
        "/(?!a).*b",
        "/(?!a).*$",
        "/(?!a)b+.*",
        "/(?!.*a)b.*c",
        r"/(?!a)\.*",
        "/(?!a)(?:b|c.*)",
        "/(?!a).{257}",
        "^/(?!(?!a)b)",
        "^(?:(?!a)b)",
    ] {
        assert_eq!(reason(text), LOOK_AROUND_TOLD, "{text}");
    }
    for text in ["a++", "a*+", "a?+", "a{2}+", "(?>a)", "(?|a|b)", "(?R)", "(?(1)a)"] {
        assert!(reason(text).starts_with("possessive quantifiers, atomic groups"), "{text}");
    }
    for text in [r"(a)\1", r"(?<a>b)\k<a>", r"(a)\g1"] {
        assert!(reason(text).starts_with("back references"), "{text}");
    }
    for (text, expected) in [
        ("(a", "unclosed group"),
        ("^(?!a", "unclosed group"),
        ("^(?!a)*", "repetition operator missing expression"),
        ("^(?<a>.)(?!b)(?<a>.)", "duplicate capture group name"),
        ("a)", "unopened group"),
        ("[a", "unclosed character class"),
        ("*a", "repetition operator missing expression"),
        ("(?x)a b", "the options \"m\", \"x\", \"n\" and \"J\" are not supported"),
        ("(*UTF8)a", "verbs as \"(*UTF8)\" are not supported"),
        (r"\Qa\E", "\"\\Q\" is not supported"),
        (r"\y", "unrecognized escape sequence \"\\y\""),
        (r"[\w-.]", "invalid range in character class"),
        (r"[.-\w]", "invalid range in character class"),
        (r"[[:alpha:]-z]", "invalid range in character class"),
        ("[z-a]", "invalid character class range, the start must be <= the end"),
        (r"a\", "\\ at end of pattern"),
        (r"\x{100}", "a character beyond \"\\xFF\" is not supported"),
    ] {
        assert_eq!(reason(text), expected, "{text}");
    }
}

const LOOK_AROUND_TOLD: &str = "look-around (\"(?=\", \"(?!\", \"(?<=\", \"(?<!\") is not supported in this place: matching takes linear \
     time; \"^/(?!api|admin)\" and \"/\\.(?!well-known)\" can be had";

#[test]
fn what_is_too_large_is_refused_in_bounded_time() {
    let reason = |text: &str| Pattern::new(text, false).map(|_| ()).expect_err(text);
    assert_eq!(reason("(((a{100}){100}){100}){100}"), "it is too large");
    assert_eq!(reason(&"a".repeat(16_385)), "it is longer than 16384 bytes");
    assert!(Pattern::new(&"a".repeat(16_384), false).is_ok());
    assert!(Pattern::new(&"(".repeat(10_000), false).is_err());
}

#[test]
fn patterns_that_never_end_elsewhere_end() {
    // An engine that goes back tries more ways for each of these than there are atoms.
    let subject = format!("/{}!", "a".repeat(32 << 10));
    for text in ["^/(a+)+$", "^/(a|a)*$", "^/(a|aa)+$", "(.*)*x", "^/(.*a){20}$", "(a*)*(b|c)*$"] {
        let pattern = Pattern::new(text, false).unwrap();
        let is_found = pattern.captures(subject.as_bytes(), &mut Captures::default());
        assert_eq!(is_found, text == "(a*)*(b|c)*$", "{text}");
    }
}

#[test]
fn what_must_not_follow_is_looked_for_behind_what_has_one_length() {
    for (text, subject, expected) in [
        ("^/(?!api|admin)", "/shop", Some(&[][..])),
        ("^/(?!api|admin)", "/api/x", None),
        ("^/(?!api|admin)", "/administration", None),
        ("^(?!/api)", "/x", Some(&[])),
        ("^/(?!wiki/).*\\.(js|css)$", "/a/wiki/b.css", Some(&["css"])),
        ("^/(?!wiki/).*\\.(js|css)$", "/wiki/b.css", None),
        ("^/(a|b)/(?!x)(.*)$", "/a/yz", Some(&["a", "yz"])),
        ("^/(a|b)/(?!x)(.*)$", "/b/xz", None),
        // Every place is tried, and every one is looked at.
        ("/\\.(?!well-known)", "/.well-known/.git", Some(&[])),
        ("/\\.(?!well-known)", "/.well-known/a", None),
        ("/\\.(?!well-known)", "/x/.", Some(&[])),
        (r"/\.(?!well-known).*", "/.well-known/.git/x", Some(&[])),
        (r"/\.(?!well-known).*", "/.well-known/a.b", None),
        (r"/\.(?!well-known).*", "/x/.", Some(&[])),
        (r"/\.(?!well-known)(.*)", "/.well-known/.git/x", Some(&["git/x"])),
        (r"/\.(?!well-known)(.+)", "/x/.", None),
        (r"/\.(?!a)(b).+", "/.b/.bc", Some(&["b"])),
        ("a(?!b)c?", "abac", Some(&[])),
        ("a(?!a)(.)", "aab", Some(&["b"])),
        // What must follow keeps what it has captured, in the order of the text.
        ("^/(.)(?=(..))(.)", "/abc", Some(&["a", "bc", "b"])),
        ("^/(?=.*x)(?!.*y)(.*)$", "/ax", Some(&["ax"])),
        ("^/(?=.*x)(?!.*y)(.*)$", "/axy", None),
        ("^/(?!(a))(.)", "/b", Some(&["", "b"])),
        ("(?i)^/(?!API)(.)B", "/ab", Some(&["a"])),
        ("(?i)^/(?!API)", "/api", None),
        // Where a text has these letters it has no look-ahead.
        ("^[(?!a)]$", "!", Some(&[])),
        (r"^\(\?!a$", "(?!a", Some(&[])),
        ("^[]()?!](?!x)", "](", Some(&[])),
    ] {
        check(text, subject, expected);
    }
}

#[test]
fn the_end_is_where_a_dollar_says_behind_a_look_too() {
    for (subject, is_match) in [("/a.php", true), ("/a.php\n", true), ("/b.php", false)] {
        check(r"^/(?!b)\w\.php$", subject, is_match.then_some(&[]));
        check(r"^/(?!b\.php$)", subject, is_match.then_some(&[]));
    }
    assert_eq!(
        Pattern::new("^/(?<one>.)(?!x)(?<two>.)", false)
            .unwrap()
            .named_groups()
            .collect::<Vec<_>>(),
        [("one", 1), ("two", 2)]
    );
}
