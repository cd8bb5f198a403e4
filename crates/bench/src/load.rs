//! Owns the load generator: GETs over a number of connections, one request after the other on
//! each, every answer read to its end and checked.
//!
//! One thread, one epoll instance, no memory taken per request: on the processor that it shares
//! with the upstream it must cost less than the proxy does on its own. It judges no figures.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use sys::poller::{Events, Interest, Poller, Readiness};
use sys::socket::{self, Outcome};

use crate::Fault;
use crate::answer::{Answer, LastHead, Whole};

/// How long the answers under way may take at the end of a run.
const END_TIME: Duration = Duration::from_secs(10);
/// Longest wait for a report, so that the end of a run is seen.
const TICK: Duration = Duration::from_millis(5);
const EVENTS_MAX: usize = 512;
const BUFFER_BYTES: usize = 256 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Request {
    /// Path of the upstream's.
    pub(crate) path: &'static str,
    /// A connection for each request: `Connection: close`.
    pub(crate) closes: bool,
    /// Says that compressed answers are taken.
    pub(crate) takes_gzip: bool,
    /// So many different keys take turns behind the path; none where it is as it stands.
    pub(crate) keys: u32,
}

/// Digits of a key.
const KEY_DIGITS: usize = 6;

/// What one run did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Done {
    /// Whole answers of status 200.
    pub(crate) requests: u64,
    /// Bytes of those, with their heads and framing.
    pub(crate) bytes: u64,
    /// From the first request to the last answer.
    pub(crate) wall: Duration,
}

/// Where a connection is in its exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Idle,
    Asked,
    /// The answer is whole, and the server, as it said, ends the connection.
    Ending,
    Ended,
}

struct Connection {
    socket: OwnedFd,
    answer: Answer,
    state: State,
}

/// Connections to one address, all of them idle between runs.
pub(crate) struct Load {
    address: SocketAddr,
    request: Vec<u8>,
    /// Where the key stands in the request, if there is one; how many there are, and which is next.
    key: Option<(usize, u32, u32)>,
    poller: Poller,
    connections: Vec<Connection>,
    last: LastHead,
    buffer: Vec<u8>,
    /// Requests under way.
    pending: usize,
    /// Bytes read in this run.
    bytes: u64,
}

impl Load {
    /// Opens `count` connections and makes one request on each, so that what follows finds the
    /// proxy warm and its connections to the upstream open.
    ///
    /// # Errors
    /// If a connection cannot be opened or a request fails.
    pub(crate) fn open(address: SocketAddr, count: usize, request: Request) -> Result<Self, Fault> {
        let poller = Poller::new().map_err(|error| Fault::new(format!("no poller: {error}")))?;
        let connection = if request.closes { "Connection: close\r\n" } else { "" };
        let packed = if request.takes_gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let key = if request.keys > 0 { "?k=000000" } else { "" };
        let line = format!("GET {}{key}", request.path);
        let text = format!("{line} HTTP/1.1\r\nHost: {address}\r\n{connection}{packed}\r\n");
        let mut load = Self {
            address,
            request: text.into_bytes(),
            key: (request.keys > 0).then(|| (line.len() - KEY_DIGITS, request.keys, 0)),
            poller,
            connections: Vec::with_capacity(count),
            last: LastHead::default(),
            buffer: vec![0; BUFFER_BYTES],
            pending: 0,
            bytes: 0,
        };
        for place in 0..count {
            let connection = load.connect(place)?;
            load.connections.push(connection);
        }
        load.run(Duration::ZERO)?;
        Ok(load)
    }

