//! What a load balancer says before the first request of a connection.

use std::rc::Rc;

use super::{Client, Engine, Step};
use crate::canary::{Canary, is_planted};
use crate::config::model::{ErrorLevel, Notice};
use crate::connection::State;
use crate::net::{Net, Read};
use crate::proxy_protocol::{HEADER_BYTES_MAX, Header, read};

/// Bytes of a broken header that are told.
const SHOWN_BYTES_MAX: usize = 60;

impl<N: Net> Engine<N> {
    /// Reads the header of the PROXY protocol. nginx wants it whole in one read; here it may come in
    /// pieces. Without one the connection is closed: nobody may say who a client is by leaving it out.
    pub(super) fn step_preface(&mut self, client: &mut Client<N>) -> Step {
        let State::Preface { until_ms } = client.state else { return Step::Close };
        let room = self.buffers.scratch.get_mut(..HEADER_BYTES_MAX).unwrap_or_default();
        match client.stream.read(room) {
            Read::Nothing => return Step::Wait,
            Read::End | Read::Broken(_) => return Step::Close,
            Read::Bytes(count) => {
                client.stream.unread.extend_from_slice(room.get(..count).unwrap_or_default());
            }
        }
        match read(&client.stream.unread) {
            Header::NeedMore => Step::Progress,
            Header::Done(used, told) => {
                client.info.proxied = told.map(Rc::new);
                client.stream.use_unread(used);
                client.state = State::Idle { until_ms };
                Step::Progress
            }
            Header::Broken if is_planted(Canary::PrefaceSkipped) => {
                client.state = State::Idle { until_ms };
                Step::Progress
            }
            Header::Broken => {
                self.tell_broken(client);
                Step::Close
            }
        }
    }

    fn tell_broken(&mut self, client: &Client<N>) {
        self.output.counters.rejected += 1;
        let unread = &client.stream.unread;
        let shown = unread.get(..unread.len().min(SHOWN_BYTES_MAX)).unwrap_or_default();
        let text = format!(
            "broken header: {:?} while reading PROXY protocol, client: {}, server: {}",
            String::from_utf8_lossy(shown),
            client.info.remote.ip().to_canonical(),
            client.info.local,
        );
        let server = client.at.server(client.at.default_place());
        let logs = server.fallback.logs.errors.clone();
        self.output.notices.push(Notice { level: ErrorLevel::Error, text, logs });
    }
}
