//! The `check` subcommand: asks an HTTP address once, or until it answers as expected.
//!
//! For probes, helm tests and scripts, so that no image needs a shell or curl. Sends one plain
//! GET, follows nothing, reads no proxy variable from the environment and keeps at most
//! [`BODY_BYTES_MAX`] of the answer.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use ureq::Agent;

use crate::{cli, exit};

/// How much of an answer's body is read and searched: an endless one must not hold a probe.
pub const BODY_BYTES_MAX: u64 = 1 << 20;

/// Pause between two tries under `--retry-for`.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// What can be checked.
#[derive(Clone, Debug, Subcommand)]
pub enum Check {
    /// GET an http:// address and judge the answer: exit code 0 pass, 1 fail
    Http(Http),
}

/// Arguments of `check http`.
#[derive(Clone, Debug, Args)]
pub struct Http {
    /// Address to GET, such as http://127.0.0.1:8080/
    #[arg(value_parser = http_url)]
    pub url: String,
    /// Status the answer must have [default: any from 200 to 399]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(100..=599))]
    pub expect_status: Option<u16>,
    /// Text the body must contain (its first MiB is searched)
    #[arg(long, value_name = "TEXT")]
    pub expect_body: Option<String>,
    /// Header the answer must have, with this exact value if one is given, or one that begins with
    /// what is before a `*` at its end; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = expected_header)]
    pub expect_header: Vec<(String, Option<String>)>,
    /// Metric of the answer, which is Prometheus text, one of whose samples must be above zero
    #[arg(long, value_name = "NAME")]
    pub expect_metric: Option<String>,
    /// Time limit of one try, name lookup and body included
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = cli::duration)]
    pub timeout: Duration,
    /// Try again until it passes or this much time is over
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = cli::duration)]
    pub retry_for: Duration,
}

/// Runs the check: one line on stdout when it passes, one on stderr when it fails.
pub fn run(check: &Check) -> ExitCode {
    let Check::Http(http) = check;
    let started = Instant::now();
    loop {
        match attempt(http) {
            Ok(summary) => {
                let _ = writeln!(io::stdout(), "pass: {}: {summary}", http.url);
                return ExitCode::from(exit::OK);
            }
            Err(reason) if started.elapsed() + RETRY_PAUSE >= http.retry_for => {
                let _ = writeln!(io::stderr(), "fail: {}: {reason}", http.url);
                return ExitCode::from(exit::FAILED);
            }
            Err(_) => std::thread::sleep(RETRY_PAUSE),
        }
    }
}

/// One try: what was got, or what about it was not as expected.
fn attempt(http: &Http) -> Result<String, String> {
    let started = Instant::now();
    // A new agent each time: a kept connection would hide that new ones are refused.
    let agent: Agent = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(http.timeout))
        .user_agent(concat!("sidecar-kit-check/", env!("CARGO_PKG_VERSION")))
        .accept("*/*")
        .accept_encoding("")
        .build()
        .into();
    let answer = agent.get(&http.url).call().map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let (head, body) = answer.into_parts();
    let mut text = Vec::new();
    body.into_reader()
        .take(BODY_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(|error| format!("status {status}, then the body broke off: {error}"))?;

    match http.expect_status {
        Some(expected) if status != expected => {
            return Err(format!("expected status {expected}, got {status}{}", shown(&text)));
        }
        None if !(200..400).contains(&status) => {
            return Err(format!("expected a status from 200 to 399, got {status}{}", shown(&text)));
        }
        _ => {}
    }
    for (name, expected) in &http.expect_header {
        header_as_expected(&head.headers, name, expected.as_deref())?;
    }
    if let Some(expected) = &http.expect_body
        && !contains(&text, expected.as_bytes())
    {
        return Err(format!("expected a body that contains {expected:?}, got{}", shown(&text)));
    }
    if let Some(name) = &http.expect_metric {
        metric_above_zero(&text, name)?;
    }
    Ok(format!("{status}, {} bytes, {} ms", text.len(), started.elapsed().as_millis()))
}

fn header_as_expected(
    headers: &ureq::http::HeaderMap,
    name: &str,
    expected: Option<&str>,
) -> Result<(), String> {
    let mut values = headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        return Err(format!("expected a header {name}, there is none"));
    }
    let Some(expected) = expected else {
        return Ok(());
    };
    let got: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let is_as_expected = |value: &str| match expected.strip_suffix('*') {
        Some(beginning) => value.starts_with(beginning),
        None => value == expected,
    };
    if got.iter().any(|value| is_as_expected(value)) {
        return Ok(());
    }
    Err(format!("expected header {name}={expected:?}, got {got:?}"))
}

/// Judges a metric's samples, `NAME VALUE` and `NAME{LABELS} VALUE`: one above zero is enough. By their
/// digits, for numbers with fractions would be a large part of these small programs.
fn metric_above_zero(text: &[u8], name: &str) -> Result<(), String> {
    let text = String::from_utf8_lossy(text);
    let mut seen = None;
    for line in text.lines() {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']));
        let Some((_, value)) = rest.and_then(|rest| rest.rsplit_once(' ')) else { continue };
        let mantissa = value.split(['e', 'E']).next().unwrap_or_default();
        if !value.starts_with('-') && mantissa.contains(|digit| ('1'..='9').contains(&digit)) {
            return Ok(());
        }
        seen = Some(value);
    }
    match seen {
        Some(value) => Err(format!("expected {name} above zero, got {value}")),
        None => Err(format!("expected a metric {name}, there is none")),
    }
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || text.windows(wanted.len()).any(|window| window == wanted)
}

