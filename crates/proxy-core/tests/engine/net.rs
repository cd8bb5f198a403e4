//! Connections in memory: one end is the engine's, the other the test's.
//!
//! They behave as the system's do: reports come once, an end comes after the bytes before it, and
//! closing while bytes lie unread resets the connection.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;

use proxy_core::net::{Cause, DialFault, Net, Read, Readiness, Socket, Token, Written};
use proxy_core::upstream::address::Address;

pub const REFUSED: Cause = Cause(111);
pub const RESET: Cause = Cause(104);
/// What a write comes to once the reset was told.
const PIPE: Cause = Cause(32);
pub const NO_DESCRIPTOR: Cause = Cause(24);

/// What the engine has done with its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// It still writes.
    #[default]
    Open,
    /// It has told that nothing more comes, and still reads.
    Ended,
    /// It has closed, and all that it wrote arrives.
    Closed,
    /// It is gone by a reset: what it wrote may be lost.
    Reset,
}

/// One connection.
#[derive(Default)]
pub struct Wire {
    pub token: Option<Token>,
    pub fate: Fate,
    /// Where a link was dialled to.
    pub address: Option<SocketAddr>,
    /// From the test, not read yet.
    to_engine: VecDeque<u8>,
    has_ended: bool,
    is_broken: bool,
    /// Why, until one call was told: what reads after it finds an end.
    fault: Option<Cause>,
    /// To the test.
    to_test: Vec<u8>,
    /// How many bytes more are taken from the engine.
    room: usize,
    connected: Option<Result<(), Cause>>,
    resets_when_dropped: bool,
    /// Its system tells at once that it has got what was written.
    acknowledges: bool,
    report: Readiness,
    /// How often its address was asked for: that costs a system call.
    pub addresses_asked: usize,
}

impl Wire {
    /// What the engine is to be told.
    pub fn take_report(&mut self) -> Option<(Token, Readiness)> {
        let report = std::mem::take(&mut self.report);
        Some((self.token?, report)).filter(|_| report != Readiness::default())
    }
}

/// The engine's end.
pub struct End {
    wire: Rc<RefCell<Wire>>,
    local: SocketAddr,
}

impl Socket for End {
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        let mut wire = self.wire.borrow_mut();
        let count = buffer.len().min(wire.to_engine.len());
        if count > 0 {
            for (place, byte) in buffer.iter_mut().zip(wire.to_engine.drain(..count)) {
                *place = byte;
            }
            return Read::Bytes(count);
        }
        match wire.fault.take() {
            Some(cause) => Read::Broken(cause),
            None if wire.has_ended || wire.is_broken => Read::End,
            None => Read::Nothing,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Written {
        let mut wire = self.wire.borrow_mut();
        assert_eq!(wire.fate, Fate::Open, "nothing is written behind an end");
        if wire.is_broken {
            return Written::Broken(wire.fault.take().unwrap_or(PIPE));
        }
        let count = bytes.len().min(wire.room);
        if count == 0 {
            return Written::Nothing;
        }
        wire.room -= count;
        wire.to_test.extend_from_slice(&bytes[..count]);
        Written::Bytes(count)
    }

    fn end_writing(&mut self) {
        let mut wire = self.wire.borrow_mut();
        assert_eq!(wire.fate, Fate::Open, "a stream ends once");
        wire.fate = Fate::Ended;
    }

    fn is_delivered(&mut self) -> bool {
        self.wire.borrow().acknowledges
    }

    fn reset_when_dropped(&mut self) {
        self.wire.borrow_mut().resets_when_dropped = true;
    }

    fn connect_result(&mut self) -> Result<(), Cause> {
        self.wire.borrow().connected.expect("asked for when it is known")
    }

    fn is_quiet(&mut self) -> bool {
        let wire = self.wire.borrow();
        wire.to_engine.is_empty() && !wire.has_ended && !wire.is_broken
    }

    fn local_address(&self) -> Option<SocketAddr> {
        self.wire.borrow_mut().addresses_asked += 1;
        Some(self.local)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut wire = self.wire.borrow_mut();
        let is_reset = wire.resets_when_dropped || !wire.to_engine.is_empty();
        wire.fate = if is_reset { Fate::Reset } else { Fate::Closed };
        wire.to_engine.clear();
        // The system forgets what is closed.
        wire.token = None;
    }
}

/// The test's end. It changes the connection only; the engine is told when the world goes on.
#[derive(Clone)]
pub struct Peer(pub Rc<RefCell<Wire>>);

impl Peer {
    /// A connection with room for whatever the engine writes.
    pub fn new(local: SocketAddr, is_connected: bool) -> (Peer, End) {
        let connected = is_connected.then_some(Ok(()));
        let wire = Wire { room: usize::MAX, connected, ..Wire::default() };
        let wire = Rc::new(RefCell::new(wire));
        (Peer(Rc::clone(&wire)), End { wire, local })
    }

