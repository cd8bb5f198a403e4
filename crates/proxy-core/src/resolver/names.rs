//! What is known of names, for as long as it holds, and who waits for those that are looked up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::lookup::Found;
use super::wire::NameFault;
use crate::clock::Millis;

/// Names that are known at a time; the one that holds for the shortest gives way.
const KNOWN_MAX: usize = 1_000;
/// Names that are looked up at a time.
const ASKED_MAX: usize = 256;

/// What becomes of somebody who asks for a name.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked<W> {
    /// It is known; each who asks gets another one first.
    Known(Vec<IpAddr>),
    /// It is being looked up, and is told to whoever asked.
    Waits,
    /// It is to be looked up, and is told then.
    LookUp,
    /// Too many are looked up.
    Full(W),
}

/// The names of one resolver; `W` is who asks.
#[derive(Debug)]
pub struct Names<W> {
    known: HashMap<String, Known>,
    asked: HashMap<String, Vec<W>>,
    turn: usize,
}

#[derive(Debug)]
struct Known {
    addresses: Arc<[IpAddr]>,
    until_ms: Millis,
}

impl<W> Default for Names<W> {
    fn default() -> Self {
        Names { known: HashMap::new(), asked: HashMap::new(), turn: 0 }
    }
}

impl<W> Names<W> {
    /// Somebody asks for a name, which has no upper-case letters.
    pub fn ask(&mut self, name: &str, who: W, now: Millis) -> Asked<W> {
        if let Some(known) = self.known.get(name).filter(|known| known.until_ms > now) {
            self.turn = self.turn.wrapping_add(1);
            return Asked::Known(rotated(&known.addresses, self.turn));
        }
        if let Some(waiting) = self.asked.get_mut(name) {
            waiting.push(who);
            return Asked::Waits;
        }
        if self.asked.len() >= ASKED_MAX {
            return Asked::Full(who);
        }
        self.asked.insert(name.to_owned(), vec![who]);
        Asked::LookUp
    }

    /// A look-up is over: who has asked for the name. It holds for as long as its answer says, or
    /// `valid_ms`.
    pub fn told(
        &mut self,
        name: &str,
        outcome: &Result<Found, NameFault>,
        valid_ms: Option<Millis>,
        now: Millis,
    ) -> Vec<W> {
        self.known.remove(name);
        if let Ok(found) = outcome {
            self.make_room(now);
            let for_ms = valid_ms.unwrap_or(u64::from(found.seconds).saturating_mul(1_000));
            let until_ms = now.saturating_add(for_ms);
            let addresses = found.addresses.as_slice().into();
            self.known.insert(name.to_owned(), Known { addresses, until_ms });
        }
        debug_assert!(self.known.len() <= KNOWN_MAX && self.asked.len() <= ASKED_MAX);
        self.asked.remove(name).unwrap_or_default()
    }

    fn make_room(&mut self, now: Millis) {
        if self.known.len() < KNOWN_MAX {
            return;
        }
        self.known.retain(|_, known| known.until_ms > now);
        if self.known.len() >= KNOWN_MAX
            && let Some(first) = self.known.iter().min_by_key(|(_, known)| known.until_ms)
        {
            let first = first.0.clone();
            self.known.remove(&first);
        }
    }
}

/// The addresses, another one first each time.
fn rotated(addresses: &[IpAddr], turn: usize) -> Vec<IpAddr> {
    let (before, behind) = addresses.split_at(turn % addresses.len().max(1));
    [behind, before].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(seconds: u32) -> Result<Found, NameFault> {
        let addresses = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap()).to_vec();
        Ok(Found { addresses, seconds })
    }

    #[test]
    fn who_asks_for_one_name_at_a_time_is_told_by_one_look_up() {
        let mut names = Names::default();
        assert_eq!(names.ask("a", 1, 0), Asked::LookUp);
        assert_eq!(names.ask("a", 2, 1), Asked::Waits);
        assert_eq!(names.ask("b", 3, 1), Asked::LookUp);
        assert_eq!(names.told("a", &found(5), None, 10), [1, 2]);
        assert!(matches!(names.ask("a", 4, 5_009), Asked::Known(_)));
        assert_eq!(names.ask("a", 4, 5_010), Asked::LookUp);
        assert_eq!(names.told("b", &Err(NameFault::NotFound), None, 10), [3]);
        assert_eq!(names.ask("b", 5, 11), Asked::LookUp, "what is not found is not remembered");
    }

    #[test]
    fn the_file_may_say_how_long_a_name_holds() {
        let mut names = Names::default();
        names.ask("a", 1, 0);
        names.told("a", &found(500), Some(10), 0);
        assert!(matches!(names.ask("a", 1, 9), Asked::Known(_)));
        assert_eq!(names.ask("a", 1, 10), Asked::LookUp);
    }

    #[test]
    fn each_address_comes_first_in_its_turn() {
        let mut names = Names::default();
        names.ask("a", 1, 0);
        names.told("a", &found(5), None, 0);
        let mut first = || match names.ask("a", 1, 1) {
            Asked::Known(addresses) => (addresses[0], addresses.len()),
            other => panic!("{other:?}"),
        };
        let [one, two, three] = [first(), first(), first()];
        assert!(one != two && one == three && one.1 == 2);
    }

    #[test]
    fn names_are_bounded_in_number() {
        let mut names = Names::default();
        for number in 0..3_000_u32 {
            let name = format!("n{number}");
            assert_eq!(names.ask(&name, number, 0), Asked::LookUp);
            assert_eq!(names.told(&name, &found(10 + number), None, 0), [number]);
        }
        assert_eq!(names.known.len(), KNOWN_MAX);
        assert!(names.known.contains_key("n2999") && !names.known.contains_key("n0"));
        for number in 0..ASKED_MAX as u32 {
            assert_eq!(names.ask(&format!("m{number}"), number, 0), Asked::LookUp);
        }
        assert_eq!(names.ask("more", 7, 0), Asked::Full(7));
        assert_eq!(names.ask("m0", 8, 0), Asked::Waits);
    }
}
