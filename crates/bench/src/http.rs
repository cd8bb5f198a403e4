//! Owns the few requests this program makes one at a time: waiting for the first 200 and holding
//! connections open. Load is `load.rs`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Fault;
use crate::answer::{Answer, LastHead, Whole};

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// Sends `GET /` on `stream` and reads the whole answer, so that the connection is idle after.
///
/// # Errors
/// If the connection breaks, or the answer is not a 200 with a `Content-Length`.
pub(crate) fn get(stream: &mut TcpStream) -> Result<(), Fault> {
    let broken = |error| Fault::new(format!("no answer: {error}"));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n").map_err(broken)?;
    let (mut answer, mut last) = (Answer::default(), LastHead::default());
    let mut chunk = [0; 1024];
    loop {
        let count = stream.read(&mut chunk).map_err(broken)?;
        if count == 0 {
            return Err(Fault::new("connection closed before the end of the answer"));
        }
        match answer.take(chunk.get(..count).unwrap_or_default(), &mut last)? {
            Some(Whole { status: 200, .. }) => return Ok(()),
            Some(other) => return Err(Fault::new(format!("the answer was {}", other.status))),
            None => {}
        }
    }
}

/// Connects to `address`, with the time limits of this program.
///
/// # Errors
/// If nobody listens there.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream, Fault> {
    let stream = TcpStream::connect(address);
    let set = stream.and_then(|stream| {
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    set.map_err(|error| Fault::new(format!("cannot connect to {address}: {error}")))
}

/// Tries in a tight loop until `address` has answered 200, at most until `deadline`.
///
/// # Errors
/// The last attempt's fault, once the time is over.
pub(crate) fn first_answer(address: SocketAddr, deadline: Instant) -> Result<(), Fault> {
    loop {
        match connect(address).and_then(|mut stream| get(&mut stream)) {
            Ok(()) => return Ok(()),
            Err(fault) if Instant::now() >= deadline => return Err(fault),
            Err(_) => {}
        }
    }
}
