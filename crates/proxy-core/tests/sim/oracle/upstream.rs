//! What reached the servers: resent where that is allowed, on connections that were good, and
//! blamed for what they did only.

use std::collections::BTreeMap;

use super::Judge;
use crate::features::Feature;
use crate::ledger::{Arrival, Ask, Line};
use crate::network::Party;
use crate::site::{Group, Place, Settings};

impl Judge<'_> {
    pub fn check_upstreams(&self) {
        for id in 0..self.ledger().asks.len() {
            let ask = self.ask(id).clone();
            let Some(line) = self.line_of(id).cloned() else { continue };
            let Some(settings) = self.settings_of(&line, &ask).cloned() else { continue };
            self.check_resent(id, &ask, &settings);
            self.check_reuse(id, &ask, &settings);
            self.check_waits(id, &ask, &line);
            self.check_failover(id, &ask, &line, &settings);
            self.check_stale(id, &ask, &line, &settings);
        }
        self.check_blames();
    }

    /// A request is sent again only if it may be, and nobody has got an answer to it.
    fn check_resent(&self, id: usize, ask: &Ask, settings: &Settings) {
        let may_repeat = ask.is_idempotent() || settings.next.contains(&"non_idempotent");
        let stays = settings.next.contains(&"off");
        let of_kind = |is_redirected: bool| {
            let all = self.in_order(ask).into_iter();
            all.filter(|one| one.is_redirected == is_redirected).collect::<Vec<&Arrival>>()
        };
        for arrivals in [of_kind(false), of_kind(true)] {
            for pair in arrivals.windows(2) {
                // A redirect makes a GET of it.
                let may_repeat = may_repeat || pair[0].is_redirected;
                let is_stale = pair[0].before > 0;
                if !may_repeat {
                    self.fail(format!("ask {id} is no request to repeat: {arrivals:?}"));
                }
                if stays && !is_stale {
                    self.fail(format!("ask {id} was sent again, which is off: {arrivals:?}"));
                }
            }
            let tries = arrivals.iter().filter(|one| one.before == 0).count() as u64;
            if settings.tries > 0 && tries > settings.tries.max(1) + stale(&arrivals) {
                self.fail(format!("ask {id} has {} tries: {arrivals:?}", settings.tries));
            }
        }
        let answered = ask.got.as_ref().and_then(|got| got.answer);
        let last = self.in_order(ask).last().and_then(|arrival| arrival.answer);
        if answered.is_some() && answered != last {
            self.fail(format!("ask {id} was sent again after its answer: {:?}", ask.arrivals));
        }
    }

    /// The arrivals in the order in which the proxy sent them; servers may read them in another.
    fn in_order<'a>(&self, ask: &'a Ask) -> Vec<&'a Arrival> {
        let mut all: Vec<&Arrival> = ask.arrivals.iter().collect();
        all.sort_by_key(|arrival| {
            let writes = &self.conn(arrival.conn).seen.writes;
            writes.iter().find(|(sent, _, _)| *sent > arrival.start).map(|(_, _, moved)| *moved)
        });
        all
    }

    /// A connection that is known to have ended, or to have said something unasked, carries no
    /// request.
    fn check_reuse(&self, id: usize, ask: &Ask, settings: &Settings) {
        let may_meet = ask.is_idempotent() || settings.next.contains(&"non_idempotent");
        for arrival in ask.arrivals.iter().filter(|one| one.before > 0) {
            let seen = &self.conn(arrival.conn).seen;
            let is_behind = |sent: Option<u64>| sent.is_some_and(|sent| sent <= arrival.start);
            let is_reported =
                is_behind(seen.sent_at_end_report) || is_behind(seen.sent_at_unasked_report);
            let is_looked_at = !may_meet && !arrival.is_redirected;
            let is_there = is_behind(seen.sent_at_end) || is_behind(seen.sent_at_unasked);
            if is_reported || is_looked_at && is_there {
                let conn = arrival.conn;
                self.fail(format!("ask {id} went out on c{conn}, which was known to be no good"));
            }
        }
    }

    /// Nobody's time to answer runs while the client owes a part of its request.
    fn check_waits(&self, id: usize, ask: &Ask, line: &Line) {
        let is_late = line.statuses.iter().any(|status| status == "504");
        if !is_late || line.statuses.len() > 1 {
            return;
        }
        for arrival in ask.arrivals.iter().filter(|one| !one.is_whole) {
            let client = self.conn(ask.client);
            let is_owed = client.taken(Party::Actor) < ask.end;
            if is_owed && !self.conn(arrival.conn).seen.was_blocked {
                self.fail(format!("ask {id}: 504 while the client owes its body: {line:?}"));
            }
        }
    }

    /// A request that may go to the next server goes to every one before it is given up.
    fn check_failover(&self, id: usize, ask: &Ask, line: &Line, settings: &Settings) {
        let has = &self.world.has;
        let is_plain = !has.any(&[
            Feature::MaxFails,
            Feature::MaxConns,
            Feature::AccelRedirect,
            Feature::UnaskedUpgrade,
            Feature::OwnShortage,
            Feature::Silence,
        ]);
        let is_own = ask.got.as_ref().is_some_and(|got| got.answer.is_none() && got.is_whole);
        if !is_plain || !is_own || settings.tries > 0 || !matches!(line.status, 502 | 504) {
            return;
        }
        let next = &settings.next;
        let may_repeat = ask.is_idempotent() || next.contains(&"non_idempotent");
        let is_kept = ask.body.bytes() <= settings.replay_bytes;
        let covers = |status: &String| match status.as_str() {
            "504" => next.contains(&"timeout"),
            "502" => {
                let is_odd = has.any(&[Feature::Malformed, Feature::ExtraBytes]);
                next.contains(&"error") && (next.contains(&"invalid_header") || !is_odd)
            }
            _ => false,
        };
        if !may_repeat || !is_kept || !line.statuses.iter().all(covers) {
            return;
        }
        let group = self.group(line, ask, settings);
        let all: Vec<String> =
            group.members.iter().map(|member| member.address.to_string()).collect();
        if all.iter().any(|address| !line.addresses.contains(address)) {
            self.fail(format!("ask {id} was given up with servers left of {all:?}: {line:?}"));
        }
    }

    /// Where connections die only while they are idle, no request that may be repeated fails.
    fn check_stale(&self, id: usize, ask: &Ask, line: &Line, settings: &Settings) {
        let has = &self.world.has;
        let fails_otherwise = has.any(&[
            Feature::CloseBefore,
            Feature::ResetBefore,
            Feature::CloseMidway,
            Feature::ResetMidway,
            Feature::ExtraBytes,
            Feature::HeadWithBody,
            Feature::Malformed,
            Feature::Refuse,
            Feature::UnaskedUpgrade,
            Feature::EarlyAnswer,
            Feature::CloseAfterAnswer,
            Feature::MaxFails,
            Feature::MaxConns,
            Feature::Silence,
        ]);
        let may_repeat = ask.is_idempotent() || settings.next.contains(&"non_idempotent");
        let is_kept = ask.body.bytes() <= settings.replay_bytes;
        // What a server said before it died may have been lost on its way.
        let has_spoken = ask.arrivals.iter().any(|arrival| arrival.answer.is_some());
        if line.status == 502 && !fails_otherwise && may_repeat && is_kept && !has_spoken {
            self.fail(format!("ask {id} met a dead connection, and was not sent again: {line:?}"));
        }
    }

    fn group(&self, line: &Line, ask: &Ask, settings: &Settings) -> &Group {
        let index = usize::from(ask.place == Place::Uri);
        &self.world.sites[line.generation].groups[settings.groups[index]]
    }

    /// A server is said to have failed as often as it has, at most.
    fn check_blames(&self) {
        if self.world.silent_ms.is_some() {
            return;
        }
        let mut failed: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for line in &self.world.ledger.lines {
            for (address, status) in line.addresses.iter().zip(&line.statuses) {
                let counts = failed.entry(address.as_str()).or_default();
                counts.0 += u64::from(status == "502");
                counts.1 += u64::from(status == "504");
            }
        }
        let mut resets: BTreeMap<String, u64> = BTreeMap::new();
        for conn in self.shared.network.conns.iter().filter(|conn| !conn.is_client) {
            let is_reset = conn.is_gone(Party::Actor);
            *resets.entry(conn.local.to_string()).or_default() += u64::from(is_reset);
        }
        let blames = self.shared.blames.iter().map(|(at, blame)| (at.to_string(), *blame));
        let blames: BTreeMap<String, _> = blames.collect();
        let has_trouble = blames.values().any(|blame| blame.faults + blame.silences > 0)
            || resets.values().any(|count| *count > 0);
        for (address, (faults, silences)) in failed {
            let blame = blames.get(address).copied().unwrap_or_default();
            let faults_max = blame.faults + resets.get(address).copied().unwrap_or(0);
            if address.starts_with("up") {
                let has = &self.world.has;
                let has_failed = has.has(Feature::MaxFails) && (has_trouble || self.has_down());
                if !has_failed && !has.has(Feature::MaxConns) {
                    self.fail(format!("no server of {address} is left, but none has failed"));
                }
            } else if faults > faults_max || silences > blame.silences {
                self.fail(format!(
                    "{address} failed {faults_max} times and was silent {}, 502 is said {faults} \
                     times and 504 {silences}",
                    blame.silences
                ));
            }
        }
    }

    fn has_down(&self) -> bool {
        let groups = self.world.sites.iter().flat_map(|site| &site.groups);
        groups.flat_map(|group| &group.members).any(|member| member.is_down)
    }
}

fn stale(arrivals: &[&Arrival]) -> u64 {
    arrivals.iter().filter(|one| one.before > 0).count() as u64
}
