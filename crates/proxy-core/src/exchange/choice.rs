//! Where a request goes: what the variables of its URL come to, what the method goes by that chooses
//! its server, and that it counts there.

use std::net::SocketAddr;

use super::Exchange;
use crate::clock::Moment;
use crate::config::address;
use crate::config::model::{ErrorLevel, ProxyPass, Template};
use crate::config::url::{self, Target};
use crate::fault::Fault;
use crate::generation::At;
use crate::upstream::balance::Held;

impl Exchange {
    /// Where the URL leads that variables make.
    pub(super) fn find_target(
        &mut self,
        at: &At,
        pass: &ProxyPass,
        url: &Template,
        now: Moment,
    ) -> Result<(), Fault> {
        let text = self.view(now).text(url).into_owned();
        let (passed, target) = url::made(&text, at.config()).unzip();
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
                self.call.begin_alone(address, pass, at.config(), redirects, now.ms);
            }
            Target::Name => return Err(Fault::NoResolver),
        }
        Ok(())
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

    /// nginx: `proxy_bind`: the address here that connections come from, where one is named; the
    /// error is what is no address.
    pub fn local(&self, now: Moment) -> Result<Option<SocketAddr>, String> {
        let changes = self.pass().and_then(|pass| pass.changes.as_ref());
        let Some(bind) = changes.and_then(|changes| changes.bind.as_ref()) else { return Ok(None) };
        let text = self.view(now).text(bind).into_owned();
        match address::bindable(&text) {
            None if !text.is_empty() => Err(String::from_utf8_lossy(&text).into_owned()),
            found => Ok(found),
        }
    }

    /// The same. nginx: what is no address is told, and none.
    pub fn note_local(&mut self, now: Moment) -> Option<SocketAddr> {
        self.local(now).unwrap_or_else(|text| {
            let line = format!("invalid local address {text:?}");
            self.request.values.get_mut().note(ErrorLevel::Error, line);
            None
        })
    }

    /// The request as one of its server's, for as long as a connection carries it.
    pub fn hold(&mut self) -> Option<Held> {
        let id = self.call.server()?;
        let upstream = self.request.at.config().upstreams.get(id.upstream)?;
        self.call.choice.take_held(upstream.servers.get(id.server)?)
    }
}
