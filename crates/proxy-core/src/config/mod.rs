//! What the configuration means: the tree of directives made into plain data, and the choices
//! that are made by it for every request.
//!
//! Owns nginx's rules of inheritance and choice. Must not read a file or ask a name server.

pub mod address;
pub mod expires;
mod lookup;
pub mod lower;
pub mod model;
pub mod network;
pub mod pattern;
pub mod prefixes;
mod template;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod url;
mod variable;
