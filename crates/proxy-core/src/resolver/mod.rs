//! Names that requests bring, asked of the name servers that the file names (nginx: `resolver`).
//!
//! Owns: questions and answers as bytes, whom to ask when, and what is known for how long. It has
//! no socket: who has one does what [`lookup::Lookup`] says.

pub mod lookup;
pub mod names;
pub mod wire;
