//! Who makes the answer: the proxy itself here; an upstream by a call.

pub mod own;

#[cfg(test)]
mod tests;
