//! A client's connection between and within requests.

use crate::clock::{Millis, Moment};
use crate::exchange::Exchange;
use crate::generation::At;
use crate::listeners::ListenerId;
use crate::net::Socket;
use crate::request::ClientInfo;
use crate::slab::Key;
use crate::stream::Stream;
use crate::upstream::link::Link;

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for the PROXY protocol's header, until then.
    Preface {
        /// When it is closed if that does not come.
        until_ms: Millis,
    },
    /// It waits for a request, until then.
    Idle {
        /// When it is closed if nothing comes.
        until_ms: Millis,
    },
    /// A part of a head is here.
    Head {
        /// When its first byte came.
        begun: Moment,
    },
    /// An exchange is going on.
    Active,
    /// All is sent and our side is ended; what the client still sends is read away, so that no
    /// reset overtakes the answer (nginx: `lingering_close`).
    Lingering {
        /// The end of it whatever comes (nginx: `lingering_time`).
        until_ms: Millis,
        /// The end of it if nothing comes.
        quiet_ms: Millis,
        /// nginx: `lingering_timeout`.
        timeout_ms: Millis,
    },
}

/// Whose a connection is: a subrequest has one to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kin {
    /// A client's.
    #[default]
    Client,
    /// A client's, whose answer has a part that this one gets.
    Whole {
        /// That one.
        part: Key,
    },
    /// A part's.
    Part {
        /// Whose answer it is for.
        of: Key,
    },
    /// A mirror's.
    Mirror {
        /// What it holds of its request.
        held_bytes: usize,
    },
}

/// A client's connection.
pub struct Connection<S> {
    /// Its place among the clients.
    pub key: Key,
    /// The bytes.
    pub stream: Stream<S>,
    /// Who it is.
    pub info: ClientInfo,
    /// Whether `info.local` is the address of the connection and not that of its listener.
    pub is_local_known: bool,
    /// The socket that it came by.
    pub listener: ListenerId,
    /// The configuration of its next request, as far as is known.
    pub at: At,
    /// Where it is.
    pub state: State,
    /// When it began to wait, or its head to come.
    pub since_ms: Millis,
    /// Bytes of a head under way that count against the budget.
    pub head_bytes: usize,
    /// Whose it is.
    pub kin: Kin,
    /// What goes on.
    pub exchange: Option<Box<Exchange>>,
    /// The upstream connection of the exchange.
    pub link: Option<Box<Link<S>>>,
}

impl<S: Socket> Connection<S> {
    /// Finds out which address of this host the client connected to, unless that is known: it
    /// costs a system call.
    pub fn know_local_address(&mut self) {
        if !std::mem::replace(&mut self.is_local_known, true)
            && let Some(local) = self.stream.socket().and_then(|socket| socket.local_address())
        {
            self.info.local = local;
        }
    }
}

impl<S> Connection<S> {
    /// Whether its parts fit its state: what is asserted whenever it is put back in its place.
    pub fn is_sound(&self) -> bool {
        let is_active = self.state == State::Active;
        let is_head = matches!(self.state, State::Head { .. });
        self.exchange.is_some() == is_active
            && (self.link.is_none() || is_active)
            && (self.head_bytes == 0 || is_head)
            && (self.kin == Kin::Client || is_active)
    }

    /// When something must happen at the latest.
    pub fn deadline(&self) -> Option<Millis> {
        match self.state {
            State::Preface { until_ms } | State::Idle { until_ms } => Some(until_ms),
            State::Head { begun } => {
                let server = self.at.server(self.at.default_place());
                Some(begun.ms.saturating_add(server.client.header_timeout_ms))
            }
            State::Active => self.exchange.as_ref().and_then(|exchange| exchange.deadline()),
            State::Lingering { until_ms, quiet_ms, .. } => Some(until_ms.min(quiet_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::Slab;
    use crate::test_case::{client, server};
    use crate::test_socket::Mute;

    fn connection(state: State) -> Connection<Mute> {
        Connection {
            key: Slab::<u8>::new().reserve(),
            stream: Stream::new(Mute, true),
            info: client(),
            is_local_known: false,
            listener: ListenerId::from_u64(0),
            at: server("client_header_timeout 3s; return 200;"),
            state,
            since_ms: 0,
            head_bytes: 0,
            kin: Kin::Client,
            exchange: None,
            link: None,
        }
    }

    #[test]
    fn each_state_has_its_deadline() {
        let begun = Moment { ms: 500, unix_ms: 0 };
        let lingering =
            |quiet_ms| State::Lingering { until_ms: 9_000, quiet_ms, timeout_ms: 1_000 };
        for (state, expected) in [
            (State::Preface { until_ms: 6 }, Some(6)),
            (State::Idle { until_ms: 7 }, Some(7)),
            (State::Head { begun }, Some(3_500)),
            (State::Active, None),
            (lingering(2_000), Some(2_000)),
            (lingering(10_000), Some(9_000)),
        ] {
            assert_eq!(connection(state).deadline(), expected, "{state:?}");
        }
    }

    #[test]
    fn a_connections_parts_fit_its_state() {
        let idle = State::Idle { until_ms: 7 };
        assert!(connection(idle).is_sound());
        assert!(!connection(State::Active).is_sound(), "an exchange is missing");
        let mut waits = connection(idle);
        waits.head_bytes = 5;
        assert!(!waits.is_sound(), "no head is under way");
        waits.state = State::Head { begun: Moment::default() };
        assert!(waits.is_sound());
        let (at, info) = (waits.at.clone(), waits.info.clone());
        waits.exchange = Some(Box::new(Exchange::new(at, info)));
        assert!(!waits.is_sound(), "nothing is asked yet");
    }

    #[test]
    fn a_connection_asks_for_its_address_once() {
        let mut one = connection(State::Active);
        let told = one.info.local;
        one.know_local_address();
        // The socket does not know it: what the listener has stays.
        assert_eq!((one.info.local, one.is_local_known), (told, true));
    }
}
