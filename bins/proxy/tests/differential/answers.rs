//! Judges what an application's bytes came to at the client, and whether the request after it got
//! its own answer.

use crate::lane::{After, Heard, Lane, Piece, Reply, Talk, Then};
use crate::reader::{self, Answer, End, Fields, Request};
use crate::replies::Case;
use crate::verdict::{Verdict, WAITS, shown};

/// Each hop's own, and what every server says of itself.
const OF_THE_HOP: [&str; 5] = ["connection", "keep-alive", "transfer-encoding", "server", "date"];

/// Fields of the application's connection that nginx passes on all the same (RFC 9110 §7.6.1, and
/// trailers are dropped on the way). Ours must not, but for the Upgrade that a 426 is about.
const NOT_PASSED: [&str; 4] = ["trailer", "proxy-connection", "te", "upgrade"];

/// What the second request on the client's connection got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Own,
    Closed,
    /// Nothing, on a connection that stays open.
    Waits,
    /// Bytes that are no answer to it.
    Foreign,
}

struct Outcome {
    answer: Option<Answer>,
    next: Next,
}

/// Lets both pass the same answer to a client that goes on with another request.
pub fn compare(case: &Case, method: &str, ours: &mut Lane, nginx: &mut Lane) -> Verdict {
    let bytes = format!(
        "{method} /odd HTTP/1.1\r\nHost: a\r\n\r\n\
         GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    );
    let piece = Piece { after: After::Nothing, bytes: bytes.into() };
    let talk = Talk { pieces: vec![piece], half_close_after: None };
    let mut answer = |request: &Request, _: usize| reply(case, request);
    let [ours, nginx] = [ours, nginx].map(|lane| {
        let heard = lane.converse(&talk, &mut answer);
        lane.forget_connections();
        outcome(&heard, method == "HEAD")
    });
    judge(&ours, &nginx)
}

fn reply(case: &Case, request: &Request) -> Reply {
    if request.target == b"/odd" {
        return case.reply(request.is_head());
    }
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Next: 1\r\n\r\nnext".to_vec();
    // So that one who is still reading the answer before it comes to an end as well.
    Reply { bytes, then: Then::Close, before_next: Vec::new() }
}

fn outcome(heard: &Heard, to_head: bool) -> Outcome {
    let answer = reader::read_answer(&heard.received, to_head, heard.closed);
    let rest = answer.as_ref().map_or(heard.received.as_slice(), |a| &heard.received[a.used..]);
    let next = match reader::read_answer(rest, false, heard.closed) {
        // The next one's answer stands in the place of this one's.
        _ if answer.as_ref().is_some_and(is_own) => Next::Foreign,
        _ if rest.is_empty() && heard.closed.is_none() => Next::Waits,
        _ if rest.is_empty() => Next::Closed,
        Some(next) if is_own(&next) && next.used == rest.len() => Next::Own,
        _ => Next::Foreign,
    };
    Outcome { answer, next }
}

fn is_own(next: &Answer) -> bool {
    // A 502 is the proxy's own word on a connection that it could not use.
    next.body == b"next" && reader::find(&next.fields, "x-next").is_some()
}

fn judge(ours: &Outcome, nginx: &Outcome) -> Verdict {
    let (told, expected) = (summary(ours), summary(nginx));
    let wrong = |why: String| Verdict::Wrong { why, ours: told.clone(), nginx: expected.clone() };
    match ours.next {
        Next::Foreign => return wrong("the next request got something else than an answer".into()),
        Next::Waits => return wrong("the connection neither goes on nor ends".into()),
        Next::Own | Next::Closed => {}
    }
    // Where nginx leaves a client with another's bytes or with a connection that is stuck, there is
    // nothing to be the same as.
    if matches!(nginx.next, Next::Foreign | Next::Waits) {
        return Verdict::Same;
    }
    let differs = || Verdict::Differs { ours: told.clone(), nginx: expected.clone() };
    match (delivered(ours), delivered(nginx)) {
        (None, None) => Verdict::Same,
        (None, Some(_)) => differs(),
        (Some(_), None) if is_cut(nginx) => wrong("it is not known to be whole".into()),
        (Some(_), None) => differs(),
        (Some(our_answer), Some(nginx_answer)) => match difference(our_answer, nginx_answer) {
            Some(why) if why.starts_with("field ") => {
                Verdict::Differs { ours: why, nginx: expected }
            }
            Some(why) => wrong(why),
            None if ours.next != nginx.next => differs(),
            None => Verdict::Same,
        },
    }
}

/// The answer, if it reached the client whole, and is no interim one in the place of the last.
fn delivered(outcome: &Outcome) -> Option<&Answer> {
    let is_answer = |answer: &&Answer| answer.status > 100 && answer.status != 502;
    outcome.answer.as_ref().filter(|answer| answer.end == End::Whole).filter(is_answer)
}

fn is_cut(outcome: &Outcome) -> bool {
    outcome.answer.as_ref().is_some_and(|answer| answer.end == End::Broken && answer.status != 0)
}

/// As the list writes it: what became of the answer, and of the next one.
fn summary(outcome: &Outcome) -> String {
    let answer = match &outcome.answer {
        None => "nothing".into(),
        Some(answer) if answer.status == 0 => "garbage".into(),
        Some(Answer { status, end: End::Broken, .. }) => format!("{status} cut"),
        Some(answer) => answer.status.to_string(),
    };
    let next = match outcome.next {
        Next::Own => "next",
        Next::Closed => "closed",
        Next::Waits => WAITS,
        Next::Foreign => "FOREIGN",
    };
    format!("{answer}, {next}")
}

/// What differs between two answers that came whole.
fn difference(ours: &Answer, nginx: &Answer) -> Option<String> {
    if ours.status != nginx.status {
        return Some(format!("status {}, not {}", ours.status, nginx.status));
    }
    for (what, ours, nginx) in
        [("reason", &ours.reason, &nginx.reason), ("body", &ours.body, &nginx.body)]
    {
        if ours != nginx {
            return Some(format!("{what} {}, not {}", shown(ours), shown(nginx)));
        }
    }
    let not_passed =
        |name: &str| NOT_PASSED.contains(&name) && (name, ours.status) != ("upgrade", 426);
    if let Some((name, _)) = ours.fields.iter().find(|(name, _)| not_passed(name)) {
        return Some(format!("{name} is of the application's connection, and passed"));
    }
    // A length that ours understood and nginx did not, and one that may not be there (RFC 9110
    // §8.6: none with 204).
    let has_length = reader::find(&nginx.fields, "content-length").is_some() && nginx.status != 204;
    // nginx writes some that it knows before all others: order counts within a name only.
    let passed = |fields: &Fields| -> Fields {
        let passes = |name: &str| {
            !OF_THE_HOP.contains(&name)
                && !not_passed(name)
                && (has_length || name != "content-length")
        };
        let mut passed: Fields = fields.iter().filter(|(name, _)| passes(name)).cloned().collect();
        passed.sort_by(|(one, _), (other, _)| one.cmp(other));
        passed
    };
    let (ours, nginx) = (passed(&ours.fields), passed(&nginx.fields));
    if ours == nginx {
        return None;
    }
    let missing = nginx.iter().find(|field| !ours.contains(field));
    let extra = ours.iter().find(|field| !nginx.contains(field));
    let field = |field: Option<&(String, Vec<u8>)>| {
        field.map_or("none".into(), |(name, value)| {
            format!("{}: {}", shown(name.as_bytes()), shown(value))
        })
    };
    Some(format!("field {}, not {}", field(extra), field(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ours: &[&str], nginx: &[&str], expected: &str) {
        let outcome = |parts: &[&str]| {
            let received = parts.concat().into_bytes();
            outcome(&Heard { received, closed: Some(End::Whole), requests: Vec::new() }, false)
        };
        let told = match judge(&outcome(ours), &outcome(nginx)) {
            Verdict::Same => "same".into(),
            Verdict::Differs { ours, .. } => format!("differs: {ours}"),
            Verdict::Wrong { why, .. } => format!("wrong: {why}"),
        };
        assert_eq!(told, expected, "{ours:?}");
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nok";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
    const END: &str = "0\r\n\r\n";
    const BAD: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    const NEXT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Next: 1\r\n\r\nnext";
    const EVIL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";

    #[test]
    fn what_is_the_same_is_the_same() {
        check(&[OK, NEXT], &[OK, NEXT], "same");
        check(&[CHUNKED], &[CHUNKED], "same");
        check(&[BAD, NEXT], &[CHUNKED], "same");
        // nginx goes wrong; ours need only not.
        check(&[OK, NEXT], &[OK, EVIL], "same");
    }

    #[test]
    fn a_refusal_is_for_the_list() {
        check(&[BAD, NEXT], &[OK, NEXT], "differs: 502, next");
        check(&[CHUNKED], &[CHUNKED, END, NEXT], "differs: 200 cut, closed");
        check(&[OK], &[OK, NEXT], "differs: 200, closed");
        check(&[OK, NEXT], &[BAD, NEXT], "differs: 200, next");
        let other = OK.replace("X-A: 1", "X-A: 2");
        check(&[&other, NEXT], &[OK, NEXT], "differs: field x-a: 2, not x-a: 1");
    }

    #[test]
    fn no_list_helps_who_makes_a_cut_answer_whole_or_mixes_answers_up() {
        check(&[CHUNKED, END, NEXT], &[CHUNKED], "wrong: it is not known to be whole");
        let foreign = "wrong: the next request got something else than an answer";
        check(&[OK, EVIL], &[OK, EVIL], foreign);
        check(&[OK, "x", NEXT], &[OK, NEXT], foreign);
        check(&[OK, NEXT, NEXT], &[OK, NEXT], foreign);
        check(&[NEXT], &[OK, NEXT], foreign);
        check(&[&OK.replace("ok", "no"), NEXT], &[OK, NEXT], "wrong: body no, not ok");
        check(&[&OK.replace("200", "201"), NEXT], &[OK, NEXT], "wrong: status 201, not 200");
    }
}
