//! Files that are cut, shuffled or very large.

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

/// A megabyte that is well formed and asks for too much of something ends soon.
fn check_large(before: &str, line: impl Fn(usize) -> String, after: &str) {
    let lines: String = (0..20_000).map(line).collect();
    let start = std::time::Instant::now();
    let told = match lowered(&format!("{before}{lines}{after}")) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    assert!(told.len() <= 250, "{before}: {} findings", told.len());
    assert!(start.elapsed().as_secs() < 20, "{before}: {:?}", start.elapsed());
}

#[test]
fn a_large_file_ends_soon_whatever_it_repeats() {
    let server = |inside: &str| format!("http {{ server {{ listen 80; {inside}");
    check_large(&server(""), |n| format!("location /a{n} {{ return 200; }}\n"), "}}");
    check_large(&server(""), |n| format!("location a{n} {{ }}\n"), "}}");
    check_large(&server(""), |n| format!("return 200 $x{n};\n"), "}}");
    let listen = |n: usize| format!("listen 127.0.{}.{}:80;\n", n >> 8 & 255, n & 255);
    check_large(&server("return 200; "), listen, "}}");
    let blocks = |n: usize| format!("server {{ listen 80; server_name *.a{n}; return 200; }}\n");
    check_large("http {", blocks, "}");
    let fields = "proxy_set_header A $host; ".repeat(2000);
    let pass = |n: usize| format!("location /a{n} {{ proxy_pass http://127.0.0.1; }}\n");
    check_large(&server(&fields), pass, "}}");
    check_large(&server("proxy_next_upstream error"), |n| format!(" a{n}"), "; return 200; }}");
    check_large(&server("return 200; "), |_| "proxy_ignore_headers Vary;\n".to_owned(), "}}");
}