/// The body's beginning, escaped onto one line.
fn shown(text: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 200;
    let (start, more) = match text.split_at_checked(SHOWN_BYTES_MAX) {
        Some((start, rest)) if !rest.is_empty() => (start, " ..."),
        _ => (text, ""),
    };
    if start.is_empty() {
        ", an empty body".to_owned()
    } else {
        format!(" {:?}{more}", String::from_utf8_lossy(start))
    }
}

fn http_url(text: &str) -> Result<String, String> {
    let like = "expected an address like http://127.0.0.1:8080/ (only http)";
    let rest = text.strip_prefix("http://").ok_or_else(|| like.to_owned())?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    cli::check_authority(authority).map_err(|why| format!("{why}: {like}"))?;
    Ok(text.to_owned())
}

fn expected_header(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    match ureq::http::HeaderName::from_bytes(name.as_bytes()) {
        Ok(_) => Ok((name.to_owned(), value)),
        Err(_) => Err(format!("{name:?} is not a header's name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Serves `answers` one per connection on a free port, then closes; returns the address.
    fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for answer in answers {
                let (mut client, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap() == 1 {
                    head.push(byte[0]);
                }
                client.write_all(answer.as_bytes()).unwrap();
            }
        });
        url
    }

    fn check_for(url: String) -> Http {
        Http {
            url,
            expect_status: None,
            expect_body: None,
            expect_header: Vec::new(),
            expect_metric: None,
            timeout: Duration::from_secs(5),
            retry_for: Duration::ZERO,
        }
    }

    #[track_caller]
    fn check(answer: &'static str, set: impl FnOnce(&mut Http), expected: Result<(), &str>) {
        let mut http = check_for(server(vec![answer]));
        set(&mut http);
        match (attempt(&http), expected) {
            (Ok(_), Ok(())) => {}
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (got, _) => panic!("{got:?}, expected {expected:?}"),
        }
    }

    const HELLO: &str =
        "HTTP/1.1 200 OK\r\nContent-Length: 13\r\nX-Made-By: a\r\n\r\nHello, World!";

    #[test]
    fn any_good_status_passes_without_an_expectation() {
        check(HELLO, |_| {}, Ok(()));
        check("HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", |_| {}, Ok(()));
        check("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", |_| {}, Err("got 404"));
        check(
            "HTTP/1.1 502 No\r\nContent-Length: 4\r\n\r\noh!\n",
            |_| {},
            Err("got 502 \"oh!\\n\""),
        );
    }

    #[test]
    fn the_expected_status_alone_passes() {
        let teapot = "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n";
        check(teapot, |http| http.expect_status = Some(418), Ok(()));
        check(HELLO, |http| http.expect_status = Some(418), Err("expected status 418, got 200"));
    }

    #[test]
    fn the_body_must_contain_the_text() {
        check(HELLO, |http| http.expect_body = Some("World".into()), Ok(()));
        check(HELLO, |http| http.expect_body = Some("Wörld".into()), Err("expected a body"));
    }

    #[test]
    fn headers_are_judged_by_name_and_value() {
        let expecting = |text: &'static str| {
            move |http: &mut Http| http.expect_header = vec![expected_header(text).unwrap()]
        };
        check(HELLO, expecting("x-made-by"), Ok(()));
        check(HELLO, expecting("X-Made-By=a"), Ok(()));
        check(HELLO, expecting("X-Made-By=b"), Err("expected header"));
        check(HELLO, expecting("X-Made-By=a*"), Ok(()));
        check(HELLO, expecting("X-Made-By=*"), Ok(()));
        check(HELLO, expecting("X-Made-By=ab*"), Err("expected header"));
        check(HELLO, expecting("X-Other"), Err("there is none"));
    }

    #[test]
    fn a_metric_must_be_there_and_above_zero() {
        const METRICS: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n# HELP lines a 1\n# TYPE lines \
            counter\nlines 0\nlines_total{a=\"x 1\"} 0\nlines_total{a=\"z\"} 20\nless -1\nmore 0.0e5\nlittle 1e-9\n";
        let expecting =
            |name: &'static str| move |http: &mut Http| http.expect_metric = Some(name.into());
        check(METRICS, expecting("lines_total"), Ok(()));
        check(METRICS, expecting("little"), Ok(()));
        check(METRICS, expecting("lines"), Err("expected lines above zero, got 0"));
        check(METRICS, expecting("less"), Err("expected less above zero, got -1"));
        check(METRICS, expecting("more"), Err("expected more above zero, got 0.0e5"));
        check(METRICS, expecting("line"), Err("there is none"));
    }

    #[test]
    fn a_server_that_says_nothing_runs_into_the_time_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut http = check_for(format!("http://{}/", listener.local_addr().unwrap()));
        http.timeout = Duration::from_millis(100);
        assert!(attempt(&http).unwrap_err().contains("timeout"));
    }

    #[test]
    fn retries_until_it_passes_or_the_time_is_over() {
        let bad = "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let mut http = check_for(server(vec![bad, bad, HELLO]));
        http.retry_for = Duration::from_secs(30);
        assert_eq!(run(&Check::Http(http)), ExitCode::from(exit::OK));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut http = check_for(format!("http://{}/", listener.local_addr().unwrap()));
        drop(listener);
        http.retry_for = Duration::from_millis(300);
        assert_eq!(run(&Check::Http(http)), ExitCode::from(exit::FAILED));
    }

    #[test]
    fn only_plain_http_addresses_are_taken() {
        for good in ["http://a", "http://127.0.0.1:80/x?y", "http://[::1]:80/"] {
            assert!(http_url(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "https://a/", "http://", "http:///x", "ftp://a", "http://?x"] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
        for bad in ["http://a:65536/", "http://a:0", "http://a:x/", "http://[::1]x", "http://a:+1"]
        {
            assert!(http_url(bad).unwrap_err().contains("port"), "{bad}");
        }
    }
}
