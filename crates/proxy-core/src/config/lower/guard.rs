//! `satisfy`, `auth_basic`, `auth_request`, `limit_req`, `limit_conn` and what belongs to them.
//!
//! Owns: what they say, and how a level inherits them. Who is let in is `phases::guard`'s.

use std::sync::{Arc, Mutex};

use nginx_conf::suggest::nearest;
use nginx_conf::{Directive, Span, units};

use super::Lower;
use super::files::with_slash;
use super::scope::{flag, millis, set};
use crate::config::model::{
    ConnectionLimit, ErrorLevel, Guard, Limits, RequestLimit, SecureLink, Template,
};
use crate::zones::{Holders, Rates, Zone, ZoneKind};

/// nginx: eight pages; a smaller zone is refused.
const ZONE_BYTES_MIN: u64 = 32 << 10;

/// What one level says itself of what is inherited as a whole.
#[derive(Default)]
pub(super) struct GuardLists {
    requests: Vec<RequestLimit>,
    connections: Vec<ConnectionLimit>,
    answers: Vec<(usize, Template)>,
    referers: Vec<Directive>,
    link: SecureLink,
    secret_at: Option<Span>,
}

impl GuardLists {
    /// Puts them in the place of what is inherited.
    pub(super) fn replace(self, lower: &mut Lower<'_>, guard: &mut Option<Arc<Guard>>) {
        let GuardLists { requests, connections, answers, referers, link, secret_at } = self;
        if let Some(referers) = lower.referers(&referers) {
            own(guard).referers = Some(Arc::new(referers));
        }
        if !requests.is_empty() {
            own(guard).requests.list = requests.into();
        }
        if !connections.is_empty() {
            own(guard).connections.list = connections.into();
        }
        if !answers.is_empty() {
            own(guard).answers = answers.into();
        }
        let is_hashed = link.told.is_some() || link.hashed.is_some();
        match secret_at {
            Some(span) if is_hashed => lower.error(
                span,
                "\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"",
            ),
            // A link of one kind takes the place of one of the other.
            Some(_) => own(guard).link = link,
            None if is_hashed => {
                let above = &mut own(guard).link;
                above.told = link.told.or(above.told.take());
                above.hashed = link.hashed.or(above.hashed.take());
                above.secret = None;
            }
            None => {}
        }
    }
}

/// This level's own copy. A call, since to copy a guard is long and each directive does it.
#[inline(never)]
fn own(guard: &mut Option<Arc<Guard>>) -> &mut Guard {
    Arc::make_mut(guard.get_or_insert_default())
}

