//! nginx: `expires`: until when the answer may be kept.

use crate::config::expires::{Expires, Rule};
use crate::variables::View;

use super::{Context, Response};

const EPOCH: &[u8] = b"Thu, 01 Jan 1970 00:00:01 GMT";
/// nginx: `max`.
const FAR: &[u8] = b"Thu, 31 Dec 2037 23:55:55 GMT";
const NO_CACHE: &[u8] = b"no-cache";

/// On good statuses only. What was said before of it is not said any more.
pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    let location = context.request.at.location(context.request.place);
    let Some(rule) = &location.files.expires else { return };
    if !super::is_good(response.status) {
        return;
    }
    let expires = match &**rule {
        Rule::Fixed(expires) => *expires,
        Rule::Text { text, is_modified } => {
            let text = View::of_response(context, response).text(text).into_owned();
            Expires::parse(&text, *is_modified).unwrap_or(Expires::Off)
        }
    };
    let now_s = i64::try_from(context.now.unix_ms / 1_000).unwrap_or(0);
    let until = |until_s: i64| {
        let age_s = until_s.saturating_sub(now_s);
        let date = http1::imf_fixdate(u64::try_from(until_s).unwrap_or(0)).to_vec();
        let control = if age_s < 0 { NO_CACHE.to_vec() } else { max_age(age_s) };
        (date, control)
    };
    let (date, control) = match expires {
        Expires::Off => return,
        Expires::Epoch => (EPOCH.to_vec(), NO_CACHE.to_vec()),
        Expires::Max => (FAR.to_vec(), max_age(315_360_000)),
        Expires::Access(seconds) => until(now_s + seconds),
        Expires::Modified(0) => until(now_s),
        Expires::Modified(seconds) => {
            let told = response.sent_value(b"last-modified").and_then(http1::parse_date);
            until(told.unwrap_or(now_s) + seconds)
        }
        Expires::Daily(second) => until(next(now_s, second)),
    };
    response.suppress_named(&[b"expires".as_slice(), b"cache-control"]);
    response.push(b"Expires", &date);
    response.push(b"Cache-Control", &control);
}

fn max_age(seconds: i64) -> Vec<u8> {
    format!("max-age={seconds}").into_bytes()
}

/// The next time at which a day has this second.
fn next(now_s: i64, second: i64) -> i64 {
    const DAY_S: i64 = 86_400;
    let today = now_s - now_s.rem_euclid(DAY_S) + second;
    if today > now_s { today } else { today + DAY_S }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_case::{Case, answer, lines};

    /// What is said of it beside an answer with these lines; the time is 20:53:09.
    fn check(directive: &str, head_lines: &str, expected: &[&str]) {
        let case = Case::get(&format!("{directive} return 200;"), "/?t=2h&bad=x");
        let mut response = answer(&format!("HTTP/1.1 {head_lines}\r\n"));
        filter(&mut response, &case.context(true, false));
        assert_eq!(lines(&response)[1..], *expected, "{directive} {head_lines}");
    }

    #[test]
    fn each_form_says_until_when() {
        let good = "200 OK\r\n";
        for (directive, date, control) in [
            ("expires epoch;", "Thu, 01 Jan 1970 00:00:01 GMT", "no-cache"),
            ("expires max;", "Thu, 31 Dec 2037 23:55:55 GMT", "max-age=315360000"),
            ("expires 0;", "Mon, 23 Nov 2026 20:53:09 GMT", "max-age=0"),
            ("expires 1h;", "Mon, 23 Nov 2026 21:53:09 GMT", "max-age=3600"),
            ("expires +1h;", "Mon, 23 Nov 2026 21:53:09 GMT", "max-age=3600"),
            ("expires -1h;", "Mon, 23 Nov 2026 19:53:09 GMT", "no-cache"),
            ("expires @21h;", "Mon, 23 Nov 2026 21:00:00 GMT", "max-age=411"),
            ("expires @20h53m9s;", "Tue, 24 Nov 2026 20:53:09 GMT", "max-age=86400"),
            ("expires modified 1h;", "Mon, 23 Nov 2026 21:53:09 GMT", "max-age=3600"),
            ("expires modified 0;", "Mon, 23 Nov 2026 20:53:09 GMT", "max-age=0"),
            ("expires $arg_t;", "Mon, 23 Nov 2026 22:53:09 GMT", "max-age=7200"),
        ] {
            let expected = [format!("Expires: {date}"), format!("Cache-Control: {control}")];
            check(directive, good, &expected.each_ref().map(String::as_str));
        }
        let dated = "200 OK\r\nLast-Modified: Mon, 23 Nov 2026 20:53:00 GMT\r\n";
        let expected = [
            "Last-Modified: Mon, 23 Nov 2026 20:53:00 GMT",
            "Expires: Mon, 23 Nov 2026 20:54:00 GMT",
            "Cache-Control: max-age=51",
        ];
        check("expires modified 1m;", dated, &expected);
        check("expires off;", good, &[]);
        check("expires $arg_none;", good, &[]);
        check("expires $arg_bad;", good, &[]);
    }

    #[test]
    fn what_was_said_before_holds_on_errors_alone() {
        let said = "Expires: 0\r\nCache-Control: a\r\ncache-control: b\r\n";
        let before = ["Expires: 0", "Cache-Control: a", "cache-control: b"];
        check("expires epoch;", &format!("404 X\r\n{said}"), &before);
        let after = ["Expires: Thu, 01 Jan 1970 00:00:01 GMT", "Cache-Control: no-cache"];
        check("expires epoch;", &format!("200 X\r\n{said}"), &after);
        check("expires off;", &format!("200 X\r\n{said}"), &before);
    }
}