    pub fn say(&self, bytes: impl AsRef<[u8]>) {
        let mut wire = self.0.borrow_mut();
        assert!(!wire.has_ended && !wire.is_broken, "nothing follows an end");
        if matches!(wire.fate, Fate::Open | Fate::Ended) {
            wire.to_engine.extend(bytes.as_ref());
            wire.report.readable = true;
        }
    }

    /// Ends its half.
    pub fn end(&self) {
        let mut wire = self.0.borrow_mut();
        wire.has_ended = true;
        (wire.report.readable, wire.report.ended) = (true, true);
    }

    /// Whether it has nothing more to say.
    pub fn has_ended(&self) -> bool {
        let wire = self.0.borrow();
        wire.has_ended || wire.is_broken
    }

    /// Breaks the connection off; what was said before can still be read.
    pub fn reset(&self) {
        let mut wire = self.0.borrow_mut();
        (wire.is_broken, wire.fault) = (true, Some(RESET));
        wire.report = Readiness { readable: true, writable: true, ended: true, broken: true };
    }

    /// Takes no more than so many bytes from now on.
    pub fn take(&self, bytes: usize) {
        let mut wire = self.0.borrow_mut();
        wire.report.writable = bytes > 0;
        wire.room = bytes;
    }

    /// From now on it is known that what is written has arrived.
    pub fn acknowledge(&self) {
        self.0.borrow_mut().acknowledges = true;
    }

    /// A connect that was begun comes to its end.
    pub fn connect(&self, result: Result<(), Cause>) {
        let mut wire = self.0.borrow_mut();
        wire.connected = Some(result);
        wire.report.writable = true;
        wire.report.broken = result.is_err();
    }

    /// What has come since it was last asked.
    pub fn heard(&self) -> String {
        String::from_utf8(self.heard_bytes()).unwrap()
    }

    /// The same where it is no text.
    pub fn heard_bytes(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().to_test)
    }

    /// Whether the engine is to be told of something.
    pub fn has_report(&self) -> bool {
        let wire = self.0.borrow();
        wire.token.is_some() && wire.report != Readiness::default()
    }

    pub fn fate(&self) -> Fate {
        self.0.borrow().fate
    }

    /// How many bytes the engine has left in the system's memory.
    pub fn unread(&self) -> usize {
        self.0.borrow().to_engine.len()
    }

    /// Where the engine dialled to.
    pub fn port(&self) -> u16 {
        self.0.borrow().address.map_or(0, |address| address.port())
    }
}

/// What comes of a connect.
#[derive(Debug, Clone, Copy)]
pub enum Dial {
    /// It is made.
    Connects,
    /// It is refused, a little later.
    Fails(Cause),
    /// It cannot even be begun.
    Cannot(DialFault),
    /// Nothing is heard of it.
    Hangs,
}

/// Makes connections as it was told to.
#[derive(Default)]
pub struct Pipes {
    /// By port; the others connect.
    pub rules: HashMap<u16, Dial>,
    /// Where each was to come from.
    pub came_from: Vec<Option<SocketAddr>>,
    /// All that were dialled.
    pub links: Vec<Peer>,
    /// Why no socket can be watched.
    pub watch_fault: Option<Cause>,
}

impl Net for Pipes {
    type Socket = End;

    fn watch(&mut self, socket: &End, token: Token) -> Result<(), Cause> {
        match self.watch_fault {
            Some(cause) => Err(cause),
            None => {
                socket.wire.borrow_mut().token = Some(token);
                Ok(())
            }
        }
    }

    fn dial(
        &mut self,
        address: &Address,
        from: Option<SocketAddr>,
        token: Token,
    ) -> Result<End, DialFault> {
        self.came_from.push(from);
        let Address::Tcp(address) = address else { panic!("no test has a path") };
        let rule = self.rules.get(&address.port()).copied().unwrap_or(Dial::Connects);
        if let Dial::Cannot(fault) = rule {
            return Err(fault);
        }
        let (peer, end) = Peer::new(SocketAddr::from(([127, 0, 0, 1], 1)), false);
        (peer.0.borrow_mut().token, peer.0.borrow_mut().address) = (Some(token), Some(*address));
        match rule {
            Dial::Connects => peer.connect(Ok(())),
            Dial::Fails(cause) => peer.connect(Err(cause)),
            Dial::Cannot(_) | Dial::Hangs => {}
        }
        self.links.push(peer);
        Ok(end)
    }
}
