//! What applications answer: bytes made from tables, each with a name that says what is odd.

mod bodies;
mod heads;
mod statuses;

use crate::lane::{Reply, Then};

/// An application's answer.
pub struct Case {
    pub name: String,
    bytes: Vec<u8>,
    then: Then,
    /// To HEAD it sends only so much of it, and what is left when the next request has come.
    head_bytes: Option<usize>,
}

impl Case {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>, then: Then) -> Case {
        Case { name: name.into(), bytes: bytes.into(), then, head_bytes: None }
    }

    pub fn reply(&self, to_head: bool) -> Reply {
        let (bytes, late) = match self.head_bytes {
            Some(at) if to_head => self.bytes.split_at(at),
            _ => (self.bytes.as_slice(), b"".as_slice()),
        };
        Reply { bytes: bytes.to_vec(), then: self.then, before_next: late.to_vec() }
    }
}

/// Every answer, always the same.
pub fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    statuses::add(&mut cases);
    heads::add(&mut cases);
    bodies::add(&mut cases);
    cases
}

/// An answer of 200 with these fields, each with its line end, and two bytes of body.
fn ok_with(fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok").into_bytes()
}
