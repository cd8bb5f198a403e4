//! Files of a megabyte that are well formed and ask for too much of something.

#[path = "common/lowered.rs"]
mod lowered;

use std::time::Instant;

/// It ends soon, and does not tell of everything.
fn check_large(before: &str, line: impl Fn(usize) -> String, after: &str) {
    let lines: String = (0..20_000).map(line).collect();
    let start = Instant::now();
    let told = match lowered::lowered(&format!("{before}{lines}{after}")) {
        Ok((_, warnings)) => warnings.len(),
        Err(findings) => findings.len(),
    };
    assert!(told <= 250, "{before}: {told} findings");
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
