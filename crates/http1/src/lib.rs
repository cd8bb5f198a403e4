//! HTTP/1.1 on the wire: parse a head, follow a body's framing, write both again.
//!
//! In scope: request and response heads under limits, the body length they declare (RFC 9112
//! §6.3), chunked coding both ways, persistence, hop-by-hop fields, request targets, the path as
//! nginx normalises and escapes it, dates.
//!
//! Out of scope: sockets, clocks, files, configuration, routing, TLS, HTTP/2, content codings.
//! Nothing here blocks, and nothing allocates but into vectors that the caller owns and reuses;
//! the one exception are heads whose Connection fields nominate others.
//!
//! Strict with clients, whose bytes others may read in another way; tolerant with upstreams as
//! nginx is, where the meaning is plain, for what they send is written anew.
//!
//! Every reader has three answers, never two: done, more bytes are needed, or rejected with the
//! broken rule. A verdict on some bytes never changes when more bytes follow them: what is
//! rejected stays rejected for the same reason, and a byte that cannot stand where it does is
//! rejected when it is seen, not when the message is complete. All framing decisions are made
//! while the head is parsed, so a head that is `Done` has exactly one possible body length.
//!
//! ```
//! use http1::{BodyReader, Limits, Parsed, RequestHead, parse_request};
//!
//! let input = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
//! let mut head = RequestHead::new();
//! let Parsed::Done { used, .. } = parse_request(input, &Limits::default(), &mut head) else {
//!     panic!("a good request");
//! };
//! assert_eq!(head.target.of(input), b"/x");
//! let mut body = BodyReader::new(head.body);
//! let part = body.read(&input[used..]).unwrap();
//! assert_eq!((part.data, body.is_done()), (&b"hello"[..], true));
//! ```

#![no_std]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

extern crate alloc;

mod body;
mod cgi;
mod connection;
mod date;
mod emit;
mod field;
mod framing;
mod grammar;
mod head;
mod line;
pub mod path;
mod reject;
mod request;
mod response;
mod scan;
pub mod target;

pub use body::{BodyPart, BodyReader, BodyWriter};
pub use cgi::parse_cgi_response;
pub use connection::Connection;
pub use date::{civil, imf_fixdate, parse_date};
pub use emit::{
    push_chunk_start, push_decimal, push_end, push_field, push_request_line, push_status_line,
    reason,
};
pub use field::{Field, FieldClass, Span, find};
pub use framing::BodyLength;
pub use grammar::{Version, is_token};
pub use head::{Limits, Parsed};
pub use reject::Reject;
pub use request::{RequestHead, is_empty_lines, parse_request};
pub use response::{ResponseHead, parse_response};
pub use scan::is_plain_value;
