//! One request's life, from its head to the line in the access log, as a state machine.
//!
//! It ties what is known of the request, what the client still gets, and the call at an upstream.
//! It touches no socket and reads no clock: what happens and the time come in, bytes go out into
//! buffers of the caller, and what only the caller can do is asked for.
//!
//! ```text
//!             begin                     attached             answer done
//!  (head) ─┬─────────▶ Connecting ──────────────▶ Exchanging ───────────▶ Complete
//!          │              │  ▲  failed, once more     │  │ 101
//!          │              │  └────────────────────────┘  └─────▶ Tunnel ─▶ Complete
//!          │ own answer   ▼ failed ▼                 ▼
//!          ├─ a file ──▶ Sending ──┐                 ▼ failed
//!          ├─ a name ──▶ Resolving ─▶ Connecting
//!          └─────────▶ Discarding (a body that nobody wants) ──────────▶ Complete
//! ```
//!
//! Between an answer's head and its content, and between that and its end, it may be `Adding`.
//!
//! The caller's part, in order: `begin`, `reject` or `head_timed_out`; then for each thing that
//! happens the method of its name, write out what was produced, `flowed`, and take actions by
//! `poll_action` until there is none; `deadline` says when to call `expired`. `is_complete` and
//! empty buffers end the exchange.

mod addition;
mod answer;
mod choice;
mod client;
mod deadline;
mod error_page;
mod fastcgi;
mod file;
mod follow;
mod gather;
mod link;
mod mirror;
mod pace;
mod part;
mod phase;
mod redirect;
mod resend;
mod sub;
#[cfg(test)]
mod tests;
mod upstream;

use http1::{BodyReader, Reject, RequestHead};

use crate::clock::Moment;
use crate::config::model::{Handler, Location, ProxyPass};
use crate::downstream::{ClientNext, Downstream};
use crate::fault::{Fault, UpstreamFault};
use crate::generation::At;
use crate::phases::Content;
use crate::request::{ClientInfo, Request};
use crate::response::Context;
use crate::upstream::address::Address;
use crate::upstream::call::{Attempts, Call};
use crate::upstream::wire::Wire;
use crate::variables::View;
pub use file::Sending;
pub use mirror::Mirror;
use phase::{Phase, Then};
pub use sub::Aside;

/// The two sides of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Whoever asks.
    Client,
    /// Whoever answers.
    Upstream,
}

/// Bytes on their way out.
#[derive(Debug, Default)]
pub struct Out {
    /// For the client.
    pub client: Vec<u8>,
    /// For the upstream.
    pub upstream: Vec<u8>,
}

impl Out {
    /// What goes to a side.
    pub fn to(&mut self, side: Side) -> &mut Vec<u8> {
        match side {
            Side::Client => &mut self.client,
            Side::Upstream => &mut self.upstream,
        }
    }
}

/// What only the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The upstream connection can carry another exchange.
    KeepLink,
    /// Close the upstream connection.
    DropLink,
    /// Get on with connecting: [`Exchange::step`] says how.
    Connect,
    /// Begin an exchange for [`Exchange::take_part`], whose content comes here.
    Add,
    /// Begin an exchange for each of [`Exchange::take_mirrors`].
    Mirror,
    /// Have the name looked up that [`Exchange::name_wanted`] tells.
    Resolve,
}

/// One request's life.
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// The client's side.
    pub down: Downstream,
    /// How the upstreams did.
    pub attempts: Attempts,
    call: Call,
    wire: Wire,
    phase: Phase,
    /// Why the proxy itself answered or gave up, for the error log.
    fault: Option<Fault>,
    is_draining: bool,
    /// Fields that an internal redirect brings along.
    carried: Vec<(Vec<u8>, Vec<u8>)>,
    link_action: Option<Action>,
    wants_connect: bool,
    /// The client has gone and the call goes on without it.
    is_orphan: bool,
}

