//! A request under a configuration of a few words, for unit tests.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http1::{Limits, Parsed, RequestHead, ResponseHead};

use crate::clock::Moment;
use crate::config::model::{Handler, ProxyPass, Variable};
use crate::config::tests::good;
use crate::generation::{At, Generation, Host};
use crate::listeners::Table;
use crate::phases::{self, Content, Seen};
use crate::request::{ClientInfo, Request};
use crate::response::{Context, Response};
use crate::upstream::call::Attempts;
use crate::variables::{Sent, View};

/// A whole file in force, and where connections to its first `listen` are.
pub(crate) fn at(text: &str) -> At {
    let config = good(text);
    let mut table = Table::default();
    let plan = table.plan(&config);
    table.commit(&config, &plan, &[]);
    let host = Host { name: b"pod-1".to_vec(), pid: 42, ..Host::default() };
    let generation = Generation::new(Arc::new(config), plan.open.clone(), Arc::new(host));
    At::of(&generation, plan.open[0].id, client().local).unwrap()
}

/// One server of this content, `main.test`, with an upstream `app` of two servers.
pub(crate) fn server(content: &str) -> At {
    at(&format!(
        "http {{ upstream app {{ server 10.0.0.5:5001; server 10.0.0.5:5002; }} \
         server {{ listen 8080; server_name main.test; {content} }} }}"
    ))
}

pub(crate) fn client() -> ClientInfo {
    ClientInfo {
        remote: SocketAddr::from(([10, 0, 0, 9], 40_000)),
        local: SocketAddr::from(([10, 0, 0, 1], 8080)),
        since_ms: 2_500,
        serial: 7,
        requests: 1,
        is_pipelined: false,
        proxied: None,
        path: None,
    }
}

/// Some time in 2026.
pub(crate) const NOW: Moment = Moment { ms: 5_000, unix_ms: 1_795_467_189_123 };

/// A request, and what becomes of it.
pub(crate) struct Case {
    pub request: Request,
    pub attempts: Attempts,
    pub content: Content,
}

impl Case {
    /// A request with this head to a server of this content; its place is found.
    pub(crate) fn new(content: &str, head: &str) -> Case {
        Case::at(server(content), head)
    }

    pub(crate) fn at(at: At, head: &str) -> Case {
        let mut request = Request::new(at.clone(), client());
        request.begin(at, client(), 1, Moment { ms: 4_000, unix_ms: 1_795_467_188_123 });
        assert_eq!(parse(head, &mut request.head), head.len(), "{head}");
        request.take_head(head.as_bytes()).unwrap();
        let (response, attempts) = (Response::default(), Attempts::default());
        let seen = Seen { response: &response, attempts: &attempts, now: NOW };
        let content = phases::run(&mut request, &seen);
        Case { request, attempts, content }
    }

    /// A request of GET for a path.
    pub(crate) fn get(content: &str, path: &str) -> Case {
        Case::new(content, &format!("GET {path} HTTP/1.1\r\nHost: main.test\r\n\r\n"))
    }

    /// What becomes of the request as it is now.
    pub(crate) fn run(&mut self) -> Content {
        let response = Response::default();
        let seen = Seen { response: &response, attempts: &self.attempts, now: NOW };
        phases::run(&mut self.request, &seen)
    }

    pub(crate) fn pass(&self) -> &ProxyPass {
        match &self.request.at.location(self.request.place).handler {
            Handler::Proxy(pass) => pass,
            other => panic!("no pass: {other:?}"),
        }
    }

    pub(crate) fn context(&self, is_persistent: bool, is_tunnel: bool) -> Context<'_> {
        let Case { request, attempts, .. } = self;
        Context { request, attempts, is_persistent, is_tunnel, now: NOW }
    }

    pub(crate) fn view<'c>(&'c self, response: &'c Response) -> View<'c> {
        let Case { request, attempts, .. } = self;
        View { request, response, attempts, sent: Sent::default(), now: NOW }
    }

    /// The text of a variable before anything is answered; nothing where it is not there.
    pub(crate) fn value(&self, variable: &Variable) -> Option<String> {
        let mut out = Vec::new();
        let is_there = self.view(&Response::default()).push_variable(variable, &mut out);
        is_there.then(|| String::from_utf8(out).unwrap())
    }

    pub(crate) fn generation(&self) -> &Rc<Generation> {
        self.request.at.generation()
    }
}

/// Parses a head of a request; how many bytes it has.
pub(crate) fn parse(text: &str, head: &mut RequestHead) -> usize {
    match http1::parse_request(text.as_bytes(), &Limits::default(), head) {
        Parsed::Done { used, .. } => used,
        other => panic!("{text}: {other:?}"),
    }
}

/// An answer of an upstream with this head, as it came.
pub(crate) fn answer(head: &str) -> Response {
    let mut parsed = ResponseHead::new();
    let found = http1::parse_response(head.as_bytes(), 1 << 20, false, &mut parsed);
    assert!(matches!(found, Parsed::Done { used, .. } if used == head.len()), "{head}");
    let mut response = Response::default();
    response.begin_upstream(&mut parsed, head.as_bytes());
    response
}

/// The lines of the head that goes to the client, without the last, empty one.
pub(crate) fn lines(response: &Response) -> Vec<String> {
    let mut out = Vec::new();
    response.push_head(&mut out);
    let text = String::from_utf8(out).unwrap();
    text.strip_suffix("\r\n\r\n").unwrap().split("\r\n").map(str::to_owned).collect()
}
