//! The upstream's side: whose turn it is, which connections are idle, one attempt after another,
//! and the wire.

pub mod address;
mod attempts;
pub mod balance;
pub mod call;
pub mod fastcgi;
pub mod h1;
pub mod link;
pub mod peers;
pub mod points;
pub mod pool;
pub mod replay;
pub mod wire;

use http1::BodyLength;

use crate::config::model::ProxyPass;
use crate::variables::View;

/// Writes the head of a request as its upstream understands it. `body` is what follows it.
pub fn push_request(view: &View<'_>, pass: &ProxyPass, body: BodyLength, out: &mut Vec<u8>) {
    match pass.fastcgi() {
        Some(to) => fastcgi::push_request(view, (pass, to), body, out),
        None => h1::push_request(view, pass, body, out),
    }
}
