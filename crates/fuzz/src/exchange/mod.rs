//! The engine, driven by a list of operations over connections in memory.
//!
//! ```text
//! input     = site [ "q" ] *( 0x1e operation )
//! operation = letter [ "+" ] [ digit ] rest
//! ```
//! `site` is a digit, see [`site`]. With `q` the end is quiet: nobody closes anything, and
//! deadlines alone end all there is. With `+` the operation is of one turn with the next one. The
//! digit says which client, upstream connection, listener or other thing of a list is meant.
//!
//! | letter | what happens |
//! |---|---|
//! | `C` | a client connects to a listener |
//! | `c` `u` | a client, an upstream says `rest` |
//! | `e` `f` | a client, an upstream ends its stream |
//! | `k` `z` | a client, an upstream closes: what is written to it is answered by a reset |
//! | `r` `x` | a client, an upstream resets |
//! | `w` `v` | a client, an upstream takes no more than so many bytes until it takes some again |
//! | `d` | what becomes of connects from now on |
//! | `t` | time passes |
//! | `l` | a reload to another site |
//! | `D` `F` | drain; no more connections come |

mod network;
mod oracle;
mod site;
#[cfg(test)]
mod tests;
mod world;

use world::{Record, World};

const SEPARATOR: u8 = 0x1e;
/// Operations beyond these are left out, so that no input takes long.
const OPERATIONS_MAX: usize = 64;

/// Drives an engine as `data` says, then lets all of it end. Nothing may panic, hang or be left;
/// what each side got must follow from what the other side said.
pub fn exchange(data: &[u8]) {
    oracle::check(&run(data));
}

fn run(data: &[u8]) -> Record {
    let mut parts = data.split(|byte| *byte == SEPARATOR);
    let first = parts.next().unwrap_or_default();
    let mut world = World::new(digit(first.first()));
    for part in parts.take(OPERATIONS_MAX) {
        let Some((letter, rest)) = part.split_first() else { continue };
        let (holds, rest) = match rest {
            [b'+', rest @ ..] => (true, rest),
            _ => (false, rest),
        };
        world.operate(*letter, digit(rest.first()), rest.get(1..).unwrap_or_default());
        if !holds {
            world.turn();
        }
    }
    world.end(first.get(1) == Some(&b'q'));
    world.into_record()
}

/// Any byte is a digit; those that are written as one are themselves.
fn digit(byte: Option<&u8>) -> usize {
    byte.map_or(0, |byte| usize::from(byte.wrapping_sub(b'0')))
}
