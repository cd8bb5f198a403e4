//! One client, one proxy, one recording application, all driven from one thread without a lock,
//! so that what is recorded belongs to the conversation at hand and to no other. Nothing here
//! knows which proxy it is, or what is right.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::reader::{self, End, Request};

/// With nothing moving for so long, a proxy is taken to wait for more. Much longer than anything
/// here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);

/// Between two writes that a proxy is to see apart. One that sees them together is tested as by a
/// single write.
const PAUSE: Duration = Duration::from_millis(3);

/// What a client does.
pub struct Talk {
    pub pieces: Vec<Piece>,
    /// It closes its sending side after the last piece, once it has so many answers.
    pub half_close_after: Option<usize>,
}

/// Bytes that a client sends, and when.
pub struct Piece {
    pub after: After,
    pub bytes: Vec<u8>,
}

/// What a client waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    Nothing,
    Pause,
    /// The first byte of an answer, interim ones too.
    Anything,
}

/// What the application does with a request.
pub struct Reply {
    pub bytes: Vec<u8>,
    pub then: Then,
    /// Sent on the same connection when the next request has come, before its answer.
    pub before_next: Vec<u8>,
}

/// What the application does with the connection after a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Keep,
    Close,
    Reset,
}

/// What there is to be known after a conversation.
pub struct Heard {
    pub received: Vec<u8>,
    /// None if the proxy still waited for something.
    pub closed: Option<End>,
    /// What the application got whole, in order.
    pub requests: Vec<Request>,
}

/// A proxy with its application.
pub struct Lane {
    proxy: SocketAddr,
    listener: TcpListener,
    connections: Vec<Connection>,
}

impl Lane {
    /// `listener` is where `proxy` finds its application.
    pub fn new(proxy: SocketAddr, listener: TcpListener) -> Lane {
        listener.set_nonblocking(true).unwrap();
        Lane { proxy, listener, connections: Vec::new() }
    }

    /// Where the proxy listens.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Lets a new client talk, with an application that answers each request as `reply` says; it
    /// is told how many came before. Returns when the proxy closes or waits in vain.
    pub fn converse(
        &mut self,
        talk: &Talk,
        reply: &mut dyn FnMut(&Request, usize) -> Reply,
    ) -> Heard {
        let mut client = Client::connect(self.proxy, talk);
        let mut requests = Vec::new();
        let mut moved_at = Instant::now();
        while client.closed.is_none() {
            let mut moved = client.write(talk);
            moved |= self.serve(reply, &mut requests);
            moved |= client.read();
            if moved {
                moved_at = Instant::now();
            } else if moved_at.elapsed() > PATIENCE {
                break;
            } else {
                self.wait(&client);
            }
        }
        let Client { received, closed, .. } = client;
        // All that the proxy had sent before it closed is here already.
        while self.serve(reply, &mut requests) {}
        Heard { received, closed, requests }
    }

    /// Whether the proxy answers a plain request that needs no application.
    pub fn is_served(&mut self) -> bool {
        let bytes = b"GET /own/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec();
        let pieces = vec![Piece { after: After::Nothing, bytes }];
        let mut none = |_: &Request, _: usize| Reply {
            bytes: Vec::new(),
            then: Then::Close,
            before_next: Vec::new(),
        };
        self.converse(&Talk { pieces, half_close_after: None }, &mut none).closed.is_some()
    }

    /// Closes what the proxy may have kept, so that the next conversation starts anew.
    pub fn forget_connections(&mut self) {
        self.connections.clear();
    }

    /// Does what can be done on the application's side; whether anything was.
    fn serve(
        &mut self,
        reply: &mut dyn FnMut(&Request, usize) -> Reply,
        requests: &mut Vec<Request>,
    ) -> bool {
        let mut moved = false;
        while let Ok((stream, _)) = self.listener.accept() {
            self.connections.push(Connection::new(stream));
            moved = true;
        }
        for connection in &mut self.connections {
            moved |= connection.turn(reply, requests);
        }
        self.connections.retain(|connection| !connection.over);
        moved
    }

    fn wait(&self, client: &Client) {
        let flags = |writes| if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut fds = vec![
            PollFd::new(&client.stream, flags(!client.output.is_empty())),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        let connections = self.connections.iter();
        fds.extend(connections.map(|c| PollFd::new(&c.stream, flags(!c.output.is_empty()))));
        let ends = self.connections.iter().filter_map(|connection| connection.ends_at);
        let until = ends.chain(client.resumes_at).min();
        let left = until.map_or(PATIENCE, |at| at.saturating_duration_since(Instant::now()));
        let left = left + Duration::from_micros(100);
        let _ = poll(&mut fds, Some(&Timespec::try_from(left).unwrap()));
    }
}

struct Client {
    stream: TcpStream,
    /// The piece whose turn is next.
    next: usize,
    resumes_at: Option<Instant>,
    output: Vec<u8>,
    half_closed: bool,
    received: Vec<u8>,
    closed: Option<End>,
}

impl Client {
    fn connect(proxy: SocketAddr, talk: &Talk) -> Client {
        let stream = TcpStream::connect(proxy).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        let half_closed = talk.half_close_after.is_none();
        Client {
            stream,
            next: 0,
            resumes_at: None,
            output: Vec::new(),
            half_closed,
            received: Vec::new(),
            closed: None,
        }
    }

