//! What a request tells the method by which its server is chosen, and that it counts there.

use super::Exchange;
use crate::clock::Moment;
use crate::generation::At;
use crate::upstream::balance::Held;

impl Exchange {
    /// What the group's method goes by.
    pub(super) fn prepare_choice(&mut self, at: &At, upstream: usize, now: Moment) {
        let method = at.config().upstreams.get(upstream).map(|upstream| &upstream.method);
        if let Some(method) = method.filter(|method| method.has_key()) {
            let mut choice = std::mem::take(&mut self.call.choice);
            choice.set_key(method, &self.view(now));
            self.call.choice = choice;
        }
    }

    /// The request as one of its server's, for as long as a connection carries it.
    pub fn hold(&mut self) -> Option<Held> {
        let id = self.call.server()?;
        let upstream = self.request.at.config().upstreams.get(id.upstream)?;
        self.call.choice.take_held(upstream.servers.get(id.server)?)
    }
}
