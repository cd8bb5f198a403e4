//! What clients must have got, and what excuses the proxy where they did not.

use super::Judge;
use crate::client::Client;
use crate::features::Feature;
use crate::ledger::{Ask, Body, Defect, Got, Line};
use crate::network::{Party, Stage};
use crate::reader::Framing;
use crate::site::Place;

/// nginx's times are kept to within this: the workers' lateness and the granularity of clocks.
const SLACK_MS: u64 = 20;
/// How long a kept connection may still bring a request once no more are accepted.
const FINISH_GRACE_MS: u64 = 1_000;

impl Judge<'_> {
    pub fn check_clients(&self) {
        for client in self.world.clients() {
            if client.conduct.says_nothing {
                self.check_unheard(client);
                continue;
            }
            for id in &client.asks {
                if let Some(got) = self.ask(*id).got.clone() {
                    self.check_whole(*id, &got);
                    self.check_own_status(client, *id, &got);
                }
            }
            if self.world.silent_ms.is_none() {
                self.check_outcome(client);
                self.check_tunnel(client);
            }
            self.check_kept(client);
        }
    }

    /// Who has not said who it is, where that is to be said, has nothing.
    fn check_unheard(&self, client: &Client) {
        let remote = self.conn(client.conn).remote;
        let has_answer = client.asks.iter().any(|id| self.ask(*id).got.is_some());
        if has_answer || self.lines_from(remote).next().is_some() {
            self.fail(format!("c{} is served, though it did not say who it is", client.conn));
        }
    }

    /// An answer that looks whole to the client was given whole by the server, and ended cleanly.
    fn check_whole(&self, id: usize, got: &Got) {
        let Some(answer) = got.answer.filter(|_| got.is_whole) else { return };
        let record = &self.ledger().answers[answer];
        if !self.is_given(answer) {
            let told = format!("ask {id} takes answer {answer} for whole: {got:?}, {record:?}");
            return self.fail(told);
        }
        let is_bare = matches!(got.framing, Framing::None);
        if !is_bare && got.body != record.body {
            let (body, due) = (got.body, record.body);
            self.fail(format!("ask {id} got {body} of {due} bytes, and takes it for whole"));
        }
    }

    /// Whether the proxy has read all of an answer, and its end where that is the end.
    fn is_given(&self, answer: usize) -> bool {
        let record = &self.ledger().answers[answer];
        let conn = self.conn(record.conn);
        // The end of what has no content is the head's.
        let has_all = record.whole_at.is_some_and(|at| conn.taken(Party::Actor) >= at);
        let is_bare = record.status == 101 || matches!(record.status, 204 | 304);
        let is_head = self.ask(record.ask).method == "HEAD";
        (has_all || is_bare || is_head) && (!record.needs_end || conn.seen.read_end)
    }

    /// An answer of the proxy's own has a reason.
    fn check_own_status(&self, client: &Client, id: usize, got: &Got) {
        if got.answer.is_some() || got.status == 0 {
            return;
        }
        let ask = self.ask(id).clone();
        let line = self.line_of(id).cloned();
        let is_good = match ask.defect {
            Some(Defect::Head(status)) => {
                got.status == status || got.status == 408 && self.is_slow(client)
            }
            Some(Defect::CutHead) => got.status == 408,
            _ => self.may_be_own(client, &ask, got.status, line.as_ref()),
        };
        if !is_good {
            let status = got.status;
            self.fail(format!("ask {id} got {status} without a reason: {ask:?}, {line:?}"));
        }
    }

    fn may_be_own(&self, client: &Client, ask: &Ask, status: u16, line: Option<&Line>) -> bool {
        let settings = line.and_then(|line| self.settings_of(line, ask));
        let Some(settings) = settings else { return false };
        let max = settings.body_bytes_max;
        let is_pass = ask.place.is_pass();
        let is_broken = matches!(ask.defect, Some(Defect::Chunks | Defect::CutBody));
        let address = |line: &Line, wanted: &str| line.statuses.iter().any(|one| one == wanted);
        match status {
            200 if ask.place == Place::File => {
                let is_packed = self.world.has.has(Feature::TakesGzip);
                matches!(ask.method, "GET" | "HEAD") && (ask.parts.is_empty() || is_packed)
            }
            206 => ask.place == Place::File && !ask.parts.is_empty(),
            200 => ask.place == Place::Own,
            403 if ask.place == Place::Turn => true,
            401 | 403 => ask.words.contains(&status),
            500 if ask.place == Place::Guarded => self.may_be_unanswered(ask),
            301 => ask.place == Place::Moved,
            // The default folder is not there.
            404 => ask.place == Place::Nowhere,
            405 if ask.place == Place::File => !matches!(ask.method, "GET" | "HEAD"),
            405 => ask.place == Place::Nowhere && !matches!(ask.method, "GET" | "HEAD" | "POST"),
            400 => is_broken || client.conduct.left,
            408 => self.is_slow(client) || ask.defect == Some(Defect::CutBody),
            411 => is_pass && settings.http10 && matches!(ask.body, Body::Chunked(_)),
            413 => max > 0 && ask.body.bytes() > max,
            502 => is_pass && line.is_some_and(|line| address(line, "502")),
            504 => is_pass && line.is_some_and(|line| address(line, "504")),
            500 => is_pass && line.is_some_and(|line| address(line, "500")),
            503 => {
                let is_short = self.world.has.any(&[Feature::OwnShortage, Feature::Refuse]);
                is_pass && line.is_some_and(|line| address(line, "503")) && is_short
            }
            _ => false,
        }
    }

    /// Whether whoever was asked about a request may have said nothing, or nothing of use.
    pub(super) fn may_be_unanswered(&self, ask: &Ask) -> bool {
        let is_plain = |status: &u16| matches!(status, 200..=299 | 401 | 403);
        let has_trouble = self.shared.blames.values().any(|one| one.faults + one.silences > 0)
            || self.shared.network.conns.iter().any(|conn| conn.is_gone(Party::Actor))
            || self.world.has.any(&[Feature::Refuse, Feature::ConnectHangs, Feature::MaxFails])
            || self.world.has.any(&[Feature::OwnShortage, Feature::Silence, Feature::MaxConns]);
        has_trouble || !ask.words.iter().all(is_plain)
    }

    /// Every request of a client that did its part has its whole answer.
    fn check_outcome(&self, client: &Client) {
        let conn = self.conn(client.conn);
        let is_refused = matches!(conn.stage, Stage::Refused(_)) || !conn.was_watched();
        if is_refused || client.conduct.left {
            return;
        }
        for id in &client.asks {
            let ask = self.ask(*id).clone();
            match &ask.got {
                Some(got) if got.is_whole && got.keeps => continue,
                Some(got) if got.is_whole => return,
                Some(got) => {
                    if !self.may_be_cut(client, *id, got) {
                        self.fail(format!("ask {id} was cut without a reason: {got:?}"));
                    }
                }
                None => {
                    if !self.may_be_left_alone(client, &ask) {
                        let line = self.line_of(*id);
                        let told = format!("ask {id} has no answer: {ask:?}, {line:?}");
                        self.fail(told);
                    }
                }
            }
            return;
        }
    }

    /// A reset may take away what was sent, where the client goes on sending for longer, or slower,
    /// than it is listened to.
    fn may_be_reset(&self, client: &Client) -> bool {
        let remote = self.conn(client.conn).remote;
        // What is cut off is not lingered for.
        let is_cut = self.lines_from(remote).any(|line| !line.is_complete || line.status == 444);
        let has_reason = is_cut
            || self.world.has.has(Feature::NoLingering)
            || client.conduct.dawdled
            || client.conduct.was_deaf
            || self.has_dropped();
        client.was_reset && has_reason
    }

    fn may_be_cut(&self, client: &Client, id: usize, got: &Got) -> bool {
        let ask = self.ask(id);
        let is_slow = client.conduct.dawdled || client.conduct.was_deaf;
        let is_broken = ask.defect.is_some();
        let settings = self.line_of(id).and_then(|line| self.settings_of(line, ask));
        let max = settings.map_or(0, |settings| settings.body_bytes_max);
        let is_too_large = max > 0 && ask.body.bytes() > max;
        let is_servers =
            got.answer.or(self.line_of(id).and_then(|line| line.answer)).is_some_and(|answer| {
                let record = &self.ledger().answers[answer];
                let conn = self.conn(record.conn);
                let silences =
                    self.shared.blames.get(&conn.local).map_or(0, |blame| blame.silences);
                // It never said all, or what it said did not get through, or came too late.
                record.whole_at.is_none()
                    || conn.seen.broke
                    || conn.is_gone(Party::Proxy)
                    || silences > 0
            });
        let is_files = ask.place == Place::File && self.shared.files.flaw(id).is_some();
        is_slow || is_broken || is_too_large || is_servers || is_files || self.may_be_reset(client)
    }

    fn may_be_left_alone(&self, client: &Client, ask: &Ask) -> bool {
        let conn = self.conn(client.conn);
        let is_closed = conn.closed(Party::Proxy).is_some();
        // Nothing of it was read when its connection had had its time; what comes then is read away.
        let read = conn.seen.reads.iter().find(|(taken, _, _)| *taken > ask.start);
        let ended_ms = conn.ended(Party::Proxy);
        let is_unread = ended_ms.is_some_and(|ended| read.is_none_or(|(_, at, _)| *at >= ended));
        let is_part = conn.taken(Party::Actor) < ask.head_end && is_closed;
        ask.place == Place::Gone
            || is_unread
            || is_part && self.has_dropped()
            || self.may_be_reset(client)
            || ask.defect == Some(Defect::CutHead)
    }

    /// Whether what a client sends may take longer than it has.
    fn is_slow(&self, client: &Client) -> bool {
        let has = &self.world.has;
        let trickles = has.any(&[Feature::SmallPipes, Feature::SmallWrites]);
        client.conduct.dawdled || has.has(Feature::ShortTimes) && trickles
    }

    /// Connections were closed to make room for others.
    fn has_dropped(&self) -> bool {
        self.world.workers.iter().any(|worker| {
            worker.last_counters.heads_dropped > 0 || worker.last_counters.idle_dropped > 0
        })
    }

    /// A connection that was told `keep-alive` is kept for its time.
    fn check_kept(&self, client: &Client) {
        let conn = self.conn(client.conn);
        let lines: Vec<&Line> = self.lines_from(conn.remote).collect();
        let Some(id) = lines.len().checked_sub(1).and_then(|last| client.asks.get(last)) else {
            return;
        };
        let ask = self.ask(*id);
        let Some(got) = ask.got.as_ref().filter(|got| got.is_whole && got.keeps) else { return };
        let Some(closed_ms) = conn.ended(Party::Proxy) else { return };
        let done = conn.seen.writes.iter().find(|(sent, _, _)| *sent >= got.end);
        let done_ms = done.map_or(0, |(_, at, _)| *at);
        let keepalive_ms = self
            .settings_of(lines[lines.len() - 1], ask)
            .map_or(0, |settings| settings.keepalive_ms);
        let mut until_ms = done_ms + keepalive_ms;
        if let Some(finished_ms) = self.world.finished_ms {
            until_ms = until_ms.min(done_ms.max(finished_ms) + FINISH_GRACE_MS);
        }
        // Who owes a part of the last request is not waited for as long.
        let is_cut = matches!(ask.defect, Some(Defect::CutBody | Defect::Chunks));
        let read = conn.seen.reads.iter().find(|(taken, _, _)| *taken >= ask.end);
        // The rest of a body may be read away by the way when it is too late.
        let is_late = |at: u64| at > closed_ms || at == closed_ms && ask.body.bytes() > 0;
        let is_owing = is_cut || read.is_none_or(|(_, at, _)| is_late(*at));
        let has_left = is_owing || conn.ended(Party::Actor).is_some_and(|at| at <= closed_ms);
        if closed_ms + SLACK_MS < until_ms && !has_left && !self.has_dropped() {
            let (conn, from) = (client.conn, done_ms);
            self.fail(format!(
                "c{conn} was told keep-alive at {from}, and closed at {closed_ms}, not at {until_ms}"
            ));
        }
    }

    /// A tunnel carries all of both sides, and ends with both.
    fn check_tunnel(&self, client: &Client) {
        let Some(id) = client.asks.last().copied() else { return };
        let ask = self.ask(id).clone();
        let is_tunnel = ask.got.as_ref().is_some_and(|got| got.status == 101);
        let has = &self.world.has;
        let is_slow = has.any(&[Feature::Dawdle, Feature::StallReading, Feature::NotReading]);
        let is_timed = has.has(Feature::ShortTimes) && is_slow;
        let is_slow = client.conduct.was_deaf || client.conduct.dawdled;
        if !is_tunnel || client.conduct.left || is_slow || is_timed {
            return;
        }
        let (up, down) = (ask.tunnel_up, ask.tunnel_down);
        let (has_ended, got_end) = ask.tunnel_ends;
        if up.0 != up.1 || down.0 != down.1 || !has_ended || !got_end {
            self.fail(format!(
                "tunnel of ask {id}: {up:?} up, {down:?} down, ended {has_ended}, end seen {got_end}"
            ));
        }
    }
}
