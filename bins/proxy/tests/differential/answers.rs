//! Judges what an application's bytes came to at the client, and whether the request after it got
//! its own answer.

use crate::lane::{After, Heard, Lane, Piece, Reply, Talk, Then};
use crate::reader::{self, Answer, End, Fields, Request};
use crate::replies::Case;
use crate::verdict::{Verdict, WAITS, shown};

/// Each hop's own, and what every server says of itself.
const OF_THE_HOP: [&str; 5] = ["connection", "keep-alive", "transfer-encoding", "server", "date"];

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
    Reply { bytes, then: Then::Keep, before_next: Vec::new() }
}

fn outcome(heard: &Heard, to_head: bool) -> Outcome {
    let answer = reader::read_answer(&heard.received, to_head, heard.closed);
    let rest = answer.as_ref().map_or(heard.received.as_slice(), |a| &heard.received[a.used..]);
    let next = match reader::read_answer(rest, false, heard.closed) {
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
    let differs = || Verdict::Differs { ours: told.clone(), nginx: expected.clone() };
    let refused = |outcome: &Outcome| match &outcome.answer {
        None => true,
        Some(answer) => answer.end == End::Broken || answer.status == 502,
    };
    match (refused(ours), refused(nginx)) {
        (true, true) => Verdict::Same,
        (true, false) => differs(),
        (false, true) => wrong("nginx does not let it through".into()),
        (false, false) => match (&ours.answer, &nginx.answer) {
            (Some(ours_answer), Some(nginx_answer)) => {
                match difference(ours_answer, nginx_answer) {
                    Some(why) => wrong(why),
                    // That the connection goes on matters, unless it goes wrong with nginx.
                    None if ours.next != nginx.next && nginx.next != Next::Foreign => differs(),
                    None => Verdict::Same,
                }
            }
            _ => Verdict::Same,
        },
    }
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
    // nginx writes some that it knows before all others: order counts within a name only.
    let passed = |fields: &Fields| -> Fields {
        let mut passed: Fields = fields
            .iter()
            .filter(|(name, _)| !OF_THE_HOP.contains(&name.as_str()))
            .cloned()
            .collect();
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
        field.map_or("none".into(), |(name, value)| format!("{name}: {}", shown(value)))
    };
    Some(format!("field {}, not {}", field(extra), field(missing)))
}