/// What the first bytes of a request came to.
#[derive(Debug, Clone, Copy)]
pub enum Opening<'b> {
    /// A head, which was parsed into [`Exchange::head_mut`] from these bytes.
    Head(&'b [u8]),
    /// What breaks a rule.
    Broken(&'b [u8], Reject),
    /// A part of a head, and the client's time is over.
    TooLate(&'b [u8]),
    /// A part of a head, and the client has left.
    CutOff(&'b [u8]),
}

impl Exchange {
    /// An exchange without a request yet, to be used again and again.
    pub fn new(at: At, client: ClientInfo) -> Exchange {
        Exchange {
            request: Request::new(at, client),
            down: Downstream::default(),
            attempts: Attempts::default(),
            call: Call::default(),
            wire: Wire::default(),
            phase: Phase::Complete,
            fault: None,
            is_draining: false,
            carried: Vec::new(),
            link_action: None,
            wants_connect: false,
            is_orphan: false,
        }
    }

    /// The place a head is parsed into before `begin`.
    pub fn head_mut(&mut self) -> &mut RequestHead {
        &mut self.request.head
    }

    /// Begins with what came of a request. `seed` makes its identifier; the answer says
    /// `Connection: close` if `is_draining`. Its first byte came when it `began`.
    pub fn begin(
        &mut self,
        (at, client): (At, ClientInfo),
        (seed, is_draining): (u64, bool),
        opening: Opening<'_>,
        (began, now): (Moment, Moment),
        out: &mut Out,
    ) {
        debug_assert!(out.client.is_empty() && out.upstream.is_empty(), "nothing of another");
        self.reset(is_draining, now);
        self.request.begin(at, client, seed, began);
        match opening {
            Opening::Head(bytes) => match self.request.take_head(bytes) {
                Ok(()) => self.start(now, out),
                Err(reject) => self.refuse(Fault::Client(reject), now, out),
            },
            Opening::Broken(bytes, reject) => {
                self.request.take_scraps(bytes, Some(reject));
                self.refuse(Fault::Client(reject), now, out);
            }
            Opening::TooLate(bytes) => {
                self.request.take_scraps(bytes, None);
                self.refuse(Fault::ClientTooSlow, now, out);
            }
            Opening::CutOff(bytes) => {
                self.request.take_scraps(bytes, None);
                self.leave(Fault::Client(Reject::Truncated), now, out);
            }
        }
    }

    /// Forgets the last request, but for what is known of it.
    fn reset(&mut self, is_draining: bool, now: Moment) {
        debug_assert_eq!(self.phase, Phase::Complete);
        self.phase = Phase::Starting;
        self.down.begin(now.ms);
        self.attempts.clear();
        self.call.clear();
        self.fault = None;
        self.is_draining = is_draining;
        self.carried.clear();
        self.link_action = None;
        self.wants_connect = false;
        self.is_orphan = false;
    }

    /// What follows cannot be told apart: nothing more is read as a request.
    fn refuse(&mut self, fault: Fault, now: Moment, out: &mut Out) {
        self.request.head.connection.close = true;
        self.fail(fault, now, out);
    }

    fn start(&mut self, now: Moment, out: &mut Out) {
        self.down.body = BodyReader::new(self.request.head.body);
        self.down.owes_continue = self.request.head.expects_continue;
        self.run_phases(now, out);
    }

    /// The settings in force.
    pub fn location(&self) -> &Location {
        self.request.at.location(self.request.place)
    }

    fn pass(&self) -> Option<&ProxyPass> {
        pass_of(self.location())
    }

    /// Servers that were given up for the next one, with their last address.
    pub fn passed_over(&self) -> &[(UpstreamFault, Option<Address>)] {
        self.call.passed_over()
    }

    /// Whether nothing more will be produced or asked for.
    pub fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// What becomes of the client's connection; meaningful once complete.
    pub fn client_next(&self) -> ClientNext {
        debug_assert!(self.is_complete());
        self.down.next
    }

    /// Why the proxy answered itself or gave up.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// How often the request was sent to another server; an internal redirect is no retry.
    pub fn retries(&self) -> u64 {
        let chains = self.attempts.iter().map(|attempt| attempt.redirects);
        let again = chains.clone().skip(1).zip(chains).filter(|(next, before)| next == before);
        again.count() as u64
    }

    /// From now on an answer that has not begun says `Connection: close`.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// What only the caller can do, the next of it.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(action) = self.link_action.take() {
            return Some(action);
        }
        if std::mem::take(&mut self.wants_connect) {
            let is_name = matches!(self.phase, Phase::Resolving { .. });
            return Some(if is_name { Action::Resolve } else { Action::Connect });
        }
        if self.down.errands.part.is_some() {
            return Some(Action::Add);
        }
        (!self.down.errands.mirrors.is_empty()).then_some(Action::Mirror)
    }

    /// Whether an upstream is asked, or is about to be.
    fn is_calling(&self) -> bool {
        matches!(
            self.phase,
            Phase::Resolving { .. }
                | Phase::Connecting
                | Phase::Exchanging
                | Phase::Adding { then: Then::Upstream }
        )
    }

    /// Ends the exchange.
    fn complete(&mut self, next: ClientNext) {
        debug_assert!(!self.is_complete(), "an exchange ends once");
        let is_kept = next == ClientNext::KeepAlive;
        debug_assert!(!is_kept || self.down.has_request(), "a body is never taken for a request");
        debug_assert!(!is_kept || self.down.is_persistent, "the client was told so");
        if self.is_calling() || matches!(self.phase, Phase::Tunnel { .. }) {
            self.link_action.get_or_insert(Action::DropLink);
        }
        self.wants_connect = false;
        self.call.choice.let_go();
        (self.down.errands.sending, self.down.errands.part) = (None, None);
        self.down.response.packing.chain = None;
        self.down.next = next;
        self.phase = Phase::Complete;
    }

    /// The proxy answers itself if it still can, and else cuts the client off, so that a part is
    /// never taken for the whole.
    fn fail(&mut self, fault: Fault, now: Moment, out: &mut Out) {
        self.fault = Some(fault);
        out.upstream.clear();
        if !self.down.is_begun {
            self.attempts.end_if_open(now.ms);
            return self.answer(Content::Fault(fault), now, out);
        }
        if !self.down.sent.is_whole {
            self.attempts.end(None, now.ms);
        }
        // nginx: what came before the fault is no secret.
        self.down.push_held(&mut out.client);
        self.cut_off();
    }

    /// The client must see that what it got is not all; all of it may be made, and not be taken.
    fn cut_off(&mut self) {
        let looks_whole = matches!(self.down.writer, http1::BodyWriter::UntilClose);
        let next = if looks_whole { ClientNext::Reset } else { ClientNext::Abort };
        self.down.sent.is_whole = false;
        match self.is_complete() {
            true => self.down.next = next,
            false => self.complete(next),
        }
    }

    /// Everything that variables speak of, at the exchange's end.
    pub fn view(&self, now: Moment) -> View<'_> {
        View {
            request: &self.request,
            response: &self.down.response,
            attempts: &self.attempts,
            sent: self.down.sent,
            now,
        }
    }

    fn context(&self, is_persistent: bool, is_tunnel: bool, now: Moment) -> Context<'_> {
        let (request, attempts) = (&self.request, &self.attempts);
        Context { request, attempts, is_persistent, is_tunnel, now }
    }

    /// Whether the client's side of this request may carry another one.
    fn client_may_persist(&self) -> bool {
        let keepalive = self.location().client.keepalive;
        self.request.head.persistent()
            && !self.is_draining
            && keepalive.timeout_ms > 0
            && self.request.client.requests < keepalive.requests
    }

    /// Gives large buffers back, so that an exchange that waits for use is small.
    pub fn shrink(&mut self) {
        debug_assert!(self.is_complete());
        const KEPT_BYTES_MAX: usize = 4 << 10;
        let uri = &mut self.request.uri;
        let uri = [&mut uri.host, &mut uri.path, &mut uri.args, &mut uri.target];
        let buffers = uri.into_iter().chain([&mut self.request.bytes]);
        for buffer in buffers.filter(|buffer| buffer.capacity() > KEPT_BYTES_MAX) {
            *buffer = Vec::new();
        }
        if self.request.head.fields.capacity() > KEPT_BYTES_MAX / size_of::<http1::Field>() {
            self.request.head = RequestHead::default();
        }
        self.request.values.get_mut().shrink(KEPT_BYTES_MAX);
        self.down.response.shrink(KEPT_BYTES_MAX);
        self.wire.shrink();
        self.carried = Vec::new();
    }
}

fn pass_of(location: &Location) -> Option<&ProxyPass> {
    match &location.handler {
        Handler::Proxy(pass) => Some(pass),
        _ => None,
    }
}
