//! Owns the upstream of the proxy cases: constant answers at the least cost that system calls
//! allow, so that the proxy under test and not what stands around it is the limit.
//!
//! One thread, one epoll instance. It takes requests without a body, from the proxies only.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use sys::poller::{Events, Interest, Poller};
use sys::socket::{self, Outcome};

use crate::Fault;

/// Path of a small answer.
pub(crate) const SMALL: &str = "/";
/// Path of an answer of 1 MiB.
pub(crate) const LARGE: &str = "/mebibyte";
/// Path of an answer of 16 KiB, JSON as applications write it.
pub(crate) const JSON: &str = "/json";
/// Path of a small answer that comes late.
pub(crate) const LATE: &str = "/late";

/// Bytes of the body at [`JSON`].
const JSON_BYTES: usize = 16 * 1024;
/// Bytes of the body at [`LARGE`].
pub(crate) const LARGE_BYTES: usize = 1024 * 1024;
/// How long a request for [`LATE`] waits in the proxy cases.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

const TEXT: &str = "text/plain";
/// Field of the last answer of a connection.
const LAST: &str = "Connection: close\r\n";
/// Key of the listening socket among the poller's; the others' are numbers or places.
pub(crate) const LISTENER: u64 = u64::MAX;
/// Length of the queue of connections that wait to be accepted.
pub(crate) const BACKLOG: i32 = 4096;
/// Most reports taken from one wait, as in nginx (`epoll_events`).
pub(crate) const EVENTS_MAX: usize = 512;
/// Longest request head of a proxy; ours and nginx send some hundred bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// One connection of a proxy.
struct Connection {
    socket: OwnedFd,
    /// Begin of a head whose end has not come.
    begun: Vec<u8>,
    /// Answer under way and how much of it went.
    sending: Option<(Rc<[u8]>, usize)>,
    /// Whether it ends after the answer under way.
    ends: bool,
}

struct Upstream {
    poller: Poller,
    listener: OwnedFd,
    connections: HashMap<u64, Connection>,
    next_key: u64,
    /// Connections that wait for a late answer, the first due first.
    late: VecDeque<(Instant, u64)>,
    wait: Duration,
    answers: Answers,
}

/// The answers, each also as the last one of its connection.
struct Answers {
    small: Rc<[u8]>,
    small_last: Rc<[u8]>,
    large: Rc<[u8]>,
    large_last: Rc<[u8]>,
    json: Rc<[u8]>,
}

impl Answers {
    fn new() -> Self {
        let (small, large) = (b"Hello, World!", vec![b'x'; LARGE_BYTES]);
        Self {
            small: answer(small, TEXT, ""),
            small_last: answer(small, TEXT, LAST),
            large: answer(&large, TEXT, ""),
            large_last: answer(&large, TEXT, LAST),
            json: answer(&json(), "application/json", ""),
        }
    }

    fn of(&self, is_large: bool, is_last: bool) -> Rc<[u8]> {
        Rc::clone(match (is_large, is_last) {
            (false, false) => &self.small,
            (false, true) => &self.small_last,
            (true, false) => &self.large,
            (true, true) => &self.large_last,
        })
    }
}

/// Answers what connects to `listen`, for ever; requests for [`LATE`] after `wait`.
///
/// # Errors
/// If `listen` cannot be listened on, or the system is out of descriptors.
pub(crate) fn run(listen: SocketAddr, wait: Duration) -> Result<Infallible, Fault> {
    let broken = |error| Fault::new(format!("upstream on {listen}: {error}"));
    let mut upstream = Upstream::new(listen, wait).map_err(broken)?;
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut buffer = vec![0; HEAD_BYTES_MAX];
    loop {
        let now = Instant::now();
        upstream.answer_late(now);
        let timeout = upstream.late.front().map(|(due, _)| due.saturating_duration_since(now));
        upstream.poller.wait(&mut events, timeout).map_err(broken)?;
        for report in events.iter() {
            if report.key == LISTENER {
                upstream.accept().map_err(broken)?;
                continue;
            }
            let lives = (!report.readable || upstream.read(report.key, &mut buffer))
                && (!report.writable || upstream.send(report.key));
            if !lives {
                upstream.connections.remove(&report.key);
            }
        }
    }
}

