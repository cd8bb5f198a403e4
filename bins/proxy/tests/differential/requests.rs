//! Judges what a client's bytes came to: what the application got and what the client heard.

use crate::lane::{Heard, Lane, Reply, Talk, Then};
use crate::reader::{self, Fields, Request};
use crate::streams::Stream;
use crate::verdict::{Verdict, WAITS, shown};

/// Each hop's own: how its connection goes on and how its bodies are framed. What they frame is
/// compared instead. Ours also passes an asked-for Upgrade without configuration.
const OF_THE_HOP: [&str; 4] = ["connection", "upgrade", "content-length", "transfer-encoding"];

/// Fields of the client's connection that nginx passes on all the same (RFC 9110 §7.6.1, and
/// trailers are dropped on the way). Ours must not.
const NOT_PASSED: [&str; 3] = ["trailer", "proxy-connection", "http2-settings"];

/// Lets a client talk to both.
pub fn compare(stream: &Stream, talk: &Talk, ours: &mut Lane, nginx: &mut Lane) -> Verdict {
    let ours = ours.converse(talk, &mut answer);
    let nginx = nginx.converse(talk, &mut answer);
    judge(stream, &ours, &nginx)
}

/// The application's answer tells the how-manyeth request it is to.
fn answer(request: &Request, nth: usize) -> Reply {
    let mut bytes =
        format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Seen: {}\r\n\r\n", nth + 1).into_bytes();
    if !request.is_head() {
        bytes.extend_from_slice(b"seen");
    }
    Reply { bytes, then: Then::Keep, before_next: Vec::new() }
}

fn judge(stream: &Stream, ours: &Heard, nginx: &Heard) -> Verdict {
    let (told, expected) = (events(stream, ours), events(stream, nginx));
    let wrong =
        |why: String| Verdict::Wrong { why, ours: told.join(" "), nginx: expected.join(" ") };
    if let Some(why) = ours.requests.iter().find_map(|request| request.odd) {
        return wrong(format!("the application got a request of which {why}"));
    }
    for (index, (ours, nginx)) in ours.requests.iter().zip(&nginx.requests).enumerate() {
        if let Some(difference) = difference(stream, ours, nginx) {
            return wrong(format!("request {}: {difference}", index + 1));
        }
    }
    // More requests than nginx makes of the same bytes: what smuggling is. Only where nginx closes
    // early may the one that was sent as the last of all go through.
    if let Some(extra) = ours.requests.get(nginx.requests.len()) {
        let is_one = ours.requests.len() == nginx.requests.len() + 1;
        if !is_one || !is_sentinel(extra) || nginx.closed.is_none() {
            return wrong(format!("nginx does not pass {}", shown(&extra.target)));
        }
        return Verdict::Differs { ours: "goes on".into(), nginx: expected.join(" ") };
    }
    let Some(at) = (0..told.len()).find(|&at| told.get(at) != expected.get(at)) else {
        return Verdict::Same;
    };
    let refuses = told[at] == "closed" || told[at].starts_with(['4', '5']);
    if ours.requests.len() < nginx.requests.len() && !refuses {
        return wrong(format!("ours says {} and does not pass it", told[at]));
    }
    Verdict::Differs { ours: told[at].clone(), nginx: expected.join(" ") }
}

fn is_sentinel(request: &Request) -> bool {
    request.target == b"/sentinel" && request.method == b"GET" && request.body.is_empty()
}

/// What the client heard: the status of each answer, with the number of the request that it is
/// to where the application gave it, and how it ended.
fn events(stream: &Stream, heard: &Heard) -> Vec<String> {
    let mut events = Vec::new();
    let mut rest = heard.received.as_slice();
    while !rest.is_empty() {
        // Whether an answer is to HEAD shows by what follows it: no body here begins so.
        let bodiless = reader::read_answer(rest, true, heard.closed);
        let to_head = bodiless
            .as_ref()
            .is_some_and(|a| a.used == rest.len() || rest[a.used..].starts_with(b"HTTP/1."));
        let read = if to_head { bodiless } else { reader::read_answer(rest, false, heard.closed) };
        let Some(answer) = read else {
            events.push("cut".into());
            break;
        };
        rest = &rest[answer.used..];
        events.push(match reader::find(&answer.fields, "x-seen") {
            Some(nth) => format!("{}#{}", answer.status, nth.escape_ascii()),
            None if answer.status == 0 => "raw".into(),
            None => answer.status.to_string(),
        });
    }
    // To a client that has gone nobody needs to say so.
    if stream.ends_early() && matches!(events.last().map(String::as_str), Some("400" | "408")) {
        events.pop();
    }
    events.push(if heard.closed.is_some() { "closed" } else { WAITS }.into());
    events
}