impl Lower<'_> {
    /// Takes a directive up if it is one of those here.
    pub(super) fn guard_value(
        &mut self,
        guard: &mut Option<Arc<Guard>>,
        lists: &mut GuardLists,
        directive: &Directive,
    ) -> bool {
        let is_off = directive.arg(0) == Some("off");
        match directive.name.text.as_str() {
            "satisfy" => own(guard).satisfies_any = directive.arg(0) == Some("any"),
            "auth_basic" => {
                let realm = self.template(directive, 0);
                own(guard).realm = realm.filter(|_| !is_off);
            }
            "auth_basic_user_file" => own(guard).user_file = self.user_file(directive),
            "auth_request" => {
                let path = directive.arg(0).filter(|_| !is_off);
                own(guard).ask = path.map(|path| path.as_bytes().to_vec());
            }
            "auth_request_set" => lists.answers.extend(self.auth_answer(directive)),
            "auth_delay" => set(&mut own(guard).refusal_delay_ms, millis(directive)),
            "valid_referers" => lists.referers.push(directive.clone()),
            "secure_link" => lists.link.told = self.template(directive, 0),
            "secure_link_md5" => lists.link.hashed = self.template(directive, 0),
            "secure_link_secret" => {
                lists.link.secret = directive.arg(0).map(|word| word.as_bytes().to_vec());
                lists.secret_at = Some(directive.name.span);
            }
            "limit_rate" => own(guard).rate = self.size_text(directive),
            "limit_rate_after" => own(guard).rate_after = self.size_text(directive),
            "limit_req" => {
                let limit = self.request_limit(directive);
                if limit
                    .is_some_and(|limit| lists.requests.iter().any(|one| one.zone == limit.zone))
                {
                    self.error(directive.name.span, "\"limit_req\" directive is duplicate");
                }
                lists.requests.extend(limit);
            }
            "limit_conn" => {
                let limit = self.connection_limit(directive);
                if limit
                    .is_some_and(|limit| lists.connections.iter().any(|one| one.zone == limit.zone))
                {
                    self.error(directive.name.span, "\"limit_conn\" directive is duplicate");
                }
                lists.connections.extend(limit);
            }
            "limit_req_status" | "limit_req_log_level" | "limit_req_dry_run" => {
                self.limit_value(&mut own(guard).requests, directive);
            }
            "limit_conn_status" | "limit_conn_log_level" | "limit_conn_dry_run" => {
                self.limit_value(&mut own(guard).connections, directive);
            }
            _ => return false,
        }
        true
    }

    /// nginx: a relative path starts at the folder of the configuration, unless it begins with a
    /// variable.
    fn user_file(&mut self, directive: &Directive) -> Option<Template> {
        let text = directive.arg(0)?;
        if text.starts_with(['/', '$']) {
            return self.template(directive, 0);
        }
        // What stands in the folder's name is no variable.
        let mut template = Template::literal(&with_slash(self.surroundings.conf_folder));
        template.0.extend(self.template(directive, 0)?.0);
        Some(template)
    }

    /// nginx: `auth_request_set $VARIABLE VALUE`.
    fn auth_answer(&mut self, directive: &Directive) -> Option<(usize, Template)> {
        let name = directive.arg(0)?;
        let value = self.template(directive, 1);
        let variable = name.strip_prefix('$').map(str::to_ascii_lowercase);
        let Some(variable) = variable.filter(|name| !name.is_empty()) else {
            self.error(directive.arg_span(0), format!("invalid variable name \"{name}\""));
            return None;
        };
        // One that could not be made is told where names are gathered.
        Some((*self.own.names.get(&variable)?, value?))
    }

    /// A size, perhaps by variables.
    fn size_text(&mut self, directive: &Directive) -> Option<Template> {
        let text = directive.arg(0)?;
        if !text.contains('$') && units::size(text).is_none() {
            let message = format!("\"{}\" directive invalid value", directive.name.text);
            self.error_with_help(directive.arg_span(0), message, "expected a size, as in 100k");
            return None;
        }
        self.template(directive, 0)
    }

    fn limit_value<L>(&mut self, limits: &mut Limits<L>, directive: &Directive) {
        let name = directive.name.text.as_str();
        if name.ends_with("dry_run") {
            limits.is_dry_run = flag(directive);
        } else if name.ends_with("log_level") {
            limits.level = match directive.arg(0) {
                Some("info") => ErrorLevel::Info,
                Some("notice") => ErrorLevel::Notice,
                Some("warn") => ErrorLevel::Warn,
                _ => ErrorLevel::Error,
            };
        } else {
            let number = directive.arg(0).and_then(units::number);
            let status = number.and_then(|number| u16::try_from(number).ok());
            match status.filter(|status| (400..=599).contains(status)) {
                Some(status) => limits.status = status,
                None => self.error(directive.arg_span(0), "value must be between 400 and 599"),
            }
        }
    }

    /// nginx: `limit_req zone=NAME [burst=NUMBER] [nodelay | delay=NUMBER]`.
    fn request_limit(&mut self, directive: &Directive) -> Option<RequestLimit> {
        let (mut zone, mut burst, mut delay) = (None, 0, 0);
        for word in &directive.args {
            let (name, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
            let thousandths = units::number(value).filter(|number| *number > 0);
            let thousandths = thousandths.map(|number| number.saturating_mul(1_000));
            match (name, thousandths) {
                ("zone", _) => zone = Some((value, word.span)),
                ("burst", Some(number)) => burst = number,
                ("delay", Some(number)) => delay = number,
                ("burst" | "delay", None) if word.text.contains('=') => {
                    let message = format!("invalid {name} value \"{}\"", word.text);
                    self.error(word.span, message);
                }
                ("nodelay", _) => delay = u64::MAX,
                _ => self.error(word.span, format!("invalid parameter \"{}\"", word.text)),
            }
        }
        let Some((name, span)) = zone.filter(|(name, _)| !name.is_empty()) else {
            self.error(directive.name.span, "\"limit_req\" must have \"zone\" parameter");
            return None;
        };
        let is_kind = |kind: &ZoneKind| matches!(kind, ZoneKind::Requests { .. });
        Some(RequestLimit { zone: self.zone_index(name, span, is_kind)?, burst, delay })
    }

    /// nginx: `limit_conn ZONE NUMBER`.
    fn connection_limit(&mut self, directive: &Directive) -> Option<ConnectionLimit> {
        let (name, number) = (directive.arg(0)?, directive.arg(1)?);
        let most = units::number(number).and_then(|number| u32::try_from(number).ok());
        let most = match most {
            Some(most @ 1..=65_535) => most,
            Some(65_536..) => {
                self.error(directive.arg_span(1), "connection limit must be less 65536");
                return None;
            }
            _ => {
                let message = format!("invalid number of connections \"{number}\"");
                self.error(directive.arg_span(1), message);
                return None;
            }
        };
        let is_kind = |kind: &ZoneKind| matches!(kind, ZoneKind::Connections(_));
        let zone = self.zone_index(name, directive.arg_span(0), is_kind)?;
        Some(ConnectionLimit { zone, most })
    }

    fn zone_index(
        &mut self,
        name: &str,
        span: Span,
        is_kind: fn(&ZoneKind) -> bool,
    ) -> Option<usize> {
        let fits = |zone: &&Zone| is_kind(&zone.kind);
        let found = self.config.zones.iter().position(|zone| fits(&zone) && zone.name == name);
        if found.is_none() {
            let known = self.config.zones.iter().filter(fits).map(|zone| zone.name.as_str());
            let near = nearest(name, known);
            let help = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
            self.error(span, format!("unknown zone \"{name}\"{help}"));
        }
        found
    }

    /// nginx: `limit_req_zone KEY zone=NAME:SIZE rate=RATE` and `limit_conn_zone KEY
    /// zone=NAME:SIZE`.
    pub(super) fn zone(&mut self, directive: &Directive) {
        let Some(key) = self.template(directive, 0) else { return };
        let is_of_requests = directive.name.text == "limit_req_zone";
        let (mut named, mut rate) = (None, 1_000);
        for word in directive.args.iter().skip(1) {
            match word.text.split_once('=') {
                Some(("zone", value)) => match self.zone_size(value, word.span) {
                    Some(zone) => named = Some(zone),
                    None => return,
                },
                Some(("rate", value)) if is_of_requests => match parse_rate(value) {
                    Some(thousandths) => rate = thousandths,
                    None => {
                        let message = format!("invalid rate \"{}\"", word.text);
                        return self.error_with_help(word.span, message, "expected 10r/s or 30r/m");
                    }
                },
                // nginx: for clusters of the commercial one.
                None if is_of_requests && word.text == "sync" => {}
                _ => return self.error(word.span, format!("invalid parameter \"{}\"", word.text)),
            }
        }
        let Some((name, bytes_max)) = named else {
            let name = &directive.name.text;
            let message = format!("\"{name}\" must have \"zone\" parameter");
            return self.error(directive.name.span, message);
        };
        if self.config.zones.iter().any(|zone| zone.name == name) {
            let message = format!("the zone \"{name}\" is already there");
            return self.error(directive.name.span, message);
        }
        let kind = match is_of_requests {
            true => {
                let rates = Arc::new(Mutex::new(Rates::new(bytes_max)));
                ZoneKind::Requests { rate, rates }
            }
            false => ZoneKind::Connections(Arc::new(Mutex::new(Holders::new(bytes_max)))),
        };
        let key_text = directive.arg(0).unwrap_or_default().to_owned();
        self.config.zones.push(Zone { name, key, key_text, bytes_max, kind });
    }

    fn zone_size(&mut self, value: &str, span: Span) -> Option<(String, u64)> {
        let (name, size) = value.split_once(':').unwrap_or((value, ""));
        let Some(bytes) = units::size(size).filter(|_| !name.is_empty()) else {
            self.error(span, format!("invalid zone size \"zone={value}\""));
            return None;
        };
        if bytes < ZONE_BYTES_MIN {
            self.error_with_help(
                span,
                format!("zone \"zone={value}\" is too small"),
                "expected 32k or more",
            );
            return None;
        }
        Some((name.to_owned(), bytes))
    }
}

/// Thousandths of a request in a second. nginx: without a unit it is a second's.
fn parse_rate(text: &str) -> Option<u64> {
    let (number, seconds) = match text.strip_suffix("r/m") {
        Some(number) => (number, 60),
        None => (text.strip_suffix("r/s").unwrap_or(text), 1),
    };
    let number = units::number(number).filter(|number| *number > 0)?;
    Some(number.saturating_mul(1_000) / seconds)
}
