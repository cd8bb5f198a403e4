//! Who makes the answer: the proxy itself here, by its own words or out of files; an upstream by a
//! call.

pub mod file;
mod listing;
pub mod own;
pub mod packed;
pub mod precondition;
pub mod range;

#[cfg(test)]
mod tests;
