//! One connection of the simulated network: its two ways, its two ends, and what is noted of it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use proxy_core::net::{Readiness, Token};

pub type Millis = u64;

/// The two ends of a connection, by which its two ways are named too: a way is its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    Actor,
    Proxy,
}

impl Party {
    pub fn other(self) -> Party {
        match self {
            Party::Actor => Party::Proxy,
            Party::Proxy => Party::Actor,
        }
    }
}

/// What is on its way.
#[derive(Debug)]
pub enum Packet {
    Data(Vec<u8>),
    Fin,
    Reset,
}

/// One direction.
#[derive(Default)]
pub struct Way {
    pub flight: VecDeque<(Millis, Packet)>,
    pub flight_bytes: usize,
    pub arrived: VecDeque<u8>,
    pub arrived_bytes: u64,
    pub room_max: usize,
    pub sent: u64,
    pub taken: u64,
    /// The sender has ended it; the receiver has got all and the end.
    pub is_ended: bool,
    pub has_end: bool,
    pub last_due: Millis,
}

impl Way {
    pub fn room(&self) -> usize {
        self.room_max.saturating_sub(self.flight_bytes + self.arrived.len())
    }
}

#[derive(Default)]
/// One end of a connection.
pub struct End {
    pub closed: Option<Millis>,
    /// When the other end was told first that nothing more comes.
    pub ended: Option<Millis>,
    pub error: Option<i32>,
    /// A reset has come or gone.
    pub is_gone: bool,
    pub resets_on_close: bool,
    pub wants_room: bool,
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    Refused(i32),
    Queued,
    Open,
}

/// What the proxy's end of a connection saw and did.
#[derive(Default)]
pub struct Seen {
    /// After each read: bytes taken in all, when, and the generation in force.
    pub reads: Vec<(u64, Millis, usize)>,
    /// After each write: bytes sent in all, when, and how much had moved in the world before.
    pub writes: Vec<(u64, Millis, u64)>,
    pub read_end: bool,
    pub broke: bool,
    /// What the proxy had sent when the peer's end was there, and when that was reported.
    pub sent_at_end: Option<u64>,
    pub sent_at_end_report: Option<u64>,
    /// Bytes of the peer from here on were not asked for.
    pub unasked_from: Option<u64>,
    pub sent_at_unasked: Option<u64>,
    pub sent_at_unasked_report: Option<u64>,
    /// There was no room for something that was to be written.
    pub was_blocked: bool,
    /// The proxy has reset it.
    pub has_reset: bool,
}

/// A connection.
pub struct Conn {
    pub stage: Stage,
    /// The client's address, and the one it connected to; of an upstream's only the latter counts.
    pub remote: SocketAddr,
    pub local: SocketAddr,
    pub is_client: bool,
    pub worker: usize,
    pub seen: Seen,
    pub ways: [Way; 2],
    pub ends: [End; 2],
    pub watch: Option<Token>,
    pub is_pending: bool,
    pub latency: (Millis, Millis),
    /// When its actor is woken next.
    pub wakes: Option<Millis>,
}

impl Conn {
    /// When an end was closed.
    pub fn closed(&self, party: Party) -> Option<Millis> {
        self.ends[party as usize].closed
    }

    /// When the party told first that nothing more comes of it.
    pub fn ended(&self, party: Party) -> Option<Millis> {
        self.ends[party as usize].ended
    }

    pub fn is_gone(&self, party: Party) -> bool {
        self.ends[party as usize].is_gone
    }

    /// Bytes that the party has written.
    pub fn sent(&self, party: Party) -> u64 {
        self.ways[party as usize].sent
    }

    /// Bytes of the sender that the other end has read.
    pub fn taken(&self, sender: Party) -> u64 {
        self.ways[sender as usize].taken
    }

    /// Whether the sender has ended its way.
    pub fn has_ended(&self, sender: Party) -> bool {
        self.ways[sender as usize].is_ended
    }

    /// Whether the connection is watched.
    pub fn was_watched(&self) -> bool {
        self.watch.is_some()
    }

    /// What epoll would say of the proxy's end now.
    pub fn mask(&self) -> Readiness {
        let (input, output) = (&self.ways[0], &self.ways[1]);
        let end = &self.ends[Party::Proxy as usize];
        if self.stage == Stage::Connecting {
            return Readiness::default();
        }
        let ended = input.has_end || end.is_gone || end.error.is_some();
        let both = input.has_end && output.is_ended;
        Readiness {
            readable: ended || !input.arrived.is_empty(),
            writable: output.room() * 3 >= output.room_max || end.is_gone || both,
            ended,
            broken: end.error.is_some(),
        }
    }
}
