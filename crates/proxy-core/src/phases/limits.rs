//! nginx: `limit_req` and `limit_conn`: bounds of rate and of number, each checked once a request.

use super::guard::Stage;
use super::{Content, Seen};
use crate::config::model::{ConnectionLimit, ErrorLevel, Limits, RequestLimit};
use crate::request::Request;
use crate::zones::{Found, Holders, Limited, Taken, Zone, ZoneKind, delay_ms, lock};

/// nginx: longer keys are told and have no bound.
const REQUEST_KEY_BYTES_MAX: usize = 65_535;
const CONNECTION_KEY_BYTES_MAX: usize = 255;

/// What a zone tells apart; none where that is empty, or too long.
fn key(request: &mut Request, seen: &Seen<'_>, zone: &Zone, bytes_max: usize) -> Option<Vec<u8>> {
    let key = seen.view(request).text(&zone.key).into_owned();
    if key.len() > bytes_max {
        let line = format!(
            "the value of the key of zone \"{}\" is more than {bytes_max} bytes",
            zone.name
        );
        request.values.get_mut().note(ErrorLevel::Error, line);
    }
    (1..=bytes_max).contains(&key.len()).then_some(key)
}

/// nginx: `limit_req`. What a request comes to that is not let on now.
pub(super) fn requests(
    request: &mut Request,
    seen: &Seen<'_>,
    limits: &Limits<RequestLimit>,
) -> Option<Content> {
    if limits.list.is_empty() || request.values.get_mut().requests.is_some() {
        return None;
    }
    let at = request.at.clone();
    let mut open = Vec::new();
    let mut longest = None;
    let last = limits.list.len() - 1;
    for (index, limit) in limits.list.iter().enumerate() {
        let zone = at.config().zones.get(limit.zone)?;
        let ZoneKind::Requests { rate, rates } = &zone.kind else { continue };
        let Some(key) = key(request, seen, zone, REQUEST_KEY_BYTES_MAX) else { continue };
        let found = lock(rates).look(&key, (*rate, limit.burst), index == last, seen.now.ms);
        match found {
            Found::Open => open.push((limit, zone, *rate, rates, key)),
            Found::Counted(excess) => {
                longest = Some((delay_ms(excess, limit.delay, *rate), excess, zone));
            }
            Found::Beyond(_) | Found::Full => {
                open.iter().for_each(|(_, _, _, rates, key)| lock(rates).let_go(key));
                return refuse_rate(request, limits, found, zone);
            }
        }
    }
    if longest.is_none() && open.is_empty() {
        return None;
    }
    for (limit, zone, rate, rates, key) in open.iter().rev() {
        let excess = lock(rates).count(key, *rate, seen.now.ms);
        let ms = delay_ms(excess, limit.delay, *rate);
        if longest.is_none_or(|(longest, _, _)| ms > longest) {
            longest = Some((ms, excess, zone));
        }
    }
    let values = request.values.get_mut();
    values.requests = Some(Limited::Passed);
    let (ms, excess, zone) = longest.filter(|(ms, _, _)| *ms > 0)?;
    let level = match limits.level {
        ErrorLevel::Error => ErrorLevel::Warn,
        ErrorLevel::Warn => ErrorLevel::Notice,
        _ => ErrorLevel::Info,
    };
    let (dry, excess) = (dry_run(limits), shown(excess));
    let line = format!("delaying request{dry}, excess: {excess}, by zone \"{}\"", zone.name);
    values.note(level, line);
    let (limited, content) = match limits.is_dry_run {
        true => (Limited::DelayedDryRun, None),
        false => (Limited::Delayed, Some(Content::Pause { ms, then: Stage::Waited })),
    };
    values.requests = Some(limited);
    content
}

fn refuse_rate(
    request: &mut Request,
    limits: &Limits<RequestLimit>,
    found: Found,
    zone: &Zone,
) -> Option<Content> {
    let dry = dry_run(limits);
    let line = match found {
        Found::Beyond(excess) => {
            let excess = shown(excess);
            format!("limiting requests{dry}, excess: {excess} by zone \"{}\"", zone.name)
        }
        _ => format!("could not allocate node in zone \"{}\"", zone.name),
    };
    let values = request.values.get_mut();
    values.note(limits.level, line);
    values.requests = Some(rejected(limits));
    (!limits.is_dry_run).then_some(Content::Status(limits.status))
}

/// nginx: `limit_conn`. What a request comes to that is one too many.
pub(super) fn connections(
    request: &mut Request,
    seen: &Seen<'_>,
    limits: &Limits<ConnectionLimit>,
) -> Option<Content> {
    if limits.list.is_empty() || request.values.get_mut().connections.is_some() {
        return None;
    }
    let at = request.at.clone();
    for limit in &limits.list {
        let zone = at.config().zones.get(limit.zone)?;
        let ZoneKind::Connections(holders) = &zone.kind else { continue };
        let Some(key) = key(request, seen, zone, CONNECTION_KEY_BYTES_MAX) else { continue };
        let values = request.values.get_mut();
        values.connections = Some(Limited::Passed);
        match Holders::take(holders, &key, limit.most) {
            Ok(hold) => values.held.push(hold),
            Err(taken) => {
                if taken == Taken::TooMany {
                    let dry = if limits.is_dry_run { ", dry run," } else { "" };
                    let line = format!("limiting connections{dry} by zone \"{}\"", zone.name);
                    values.note(limits.level, line);
                }
                values.held.clear();
                values.connections = Some(rejected(limits));
                return (!limits.is_dry_run).then_some(Content::Status(limits.status));
            }
        }
    }
    None
}

fn rejected<L>(limits: &Limits<L>) -> Limited {
    if limits.is_dry_run { Limited::RejectedDryRun } else { Limited::Rejected }
}

fn dry_run<L>(limits: &Limits<L>) -> &'static str {
    if limits.is_dry_run { ", dry run" } else { "" }
}

/// Thousandths of a request, as nginx writes them.
fn shown(thousandths: u64) -> String {
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}
