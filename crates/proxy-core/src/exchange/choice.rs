//! Where a request goes: what the variables of its place come to, what the method goes by that
//! chooses its server, and that it counts there.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Exchange, Out, Phase, pass_of};
use crate::clock::Moment;
use crate::config::address;
use crate::config::model::{ErrorLevel, MadePlace, ProxyPass, Resolver, Scheme};
use crate::config::url::{self, Target};
use crate::fault::Fault;
use crate::generation::At;
use crate::resolver::wire::NameFault;
use crate::upstream::balance::Held;

impl Exchange {
    /// Where the place leads that variables make, and what comes next for it.
    pub(super) fn find_target(
        &mut self,
        at: &At,
        pass: &ProxyPass,
        made: &MadePlace,
        now: Moment,
    ) -> Result<Phase, Fault> {
        let text = self.view(now).text(&made.text).into_owned();
        let found = match pass.url.scheme {
            Scheme::Http => url::made(&text, at.config()),
            Scheme::FastCgi(_) => url::made_place(&text, at.config()),
        };
        let (passed, target) = found.unzip();
        // nginx: what is no URL has an empty host.
        self.request.uri.made = Some(Box::new(passed.unwrap_or_default()));
        let target = target.ok_or(Fault::NoUrl)?;
        let redirects = self.request.course.redirects;
        match target {
            Target::Group(upstream) => {
                self.call.begin_at(upstream, pass, at.config(), redirects, now.ms);
                self.prepare_choice(at, upstream, now);
            }
            Target::At(address) => {
                self.call.begin_alone(None, pass, at.config(), redirects, now.ms);
                self.call.goes_to(vec![address]);
            }
            Target::Name(host, port) => {
                self.call.begin_alone(Some((host, port)), pass, at.config(), redirects, now.ms);
                if made.resolving.resolver.is_none() {
                    return Err(Fault::NoResolver);
                }
                let until_ms = now.ms.saturating_add(made.resolving.timeout_ms);
                return Ok(Phase::Resolving { until_ms });
            }
        }
        Ok(Phase::Connecting)
    }

    /// The name that is waited for, and who is to be asked.
    pub fn name_wanted(&self) -> Option<(&Arc<Resolver>, &str)> {
        let Phase::Resolving { .. } = self.phase else { return None };
        let made = pass_of(self.location())?.url.by_variables.as_deref()?;
        Some((made.resolving.resolver.as_ref()?, self.call.name()?))
    }

    /// What a name has come to, if it is the one that is waited for.
    pub fn resolved(
        &mut self,
        name: &str,
        outcome: Result<Vec<IpAddr>, NameFault>,
        now: Moment,
        out: &mut Out,
    ) {
        if self.name_wanted().is_none_or(|(_, wanted)| wanted != name) {
            return;
        }
        match outcome {
            Ok(found) => {
                self.call.found(&found);
                self.phase = Phase::Connecting;
                self.wants_connect = true;
            }
            Err(fault) => self.fail(Fault::Name(fault), now, out),
        }
    }

    /// What a fault is called in the error log. nginx: with the name, where it is about one.
    pub fn words(&self, fault: Fault) -> String {
        let Some(name) = self.call.name() else { return fault.to_string() };
        match fault {
            Fault::NoResolver => format!("no resolver defined to resolve {name}"),
            Fault::Name(fault) if name.contains('.') => {
                format!("{name} could not be resolved ({fault})")
            }
            Fault::Name(fault) => format!(
                "{name} could not be resolved ({fault}); name servers know whole names, as \
                 {name}.NAMESPACE.svc.cluster.local"
            ),
            fault => fault.to_string(),
        }
    }

    /// What the group's method goes by.
    pub(super) fn prepare_choice(&mut self, at: &At, upstream: usize, now: Moment) {
        let method = at.config().upstreams.get(upstream).map(|upstream| &upstream.method);
        if let Some(method) = method.filter(|method| method.has_key()) {
            let mut choice = std::mem::take(&mut self.call.choice);
            choice.set_key(method, &self.view(now));
            self.call.choice = choice;
        }
    }

    /// nginx: `proxy_bind` is looked at once for a request; what is no address is told, and none.
    pub(super) fn settle_from(&mut self, now: Moment) {
        let changes = self.pass().and_then(|pass| pass.changes.as_ref());
        let Some(bind) = changes.and_then(|changes| changes.bind.as_ref()) else {
            self.call.from = None;
            return;
        };
        let text = self.view(now).text(bind).into_owned();
        self.call.from = address::bindable(&text);
        if self.call.from.is_none() && !text.is_empty() {
            let line = format!("invalid local address {:?}", String::from_utf8_lossy(&text));
            self.request.values.get_mut().note(ErrorLevel::Error, line);
        }
    }

    /// nginx: `proxy_bind`: the address here that connections come from, where one is named.
    pub fn from(&self) -> Option<SocketAddr> {
        self.call.from
    }

    /// The request as one of its server's, for as long as a connection carries it.
    pub fn hold(&mut self) -> Option<Held> {
        let id = self.call.server()?;
        let upstream = self.request.at.config().upstreams.get(id.upstream)?;
        self.call.choice.take_held(upstream.servers.get(id.server)?)
    }
}
