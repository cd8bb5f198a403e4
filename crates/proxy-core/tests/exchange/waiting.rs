//! An exchange that a test drives by hand, step by step.

use std::net::SocketAddr;
use std::rc::Rc;

use http1::{Limits, Parsed};
use proxy_core::clock::Moment;
use proxy_core::exchange::{Action, Exchange, Opening, Out, Side};
use proxy_core::generation::Generation;
use proxy_core::upstream::call::Step;

use crate::case::{NOW, at, client};

/// An exchange under way, driven by hand.
pub struct Waiting {
    pub exchange: Exchange,
    pub out: Out,
}

impl Waiting {
    /// One that was begun with this request's head; what follows it was not given yet.
    pub fn begun(generation: &Rc<Generation>, request: &str) -> (Waiting, usize) {
        let mut exchange = Exchange::new(at(generation), client());
        let mut out = Out::default();
        let parsed =
            http1::parse_request(request.as_bytes(), &Limits::default(), exchange.head_mut());
        let Parsed::Done { used, .. } = parsed else { panic!("not a request: {request}") };
        let head = Opening::Head(&request.as_bytes()[..used]);
        exchange.begin((at(generation), client()), (1, false), head, (NOW, NOW), &mut out);
        (Waiting { exchange, out }, used)
    }

    /// One that has sent `request` to a server and waits for the answer.
    pub fn sent(generation: &Rc<Generation>, request: &str, is_reused: bool) -> Waiting {
        let (mut waiting, used) = Waiting::begun(generation, request);
        waiting.attach(is_reused, NOW);
        waiting.client_says(&request[used..]);
        waiting
    }

    /// Takes a connection to the server that is next.
    pub fn attach(&mut self, is_reused: bool, now: Moment) {
        assert_eq!(self.exchange.poll_action(), Some(Action::Connect));
        let (id, address) = loop {
            match self.exchange.step(now, &mut self.out) {
                Some(Step::TakeIdle(id)) if is_reused => {
                    break (id, SocketAddr::from(([127, 0, 0, 1], 5000)).into());
                }
                Some(Step::TakeIdle(_)) => {}
                Some(Step::Dial(id, address)) => break (id, address),
                other => panic!("no server to try: {other:?}"),
            }
        };
        self.exchange.attached((id, &address), is_reused, now, &mut self.out);
    }

    pub fn client_says(&mut self, text: &str) -> usize {
        self.exchange.bytes(Side::Client, text.as_bytes(), NOW, &mut self.out)
    }

    pub fn server_says(&mut self, text: &str) -> usize {
        self.exchange.bytes(Side::Upstream, text.as_bytes(), NOW, &mut self.out)
    }

    pub fn client_heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out.client)).unwrap()
    }

    pub fn server_heard(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.out.upstream)).unwrap()
    }

    pub fn status(&self) -> u16 {
        self.exchange.down.response.status
    }
}
