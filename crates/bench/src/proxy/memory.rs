//! Owns the memory cases: what a proxy holds while its connections do nothing.

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use super::{BOTH, Bench, Conf};
use crate::procfs::{self, Memory};
use crate::report::Figures;
use crate::stats::{Side, interleave};
use crate::{Fault, beside, http};

/// Rounds of these cases, whose figures hardly vary.
const ROUNDS: u32 = 3;
/// Rest before memory is read, in which a program may give back what a burst took.
const SETTLE: Duration = Duration::from_secs(1);

impl Bench<'_> {
    /// PSS while `connections` that have each made a request do nothing.
    pub(super) fn memory(&self, conf: Conf, connections: usize) -> Result<Vec<Figures>, Fault> {
        let rounds = interleave(&BOTH, ROUNDS, |side, _| {
            let proxy = self.serve(side, conf)?;
            let held = hold(proxy.address, connections)?;
            thread::sleep(SETTLE);
            let megabytes = procfs::megabytes(proxy.program.pid(), Memory::Proportional)?;
            drop(held);
            Ok(megabytes)
        })?;
        Ok(vec![beside("PSS, MB", &rounds, Side::Peer, |megabytes| *megabytes)?])
    }
}

/// Opens `count` connections and makes one request on each.
fn hold(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>, Fault> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = http::connect(address)?;
        http::get(&mut stream)?;
        held.push(stream);
    }
    Ok(held)
}
