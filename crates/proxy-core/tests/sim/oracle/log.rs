//! Every request is logged once, by the configuration that it belongs to, and as the client saw it.

use super::Judge;
use crate::client::Client;
use crate::ledger::{Ask, Defect, Got, Line};
use crate::network::Party;

impl Judge<'_> {
    pub fn check_log(&self) {
        for client in self.world.clients() {
            let remote = self.conn(client.conn).remote;
            let lines: Vec<Line> = self.lines_from(remote).cloned().collect();
            for (index, line) in lines.iter().enumerate() {
                if line.nth != index as u64 + 1 {
                    self.fail(format!("line {} of {remote} has number {}", index + 1, line.nth));
                }
                let Some(id) = client.asks.get(index).copied() else {
                    self.fail(format!("a line of {remote} without a request: {line:?}"));
                    continue;
                };
                self.check_line(client, id, line);
            }
            for id in client.asks.iter().skip(lines.len()) {
                self.check_unlogged(client, *id);
            }
        }
    }

    fn check_line(&self, client: &Client, id: usize, line: &Line) {
        let ask = self.ask(id).clone();
        if line.ask.is_some_and(|logged| logged != id) {
            self.fail(format!("ask {id} is logged as {:?}", line.ask));
        }
        let is_part = ask.defect.is_some() || self.may_be_part(client.conn, line);
        let is_named = line.request.starts_with(ask.method) || is_part;
        if !is_named {
            self.fail(format!("ask {id} is logged as {}", line.request));
        }
        if let Some(got) = ask.got.as_ref().filter(|got| got.status != 0) {
            self.check_seen(id, got, line);
        }
        if let Some(answer) = line.answer
            && self.ledger().answers.get(answer).is_none_or(|answer| answer.ask != id)
        {
            self.fail(format!("ask {id} is logged with answer {answer}, which is another's"));
        }
        self.check_generation(client, id, &ask, line);
    }

    /// Whether the line may be of a head that was not whole: its time was over, or its client has
    /// left.
    fn may_be_part(&self, conn: usize, line: &Line) -> bool {
        let conn = self.conn(conn);
        let has_left = conn.ended(Party::Actor).is_some() || conn.is_gone(Party::Actor);
        line.status == 408 || line.status == 400 && (has_left || conn.seen.has_reset)
    }

    /// What the client saw is what is logged.
    fn check_seen(&self, id: usize, got: &Got, line: &Line) {
        let told = match (got.status, got.keeps) {
            (101, _) => "upgrade",
            (_, true) => "keep-alive",
            (_, false) => "close",
        };
        let place = got.place.as_ref().map(|(g, s, p)| format!("{g}/s{s}/{p}"));
        let is_same = line.status == got.status
            && line.answer == got.answer
            && line.connection == told
            && line.place == place.as_deref().unwrap_or("-");
        if !is_same {
            self.fail(format!("ask {id} got {got:?}, logged is {line:?}"));
        }
        if got.is_whole && !line.is_complete && got.status != 101 {
            self.fail(format!("ask {id} got all, but the line says it did not"));
        }
        if line.is_complete && got.cut == Some("end") && !self.may_lose_the_end(id) {
            self.fail(format!("ask {id} was cut, but the line says that it is complete"));
        }
    }

    /// What is on its way to a client may be lost with a reset, and is not sent to one that is
    /// deaf.
    fn may_lose_the_end(&self, id: usize) -> bool {
        let client = self.ask(id).client;
        self.conn(client).seen.has_reset || self.conn(client).is_gone(Party::Actor)
    }

    /// A request is served by the configuration that is in force when its head is there, and by
    /// the server and location that this one has for it.
    fn check_generation(&self, client: &Client, id: usize, ask: &Ask, line: &Line) {
        let conn = self.conn(client.conn);
        let reads = &conn.seen.reads;
        let first = reads.iter().find(|(taken, _, _)| *taken >= ask.head_end);
        // What is no head is judged when enough of it is there.
        let is_no_head = matches!(ask.defect, Some(Defect::Head(_) | Defect::CutHead));
        let is_part = first.is_none() && self.may_be_part(client.conn, line);
        let first = match is_no_head || is_part {
            true => reads.iter().find(|(taken, _, _)| *taken > ask.start),
            false => first,
        };
        let Some((_, _, read_in)) = first else {
            return self.fail(format!("ask {id} is logged, but was not read: {line:?}"));
        };
        let (generation, read_in) = (line.generation, *read_in);
        let listener = self.ledger().listeners.get(&client.conn);
        let serves = |generation: usize| {
            let serving = self.ledger().serving.get(generation);
            serving.zip(listener).is_some_and(|(serving, id)| serving.contains(id))
        };
        let is_current = generation >= read_in && generation <= line.in_force;
        let is_last = (generation..=line.in_force).any(|later| !serves(later));
        if !serves(generation) || !is_current && !is_last {
            let force = line.in_force;
            self.fail(format!(
                "ask {id} is served by generation {generation}, read in {read_in}, in force {force}"
            ));
        }
        let is_told = matches!(line.connection.as_str(), "close" | "upgrade" | "-");
        if !is_current && is_last && !is_told {
            self.fail(format!("ask {id}: the listener is gone, but the connection is kept"));
        }
        self.check_place(id, ask, line);
    }

    fn check_place(&self, id: usize, ask: &Ask, line: &Line) {
        if line.place == "-" {
            return;
        }
        let parts: Vec<&str> = line.place.split('/').collect();
        let local = self.conn(ask.client).local;
        let site = &self.world.sites[line.generation];
        let is_part = self.may_be_part(ask.client, line) && parts[2] == "-";
        let is_unknown = is_part || matches!(ask.defect, Some(Defect::Head(_) | Defect::CutHead));
        let block = site.block_for(local, if is_unknown { "" } else { &ask.host });
        let by_name = site.block_for(local, &ask.host);
        let server = parts[1].strip_prefix('s').and_then(|name| name.parse().ok());
        let is_server = server == block || is_unknown && server == by_name;
        let place = format!("{:?}", ask.place);
        let is_place = match parts[2] {
            "-" => is_unknown || place == "Nowhere",
            "Accel" => ask.place.is_pass(),
            other => other == place,
        };
        if parts[0] != line.generation.to_string() || !is_server || !is_place {
            let (place, host) = (&line.place, &ask.host);
            self.fail(format!(
                "ask {id} for {host} at {local}, {:?}: served at {place}",
                ask.place
            ));
        }
    }

    /// What was answered or passed on must have a line.
    fn check_unlogged(&self, client: &Client, id: usize) {
        let ask = self.ask(id);
        if ask.got.is_some() || !ask.arrivals.is_empty() {
            self.fail(format!("ask {id} of c{} has no line", client.conn));
        }
    }

    pub fn check_counters(&self) {
        let mut requests = 0;
        for worker in &self.world.workers {
            let counters = &worker.last_counters;
            requests += counters.requests.iter().flatten().sum::<u64>();
            if counters.connections != 0 || counters.connections_idle != 0 {
                self.fail(format!("gauges at the end: {counters:?}"));
            }
        }
        let lines = self.ledger().lines.len();
        if requests != lines as u64 {
            self.fail(format!("{requests} requests are counted, {lines} are logged"));
        }
    }
}