/// What differs between the requests that an application got from both.
fn difference(stream: &Stream, ours: &Request, nginx: &Request) -> Option<String> {
    for (what, ours, nginx) in [
        ("method", &ours.method, &nginx.method),
        ("target", &ours.target, &nginx.target),
        ("body", &ours.body, &nginx.body),
    ] {
        if ours != nginx {
            return Some(format!("{what} {}, not {}", shown(ours), shown(nginx)));
        }
    }
    let not_passed = |name: &str| NOT_PASSED.contains(&name) || stream.nominated.contains(&name);
    if let Some((name, _)) = ours.fields.iter().find(|(name, _)| not_passed(name)) {
        return Some(format!("{name} is of the client's connection, and passed"));
    }
    let passed = |fields: &Fields| -> Fields {
        let of_the_hop = |name: &str| OF_THE_HOP.contains(&name) || not_passed(name);
        fields.iter().filter(|(name, _)| !of_the_hop(name)).cloned().collect()
    };
    let (ours, nginx) = (passed(&ours.fields), passed(&nginx.fields));
    let missing = nginx.iter().find(|field| !ours.contains(field));
    let extra = ours.iter().find(|field| !nginx.contains(field));
    let field = |(name, value): &(String, Vec<u8>)| format!("{name}: {}", shown(value));
    match (extra, missing) {
        (None, None) if ours == nginx => None,
        (None, None) => Some("its fields come in another order".into()),
        (extra, missing) => Some(format!(
            "field {}, not {}",
            extra.map_or("none".into(), field),
            missing.map_or("none".into(), field)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::End;

    /// A client that heard these answers, and an application that got these requests whole.
    fn heard(answers: &str, requests: &[&str]) -> Heard {
        let requests =
            requests.iter().map(|request| reader::read_request(request.as_bytes()).unwrap().0);
        let closed = Some(End::Whole);
        Heard { received: answers.as_bytes().to_vec(), closed, requests: requests.collect() }
    }

    fn check(ours: (&str, &[&str]), nginx: (&str, &[&str]), expected: &str) {
        let stream = &crate::streams::all()[0];
        let verdict = judge(stream, &heard(ours.0, ours.1), &heard(nginx.0, nginx.1));
        let told = match verdict {
            Verdict::Same => "same".into(),
            Verdict::Differs { ours, .. } => format!("differs: {ours}"),
            Verdict::Wrong { why, .. } => format!("wrong: {why}"),
        };
        assert_eq!(told, expected);
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nX-Seen: 1\r\nContent-Length: 4\r\n\r\nseen";
    const BAD: &str = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n";
    const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nok";
    const LAST: &str = "GET /sentinel HTTP/1.1\r\nHost: sentinel\r\n\r\n";

    #[test]
    fn what_is_the_same_is_the_same() {
        check((OK, &[GET]), (OK, &[GET]), "same");
        check((BAD, &[]), (BAD, &[]), "same");
        let other = "GET /a HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n";
        check((OK, &[other]), (OK, &[GET]), "same");
    }

    #[test]
    fn a_refusal_is_for_the_list() {
        check((BAD, &[]), (OK, &[GET]), "differs: 400");
        check(("", &[]), (OK, &[GET]), "differs: closed");
        check((OK, &[GET]), (&[OK, BAD].concat(), &[GET]), "differs: closed");
    }

    #[test]
    fn no_list_helps_who_lets_more_through() {
        check((OK, &[GET]), (BAD, &[]), "wrong: nginx does not pass /a");
        check((OK, &[GET, POST]), (OK, &[GET]), "wrong: nginx does not pass /a");
        check((OK, &[GET, LAST]), (OK, &[GET]), "differs: goes on");
        check((OK, &[GET, LAST, LAST]), (OK, &[GET]), "wrong: nginx does not pass /sentinel");
        check((OK, &[LAST, GET]), (OK, &[LAST]), "wrong: nginx does not pass /a");
    }

    #[test]
    fn no_list_helps_who_changes_a_request() {
        let wrong = |ours, nginx, why: &str| check((OK, &[ours]), (OK, &[nginx]), why);
        wrong(POST, GET, "wrong: request 1: method POST, not GET");
        wrong(LAST, GET, "wrong: request 1: target /sentinel, not /a");
        let more = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\noks";
        wrong(more, POST, "wrong: request 1: body oks, not ok");
        let other = "GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
        wrong(other, GET, "wrong: request 1: field host: b, not host: a");
        let hop = "GET /a HTTP/1.1\r\nHost: a\r\nTrailer: x\r\n\r\n";
        wrong(hop, GET, "wrong: request 1: trailer is of the client's connection, and passed");
        check((OK, &[GET]), (OK, &[hop]), "same");
        let lf = "GET /a HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n";
        let why =
            "wrong: the application got a request of which a byte in its head ends a line for some";
        wrong(lf, GET, why);
        let both =
            "POST /a HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let why =
            "wrong: the application got a request of which it says more than once how long it is";
        wrong(both, GET, why);
    }

    #[test]
    fn own_answers_do_not_pass_for_passing_on() {
        let own = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown";
        check((own, &[]), (OK, &[GET]), "wrong: ours says 200 and does not pass it");
    }
}
