//! Owns the few requests this program makes itself: waiting for the first 200 and holding
//! connections open. A client for a known, well-behaved answer; not one for general use.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::Fault;

/// How long one answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Longest answer expected; the upstream's is some hundred bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Sends `GET /` on `stream` and reads the whole answer, so that the connection is idle after.
///
/// # Errors
/// If the connection breaks, or the answer is not a 200 with a `Content-Length`.
pub(crate) fn get(stream: &mut TcpStream) -> Result<(), Fault> {
    let broken = |error| Fault::new(format!("no answer: {error}"));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: bench.example\r\n\r\n").map_err(broken)?;
    let mut answer = Vec::new();
    let mut chunk = [0; 1024];
    while answer.len() < ANSWER_BYTES_MAX {
        let count = stream.read(&mut chunk).map_err(broken)?;
        if count == 0 {
            return Err(Fault::new("connection closed before the end of the answer"));
        }
        answer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        match judge(&answer) {
            Progress::Done => return Ok(()),
            Progress::NeedMore => {}
            Progress::Refused(why) => return Err(Fault::new(why)),
        }
    }
    Err(Fault::new("the answer is longer than the upstream's"))
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

#[derive(Debug, PartialEq)]
enum Progress {
    Done,
    NeedMore,
    Refused(String),
}

/// Whether `answer` is a whole 200.
fn judge(answer: &[u8]) -> Progress {
    let Some(head_len) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Progress::NeedMore;
    };
    let head = String::from_utf8_lossy(answer.get(..head_len).unwrap_or_default()).to_lowercase();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("http/1.1 200 ") {
        return Progress::Refused(format!("the answer was \"{status}\" in place of a 200"));
    }
    let length = lines.find_map(|line| line.strip_prefix("content-length:"));
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        Some(length) if answer.len() < head_len + 4 + length => Progress::NeedMore,
        Some(_) => Progress::Done,
        None => Progress::Refused("the answer has no Content-Length".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nHello";

    #[test]
    fn answer_is_done_at_its_last_byte_and_not_before() {
        for len in 0..WHOLE.len() {
            assert_eq!(judge(&WHOLE[..len]), Progress::NeedMore, "{len}");
        }
        assert_eq!(judge(WHOLE), Progress::Done);
    }

    #[test]
    fn answer_other_than_200_or_without_length_is_refused() {
        let check =
            |answer: &str| assert!(matches!(judge(answer.as_bytes()), Progress::Refused(_)));
        check("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        check("HTTP/1.1 2000 OK\r\n\r\n");
        check("HTTP/1.1 200 OK\r\n\r\n");
    }
}
