//! The client of a case: asks, and keeps all that came back.

use std::net::TcpStream;

use crate::case::Message;
use crate::upstream::{Seen, Upstreams};
use crate::wire::{Body, Framing, Head, Stop, Wire};

/// One request's answer, and what reached the upstreams for it.
#[derive(Debug, Default)]
pub struct Outcome {
    pub is_head: bool,
    pub interim: Vec<String>,
    /// Nothing where the connection ended without an answer.
    pub head: Head,
    pub body: Body,
    /// Of the whole answer, interim ones too.
    pub bytes: usize,
    /// What became of answer and connection.
    pub end: String,
    pub seen: Vec<Seen>,
}

/// How long what goes on beside a request may take to its end.
const SETTLING: std::time::Duration = std::time::Duration::from_millis(100);
/// What `end` says when the program said nothing.
const SILENCE: &str = "no answer in time";

impl Outcome {
    pub fn is_silence(&self) -> bool {
        self.end == SILENCE
    }
}

/// Asks all of them in order. `port` is where they go if they do not say.
pub fn ask(requests: &[(Message, bool)], port: &str, upstreams: &Upstreams) -> Vec<Outcome> {
    let mut wire = None;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (index, (message, follows)) in requests.iter().enumerate() {
        if !follows {
            // What the last request was about is over before the next begins.
            drop(wire.take());
        }
        let address = message.own("to").map_or(format!("127.0.0.1:{port}"), ToOwned::to_owned);
        let mut outcome = Outcome::default();
        if outcomes.last().is_some_and(Outcome::is_silence) {
            // Whoever is dead must not be waited for again and again.
            outcome.end = "not asked".into();
            outcomes.push(outcome);
            break;
        }
        if wire.is_none() {
            wire = TcpStream::connect(address).ok().map(Wire::new);
        }
        let Some(connection) = &mut wire else {
            outcome.end = "refused".into();
            outcomes.push(outcome);
            continue;
        };
        if message.own("leaves").is_some() {
            let (head, body) = message.request();
            connection.send(&[head, body].concat());
            upstreams.wait(1);
            drop(wire.take());
            outcome.end = "left".into();
        } else {
            exchange(connection, message, &mut outcome);
        }
        // Of what was sent at once nobody can say when which part reaches an upstream.
        let is_part = requests.get(index + 1).is_some_and(|(next, _)| next.start == "raw");
        let reach = message.own("reach").and_then(|count| count.parse().ok());
        if let Some(count) = reach {
            upstreams.wait(count);
            // nginx writes the line of a request once its subrequests are over.
            std::thread::sleep(SETTLING);
        }
        if !is_part {
            outcome.seen = upstreams.take();
        }
        if reach.is_some() {
            outcome.seen.sort_by_key(|seen| (seen.upstream, seen.head.line.clone()));
        }
        outcomes.push(outcome);
    }
    outcomes
}

fn exchange(wire: &mut Wire, message: &Message, outcome: &mut Outcome) {
    let (head, body) = message.request();
    outcome.is_head = head.starts_with(b"HEAD ");
    let waits = message.fields.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("expect") && value.eq_ignore_ascii_case("100-continue")
    });
    match waits {
        true => wire.send(&head),
        false => wire.send(&[head.as_slice(), body.as_slice()].concat()),
    }
    loop {
        let Some(head) = wire.head() else {
            let rest = wire.rest();
            outcome.bytes += rest.len();
            outcome.end = match (wire.stopped, rest.is_empty()) {
                (_, false) => format!("no head: {}", crate::wire::latin1(&rest)),
                (Some(Stop::Silent), _) => SILENCE.into(),
                _ => "closed without an answer".into(),
            };
            return;
        };
        outcome.bytes += head.bytes;
        let is_interim = head.line.contains(" 1") && !head.line.contains(" 101 ");
        if !is_interim {
            outcome.head = head;
            break;
        }
        outcome.interim.push(head.line);
        if waits && outcome.interim.len() == 1 {
            wire.send(&body);
        }
    }
    read_body(wire, outcome);
}

fn read_body(wire: &mut Wire, outcome: &mut Outcome) {
    let head = &outcome.head;
    let has_status = |status| head.line.contains(status);
    outcome.body = if outcome.is_head || has_status(" 204") || has_status(" 304") {
        Body { is_whole: true, ..Body::default() }
    } else {
        let framing =
            if has_status(" 101 ") { Framing::ToEnd } else { head.framing(Framing::ToEnd) };
        wire.body(framing)
    };
    outcome.bytes += outcome.body.wire_bytes;
    let says_close = head.get("connection").is_some_and(|value| value == "close");
    let after = if says_close { wire.rest() } else { Vec::new() };
    outcome.end = match (outcome.body.is_whole, after.len(), wire.stopped) {
        (false, ..) => "cut short".into(),
        (true, 0, Some(Stop::Silent)) => "whole, says that it closes and does not".into(),
        (true, 0, Some(_)) => "whole, then closed".into(),
        (true, 0, None) => "whole".into(),
        (true, more, _) => format!("whole, then {more} bytes more"),
    };
}
