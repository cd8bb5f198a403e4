//! The upstream's side: whose turn it is, which connections are idle, one attempt after another,
//! and the wire.

pub mod call;
pub mod h1;
pub mod link;
pub mod peers;
pub mod pool;
pub mod replay;
pub mod wire;