impl Upstream {
    fn new(listen: SocketAddr, wait: Duration) -> io::Result<Self> {
        let poller = Poller::new()?;
        let listener = socket::listen(listen, false, BACKLOG)?;
        poller.add(&listener, LISTENER, Interest::Readable)?;
        Ok(Self {
            poller,
            listener,
            connections: HashMap::new(),
            next_key: 0,
            late: VecDeque::new(),
            wait,
            answers: Answers::new(),
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Some((socket, _)) = socket::accept(&self.listener)? {
            socket::set_nodelay(&socket);
            self.poller.add(&socket, self.next_key, Interest::Edges)?;
            let connection = Connection { socket, begun: Vec::new(), sending: None, ends: false };
            self.connections.insert(self.next_key, connection);
            self.next_key += 1;
        }
        Ok(())
    }

    /// Reads once and answers if a head is whole. A read that does not fill the buffer has emptied
    /// the socket. Gives whether the connection lives on.
    fn read(&mut self, key: u64, buffer: &mut [u8]) -> bool {
        let Some(connection) = self.connections.get_mut(&key) else {
            return true;
        };
        let piece = match socket::read(&connection.socket, buffer) {
            Outcome::Bytes(count) => buffer.get(..count).unwrap_or_default(),
            Outcome::WouldBlock => return true,
            Outcome::End | Outcome::Gone(_) => return false,
        };
        let head = if connection.begun.is_empty() {
            piece
        } else {
            connection.begun.extend_from_slice(piece);
            &connection.begun
        };
        if !head.ends_with(b"\r\n\r\n") {
            if connection.begun.is_empty() {
                connection.begun.extend_from_slice(piece);
            }
            return connection.begun.len() < HEAD_BYTES_MAX;
        }
        connection.ends = ends_after(head);
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let (late, large) = (path == LATE.as_bytes(), path == LARGE.as_bytes());
        let json = path == JSON.as_bytes();
        connection.begun.clear();
        if late {
            self.late.push_back((Instant::now() + self.wait, key));
            return true;
        }
        let answer = match json {
            true => Rc::clone(&self.answers.json),
            false => self.answers.of(large, connection.ends),
        };
        connection.sending = Some((answer, 0));
        self.send(key)
    }

    fn answer_late(&mut self, now: Instant) {
        while let Some((_, key)) = self.late.front().copied().filter(|(due, _)| *due <= now) {
            self.late.pop_front();
            if let Some(connection) = self.connections.get_mut(&key) {
                connection.sending = Some((self.answers.of(false, connection.ends), 0));
            }
            if !self.send(key) {
                self.connections.remove(&key);
            }
        }
    }

    /// Sends what the socket takes of the answer under way. Gives whether the connection lives on.
    fn send(&mut self, key: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&key) else {
            return true;
        };
        while let Some((answer, sent)) = &mut connection.sending {
            let left = answer.get(*sent..).unwrap_or_default();
            match socket::write(&connection.socket, left) {
                Outcome::Bytes(count) if count < left.len() => *sent += count,
                Outcome::Bytes(_) => connection.sending = None,
                Outcome::WouldBlock => return true,
                Outcome::End | Outcome::Gone(_) => return false,
            }
            if connection.sending.is_none() && connection.ends {
                return false;
            }
        }
        true
    }
}

/// 16 KiB of records whose numbers and words differ.
fn json() -> Vec<u8> {
    let words = ["pending", "shipped", "cancelled", "returned"];
    let (mut text, mut state) = (String::from("["), 7_u32);
    while text.len() < JSON_BYTES {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let word = words.get(state as usize >> 30).copied().unwrap_or_default();
        let (id, cents) = (state >> 8, state % 90_000);
        text.push_str(&format!(
            "{{\"id\":{id},\"status\":\"{word}\",\"amount\":{cents},\"currency\":\"EUR\",\"tags\":[\"a{}\"]}},",
            state % 97
        ));
    }
    text.truncate(JSON_BYTES - 1);
    text.push(']');
    text.into_bytes()
}

/// A whole answer with `body`, with the fields that an application's usually has and one more.
fn answer(body: &[u8], content_type: &str, field: &str) -> Rc<[u8]> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: upstream\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n{field}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

/// Whether the proxy expects the connection to end with the answer: HTTP/1.0, or told so.
fn ends_after(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    lines.next().is_some_and(|line| line.ends_with(b"HTTP/1.0"))
        || lines.any(|line| line.eq_ignore_ascii_case(b"connection: close"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    const SHORT_WAIT: Duration = Duration::from_millis(200);

    fn connect() -> TcpStream {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listen = free.local_addr().unwrap();
        drop(free);
        thread::spawn(move || run(listen, SHORT_WAIT));
        loop {
            match TcpStream::connect(listen) {
                Ok(stream) => return stream,
                Err(_) => thread::yield_now(),
            }
        }
    }

    /// Sends `request` in two pieces and expects a whole answer whose body has `body_bytes`.
    fn check(stream: &mut TcpStream, request: &str, body_bytes: usize, field: &str) {
        let (first, second) = request.split_at(request.len() / 2);
        stream.write_all(first.as_bytes()).unwrap();
        stream.write_all(second.as_bytes()).unwrap();
        let mut answer = vec![0; answer(&vec![b'x'; body_bytes], TEXT, field).len()];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        let length = format!("Content-Length: {body_bytes}\r\n{field}\r\n");
        assert!(answer.windows(length.len()).any(|window| window == length.as_bytes()));
    }

    #[test]
    fn answers_follow_each_other_on_one_connection_and_the_last_ends_it() {
        let mut stream = connect();
        check(&mut stream, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 13, "");
        check(&mut stream, "GET /mebibyte HTTP/1.1\r\nHost: a\r\n\r\n", LARGE_BYTES, "");
        check(&mut stream, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 13, LAST);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn connection_ends_after_an_answer_where_the_proxy_expects_it() {
        assert!(ends_after(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"));
        assert!(ends_after(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        assert!(!ends_after(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!ends_after(b"GET / HTTP/1.1\r\nX: HTTP/1.0\r\n\r\n"));
    }

    #[test]
    fn late_answer_comes_after_its_wait_and_delays_no_other() {
        let mut late = connect();
        let began = Instant::now();
        late.write_all(b"GET /late HTTP/1.1\r\n\r\n").unwrap();
        let mut other = TcpStream::connect(late.peer_addr().unwrap()).unwrap();
        check(&mut other, "GET / HTTP/1.1\r\n\r\n", 13, "");
        assert!(began.elapsed() < SHORT_WAIT);
        late.read_exact(&mut [0; 8]).unwrap();
        assert!(began.elapsed() >= SHORT_WAIT);
    }
}