    fn write(&mut self, talk: &Talk) -> bool {
        let mut moved = flush(&mut self.stream, &mut self.output);
        while self.output.is_empty() {
            let Some(piece) = talk.pieces.get(self.next) else {
                return moved | self.half_close(talk);
            };
            if !self.is_due(piece.after) {
                return moved;
            }
            self.output = piece.bytes.clone();
            self.next += 1;
            self.resumes_at = None;
            flush(&mut self.stream, &mut self.output);
            moved = true;
        }
        moved
    }

    fn is_due(&mut self, after: After) -> bool {
        match after {
            After::Nothing => true,
            After::Anything => !self.received.is_empty(),
            After::Pause => {
                Instant::now() >= *self.resumes_at.get_or_insert(Instant::now() + PAUSE)
            }
        }
    }

    fn half_close(&mut self, talk: &Talk) -> bool {
        if self.half_closed || talk.half_close_after > Some(self.answers()) {
            return false;
        }
        self.half_closed = true;
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        true
    }

    fn answers(&self) -> usize {
        let (mut count, mut at) = (0, 0);
        while let Some(answer) = reader::read_answer(&self.received[at..], false, None) {
            count += 1;
            at += answer.used;
        }
        count
    }

    fn read(&mut self) -> bool {
        let (moved, closed) = fill(&mut self.stream, &mut self.received);
        self.closed = closed;
        moved
    }
}

/// The application's side of a connection from the proxy.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    then: Then,
    ends_at: Option<Instant>,
    before_next: Vec<u8>,
    over: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream,
            input: Vec::new(),
            output: Vec::new(),
            then: Then::Keep,
            ends_at: None,
            before_next: Vec::new(),
            over: false,
        }
    }

    fn turn(
        &mut self,
        reply: &mut dyn FnMut(&Request, usize) -> Reply,
        requests: &mut Vec<Request>,
    ) -> bool {
        let mut moved = flush(&mut self.stream, &mut self.output);
        if self.then == Then::Keep {
            let (read, closed) = fill(&mut self.stream, &mut self.input);
            moved |= read;
            moved |= self.answer_all(reply, requests);
            self.over = closed.is_some();
        } else if self.output.is_empty() {
            // What was sent is to be read before the reset overtakes it.
            let ends_at = *self.ends_at.get_or_insert(Instant::now() + PAUSE);
            if self.then == Then::Close || Instant::now() >= ends_at {
                self.end();
                moved = true;
            }
        }
        moved
    }

    fn answer_all(
        &mut self,
        reply: &mut dyn FnMut(&Request, usize) -> Reply,
        requests: &mut Vec<Request>,
    ) -> bool {
        let mut moved = false;
        while self.then == Then::Keep
            && let Some((request, used)) = reader::read_request(&self.input)
        {
            self.input.drain(..used);
            let is_odd = request.odd.is_some();
            let Reply { bytes, then, before_next } = reply(&request, requests.len());
            requests.push(request);
            self.output.append(&mut self.before_next);
            self.output.extend_from_slice(&bytes);
            self.before_next = before_next;
            self.then = if is_odd { Then::Close } else { then };
            flush(&mut self.stream, &mut self.output);
            moved = true;
        }
        moved
    }

    fn end(&mut self) {
        if self.then == Then::Reset {
            let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        }
        self.over = true;
    }
}

/// Writes what can be written; whether anything was. What cannot be written any more is dropped.
fn flush(stream: &mut TcpStream, output: &mut Vec<u8>) -> bool {
    let before = output.len();
    while !output.is_empty() {
        match stream.write(output) {
            Ok(count) => drop(output.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(_) => output.clear(),
        }
    }
    output.len() != before
}

/// Reads what is there: whether anything was, and how the connection ended if it did.
fn fill(stream: &mut TcpStream, input: &mut Vec<u8>) -> (bool, Option<End>) {
    let before = input.len();
    let mut bytes = [0; 16 << 10];
    let closed = loop {
        match stream.read(&mut bytes) {
            Ok(0) => break Some(End::Whole),
            Ok(count) => input.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break None,
            Err(_) => break Some(End::Broken),
        }
    };
    (input.len() != before, closed)
}