    /// Makes requests on all connections for `time`, then waits for the answers under way.
    ///
    /// # Errors
    /// If a connection breaks, or an answer is not a 200 or does not come.
    pub(crate) fn run(&mut self, time: Duration) -> Result<Done, Fault> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let began = Instant::now();
        let mut requests = 0;
        self.bytes = 0;
        for place in 0..self.connections.len() {
            self.ask(place)?;
        }
        while self.pending > 0 {
            let broken = |error| Fault::new(format!("cannot wait: {error}"));
            self.poller.wait(&mut events, Some(TICK)).map_err(broken)?;
            let elapsed = began.elapsed();
            if elapsed > time + END_TIME {
                return Err(Fault::new(format!("{} answers did not come", self.pending)));
            }
            for report in events.iter().filter(|report| report.readable) {
                if self.read(report)? {
                    requests += 1;
                    self.pending -= 1;
                    if elapsed < time {
                        self.ask(report.key as usize)?;
                    }
                }
            }
        }
        Ok(Done { requests, bytes: self.bytes, wall: began.elapsed() })
    }

    fn connect(&self, place: usize) -> Result<Connection, Fault> {
        let broken = |error| Fault::new(format!("cannot connect to {}: {error}", self.address));
        let socket = socket::connect(self.address).map_err(broken)?;
        self.poller.add(&socket, place as u64, Interest::Edges).map_err(broken)?;
        Ok(Connection { socket, answer: Answer::default(), state: State::Idle })
    }

    /// Writes the next key into the request.
    fn turn_key(&mut self) {
        let Some((at, count, next)) = &mut self.key else { return };
        let mut left = *next;
        for digit in self.request.iter_mut().skip(*at).take(KEY_DIGITS).rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        *next = (*next + 1) % *count;
    }

    /// Sends the request on the connection at `place`, a new one if the server has ended it.
    fn ask(&mut self, place: usize) -> Result<(), Fault> {
        if self.connections.get(place).is_some_and(|used| used.state == State::Ended) {
            let fresh = self.connect(place)?;
            if let Some(used) = self.connections.get_mut(place) {
                *used = fresh;
            }
        }
        self.turn_key();
        let Some(connection) = self.connections.get_mut(place) else {
            return Err(Fault::new("a report of a connection that is not there"));
        };
        // A connection on this machine is there when `connect` returns, unless the other side's
        // queue is full, and then this is not a run to be measured.
        match socket::write(&connection.socket, &self.request) {
            Outcome::Bytes(count) if count == self.request.len() => {
                connection.state = State::Asked;
                self.pending += 1;
                Ok(())
            }
            other => Err(Fault::new(format!("the request does not go: {other:?}"))),
        }
    }

    /// Reads what has come; gives whether the request is over: answered, and the connection ended if
    /// the server said so.
    fn read(&mut self, report: Readiness) -> Result<bool, Fault> {
        let Some(connection) = self.connections.get_mut(report.key as usize) else {
            return Ok(false);
        };
        loop {
            let count = match (socket::read(&connection.socket, &mut self.buffer), connection.state)
            {
                (Outcome::Bytes(count), State::Asked) => count,
                (Outcome::WouldBlock, _) | (_, State::Ended) => return Ok(false),
                (Outcome::End, State::Ending) => {
                    connection.state = State::Ended;
                    return Ok(true);
                }
                (other, state) => {
                    return Err(Fault::new(format!("no whole answer: {other:?}, {state:?}")));
                }
            };
            self.bytes += count as u64;
            let bytes = self.buffer.get(..count).unwrap_or_default();
            match connection.answer.take(bytes, &mut self.last)? {
                Some(Whole { status: 200, closes: false }) => {
                    connection.state = State::Idle;
                    return Ok(true);
                }
                Some(Whole { status: 200, closes: true }) => connection.state = State::Ending,
                Some(other) => return Err(Fault::new(format!("the answer was {}", other.status))),
                None => {}
            }
            // A read that does not fill the buffer has emptied the socket, but an end that was
            // reported with it would not be reported again.
            if count < self.buffer.len() && !report.closed {
                return Ok(false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    fn upstream() -> SocketAddr {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listen = free.local_addr().unwrap();
        drop(free);
        thread::spawn(move || upstream::run(listen, upstream::WAIT));
        while TcpStream::connect(listen).is_err() {
            thread::yield_now();
        }
        listen
    }

    fn check(path: &'static str, closes: bool) {
        let mut load =
            Load::open(upstream(), 8, Request { path, closes, ..Request::default() }).unwrap();
        let first = load.run(Duration::from_millis(50)).unwrap();
        assert!(first.requests > 8, "{first:?}");
        for _ in 0..50 {
            assert_eq!(load.run(Duration::ZERO).unwrap().requests, 8);
        }
    }

    #[test]
    fn each_connection_makes_one_request_after_the_other() {
        check(upstream::SMALL, false);
        check(upstream::LARGE, false);
    }

    #[test]
    fn each_request_has_its_own_connection_where_that_is_asked_for() {
        check(upstream::SMALL, true);
    }

    #[test]
    fn answer_other_than_200_ends_the_run() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            std::io::Read::read(&mut stream, &mut [0; 1024]).unwrap();
            let answer = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
            std::io::Write::write_all(&mut stream, answer).unwrap();
        });
        let request = Request { path: upstream::SMALL, ..Request::default() };
        let fault = Load::open(address, 1, request).err().unwrap();
        assert_eq!(fault.to_string(), "the answer was 502");
    }
}
