//! The upstream of a case: it records what it gets and answers what the case says.

use std::fs::{self, Permissions};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::case::Message;
use crate::common::DEADLINE;
use crate::fastcgi;
use crate::wire::{Body, Framing, Head, Stop, Wire};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// From 0.
    pub upstream: usize,
    pub head: Head,
    pub body: Body,
}

enum Asked {
    Http(Head),
    FastCgi(Head, Body),
}

/// All upstreams of one case. They record in one order.
#[derive(Clone, Default)]
pub struct Upstreams(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: Vec<Vec<Message>>,
    /// By upstream: how many answers are gone.
    used: Vec<usize>,
    /// Requests that are being read.
    reading: usize,
    seen: Vec<Seen>,
}

impl Upstreams {
    /// Answers from the first one on.
    pub fn begin(&self, answers: Vec<Vec<Message>>) {
        let mut state = self.0.state.lock().unwrap();
        state.used = vec![0; answers.len()];
        state.answers = answers;
        state.seen.clear();
    }

    /// What came since the last time.
    pub fn take(&self) -> Vec<Seen> {
        let state = self.0.state.lock().unwrap();
        let still = |state: &mut State| state.reading > 0;
        let (mut state, _) = self.0.changed.wait_timeout_while(state, DEADLINE, still).unwrap();
        std::mem::take(&mut state.seen)
    }

    /// Until there are so many to take.
    pub fn wait(&self, count: usize) {
        let state = self.0.state.lock().unwrap();
        let are_fewer = |state: &mut State| state.seen.len() < count;
        drop(self.0.changed.wait_timeout_while(state, DEADLINE, are_fewer).unwrap());
    }

    /// Opens one; returns its port.
    pub fn open(&self, upstream: usize) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let all = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = all.clone();
                thread::spawn(move || all.serve(upstream, stream));
            }
        });
        port
    }

    /// Opens a socket of the file system for the upstream at a port: bytes pass both ways.
    pub fn open_path(path: &Path, port: u16) {
        let listener = UnixListener::bind(path).unwrap();
        // nginx may not be who we are.
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        thread::spawn(move || {
            for outer in listener.incoming().flatten() {
                let inner = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (from, to) = (outer.try_clone().unwrap(), inner.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut &from, &mut &to);
                    to.shutdown(Shutdown::Write)
                });
                thread::spawn(move || {
                    let _ = std::io::copy(&mut &inner, &mut &outer);
                    outer.shutdown(Shutdown::Both)
                });
            }
        });
    }

    fn serve(&self, upstream: usize, stream: TcpStream) {
        let mut wire = Wire::new(stream);
        // No request of HTTP begins with a byte that every record does.
        let is_fastcgi = wire.first_byte() == Some(1);
        while let Some(head) = self.head(&mut wire, is_fastcgi) {
            let (head, body) = match head {
                Asked::Http(head) => {
                    let body = wire.body(head.framing(Framing::Length(0)));
                    (head, body)
                }
                Asked::FastCgi(head, body) => (head, body),
            };
            let is_whole = body.is_whole;
            let is_last = match is_fastcgi {
                true => head.line == "FastCGI",
                false => {
                    head.line.ends_with("HTTP/1.0")
                        || head.get("connection").is_some_and(|value| value.contains("close"))
                }
            };
            let is_head = head.line.starts_with("HEAD ");
            let answer = self.record(Seen { upstream, head, body });
            if !is_whole {
                return;
            }
            match answer.start.as_str() {
                "close" => return,
                "reset" => return wire.reset(),
                "hang" => {
                    while wire.rest().is_empty() && wire.stopped == Some(Stop::Silent) {
                        wire.stopped = None;
                    }
                    return;
                }
                _ => {
                    let (bytes, closes) = match is_fastcgi {
                        true => fastcgi::answer(&answer),
                        false => answer.answer(is_head),
                    };
                    wire.send(&bytes);
                    if closes || is_last {
                        return;
                    }
                }
            }
        }
    }

    /// Waits for what is asked next. Of a FastCGI request all is there then.
    fn head(&self, wire: &mut Wire, is_fastcgi: bool) -> Option<Asked> {
        let asked = match is_fastcgi {
            true => fastcgi::request(wire).map(|(head, body)| Asked::FastCgi(head, body))?,
            false => Asked::Http(wire.head()?),
        };
        self.0.state.lock().unwrap().reading += 1;
        Some(asked)
    }

    /// Keeps what came, and says what to answer.
    fn record(&self, seen: Seen) -> Message {
        let mut state = self.0.state.lock().unwrap();
        let upstream = seen.upstream;
        // On a busy machine somebody else's client may find the port before the case begins.
        let used = state.used.get(upstream).copied().unwrap_or_default();
        state.used.iter_mut().skip(upstream).take(1).for_each(|used| *used += 1);
        state.reading -= 1;
        state.seen.push(seen);
        self.0.changed.notify_all();
        let answers = state.answers.get(upstream).map(Vec::as_slice).unwrap_or_default();
        answers.get(used).or(answers.last()).cloned().unwrap_or_else(hello)
    }
}

fn hello() -> Message {
    let fields = [("Content-Type", "text/plain"), ("body", "hello")];
    let owned = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Message { start: "200".into(), fields: owned.to_vec() }
}
