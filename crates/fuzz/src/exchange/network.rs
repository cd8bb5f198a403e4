//! Connections in memory, seen from both ends. Readiness is told by its edges, as epoll does.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

use proxy_core::net::{Cause, DialFault, Net, Read, Readiness, Socket, Token, Written};
use proxy_core::upstream::address::Address;

const CONNECTION_RESET: Cause = Cause(104);
const BROKEN_PIPE: Cause = Cause(32);
const CONNECTION_REFUSED: Cause = Cause(111);

/// How a connect goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    Done,
    /// It is done, or refused, by the next turn.
    Soon(Result<(), Cause>),
    Refused(Cause),
    /// Nobody ever answers.
    Hangs,
}

/// One connection of the proxy's.
#[derive(Debug)]
pub struct Pipe {
    pub token: Option<Token>,
    pub local: SocketAddr,
    pub connect: Connect,
    /// What the peer has said and the proxy has not read.
    pub input: VecDeque<u8>,
    pub has_input_ended: bool,
    /// All that the proxy has written.
    pub output: Vec<u8>,
    has_output_ended: bool,
    /// How many more bytes the peer takes.
    pub room: usize,
    wants_room: bool,
    /// The peer is gone without a word; it answers what is written to it by a reset.
    is_closed: bool,
    is_reset: bool,
    /// The proxy holds its end no more.
    pub is_dropped: bool,
    has_news: bool,
}

pub type Shared = Rc<RefCell<Pipe>>;

impl Pipe {
    pub fn new(local: SocketAddr, connect: Connect) -> Shared {
        Rc::new(RefCell::new(Pipe {
            token: None,
            local,
            connect,
            input: VecDeque::new(),
            has_input_ended: false,
            output: Vec::new(),
            has_output_ended: false,
            room: usize::MAX,
            wants_room: false,
            is_closed: false,
            is_reset: false,
            is_dropped: false,
            has_news: true,
        }))
    }

    fn is_open(&self) -> bool {
        self.connect == Connect::Done && !self.is_dropped && !self.is_reset
    }

    /// The peer says something. Gives what it could say.
    pub fn say<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if !self.is_open() || self.has_input_ended || bytes.is_empty() {
            return &[];
        }
        self.input.extend(bytes);
        self.has_news = true;
        bytes
    }

    pub fn end(&mut self) {
        if self.is_open() && !self.has_input_ended {
            self.has_input_ended = true;
            self.has_news = true;
        }
    }

    pub fn close(&mut self) {
        self.end();
        self.is_closed = true;
    }

    pub fn reset(&mut self) {
        if self.is_open() {
            self.is_reset = true;
            self.has_news = true;
        }
    }

    pub fn set_room(&mut self, room: usize) {
        self.room = room;
        if room > 0 && self.wants_room {
            self.wants_room = false;
            self.has_news = true;
        }
    }

    /// What is to be told of it, if anything is new.
    pub fn take_news(&mut self) -> Option<(Token, Readiness)> {
        let token = self.token.filter(|_| self.has_news && !self.is_dropped)?;
        let is_failed = matches!(self.connect, Connect::Refused(_));
        if self.connect != Connect::Done && !is_failed {
            return None;
        }
        self.has_news = false;
        let is_gone = self.is_reset || is_failed;
        let ended = self.has_input_ended || is_gone;
        let readable = ended || !self.input.is_empty();
        Some((
            token,
            Readiness { readable, writable: self.room > 0 || is_gone, ended, broken: is_gone },
        ))
    }

    /// A connect that is to end ends.
    pub fn settle(&mut self) {
        if let Connect::Soon(result) = self.connect {
            self.connect = result.map_or_else(Connect::Refused, |()| Connect::Done);
            self.has_news = true;
        }
    }
}

/// The proxy's end.
pub struct End(pub Shared);

impl Socket for End {
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        let mut pipe = self.0.borrow_mut();
        if pipe.input.is_empty() {
            return match (pipe.is_reset, pipe.has_input_ended) {
                (true, _) => Read::Broken(CONNECTION_RESET),
                (false, true) => Read::End,
                (false, false) => Read::Nothing,
            };
        }
        let count = pipe.input.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(pipe.input.drain(..count)) {
            *place = byte;
        }
        Read::Bytes(count)
    }

    fn write(&mut self, bytes: &[u8]) -> Written {
        let mut pipe = self.0.borrow_mut();
        assert_eq!(pipe.connect, Connect::Done, "written before it is connected");
        assert!(!pipe.has_output_ended, "written after its end");
        if pipe.is_reset {
            return Written::Broken(BROKEN_PIPE);
        }
        if pipe.is_closed {
            pipe.is_reset = true;
            pipe.has_news = true;
            return Written::Bytes(bytes.len());
        }
        let count = pipe.room.min(bytes.len());
        pipe.wants_room |= count < bytes.len();
        if count == 0 {
            return Written::Nothing;
        }
        pipe.room -= count;
        pipe.output.extend(&bytes[..count]);
        Written::Bytes(count)
    }

    fn end_writing(&mut self) {
        self.0.borrow_mut().has_output_ended = true;
    }

    fn is_delivered(&mut self) -> bool {
        // The peer has all that it had room for.
        !self.0.borrow().wants_room
    }

    fn reset_when_dropped(&mut self) {}

    fn connect_result(&mut self) -> Result<(), Cause> {
        match self.0.borrow().connect {
            Connect::Refused(cause) => Err(cause),
            _ => Ok(()),
        }
    }

    fn is_quiet(&mut self) -> bool {
        let pipe = self.0.borrow();
        pipe.input.is_empty() && !pipe.has_input_ended && !pipe.is_reset
    }

    fn local_address(&self) -> Option<SocketAddr> {
        Some(self.0.borrow().local)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.borrow_mut().is_dropped = true;
    }
}

/// What becomes of connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Open,
    Refuses,
    Hangs,
    Unreachable,
    /// There is no descriptor here.
    Lacks,
}

pub const DOORS: [Door; 5] =
    [Door::Open, Door::Refuses, Door::Hangs, Door::Unreachable, Door::Lacks];

/// The way to the upstreams, with every connection to one so far.
pub struct Network {
    pub door: Door,
    pub links: Vec<Shared>,
}

impl Net for Network {
    type Socket = End;

    fn watch(&mut self, socket: &End, token: Token) -> Result<(), Cause> {
        socket.0.borrow_mut().token = Some(token);
        Ok(())
    }

    fn dial(
        &mut self,
        address: &Address,
        _: Option<SocketAddr>,
        token: Token,
    ) -> Result<End, DialFault> {
        let connect = match self.door {
            Door::Open => Connect::Soon(Ok(())),
            Door::Refuses => Connect::Soon(Err(CONNECTION_REFUSED)),
            Door::Hangs => Connect::Hangs,
            Door::Unreachable => return Err(DialFault::Peer(Cause(113))),
            Door::Lacks => return Err(DialFault::Own(Cause(24))),
        };
        let Address::Tcp(address) = address else { unreachable!("no site has a path") };
        let pipe = Pipe::new(*address, connect);
        pipe.borrow_mut().token = Some(token);
        self.links.push(Rc::clone(&pipe));
        Ok(End(pipe))
    }
}
