//! What is known of names, for as long as it holds, and who waits for those that are looked up.

use std::collections::HashMap;
use std::net::IpAddr;

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
    names: HashMap<String, Name<W>>,
    /// How many of them are looked up.
    asked: usize,
    turn: usize,
}

#[derive(Debug)]
enum Name<W> {
    Known { addresses: Vec<IpAddr>, until_ms: Millis },
    Asked(Vec<W>),
}

impl<W> Default for Names<W> {
    fn default() -> Self {
        Names { names: HashMap::new(), asked: 0, turn: 0 }
    }
}

impl<W> Names<W> {
    /// Somebody asks for a name, which has no upper-case letters.
    pub fn ask(&mut self, name: &str, who: W, now: Millis) -> Asked<W> {
        match self.names.get_mut(name) {
            Some(Name::Known { addresses, until_ms }) if *until_ms > now => {
                self.turn = self.turn.wrapping_add(1);
                return Asked::Known(rotated(addresses, self.turn));
            }
            Some(Name::Asked(waiting)) => {
                waiting.push(who);
                return Asked::Waits;
            }
            _ => {}
        }
        if self.asked >= ASKED_MAX {
            return Asked::Full(who);
        }
        self.asked += 1;
        self.names.insert(name.to_owned(), Name::Asked(vec![who]));
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
        let Some(Name::Asked(waiting)) = self.names.remove(name) else { return Vec::new() };
        self.asked -= 1;
        if let Ok(found) = outcome {
            self.make_room();
            let for_ms = valid_ms.unwrap_or(u64::from(found.seconds).saturating_mul(1_000));
            let until_ms = now.saturating_add(for_ms);
            let known = Name::Known { addresses: found.addresses.clone(), until_ms };
            self.names.insert(name.to_owned(), known);
        }
        debug_assert!(self.asked <= ASKED_MAX && self.names.len() - self.asked <= KNOWN_MAX);
        waiting
    }

    /// What holds for the shortest, or no more, gives way.
    fn make_room(&mut self) {
        if self.names.len() - self.asked < KNOWN_MAX {
            return;
        }
        let until = |name: &Name<W>| match name {
            Name::Known { until_ms, .. } => *until_ms,
            Name::Asked(_) => Millis::MAX,
        };
        let first = self.names.iter().min_by_key(|(_, name)| until(name));
        if let Some(first) = first.map(|(name, _)| name.clone()) {
            self.names.remove(&first);
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
        assert_eq!(names.names.len(), KNOWN_MAX);
        assert!(names.names.contains_key("n2999") && !names.names.contains_key("n0"));
        for number in 0..ASKED_MAX as u32 {
            assert_eq!(names.ask(&format!("m{number}"), number, 0), Asked::LookUp);
        }
        assert_eq!(names.ask("more", 7, 0), Asked::Full(7));
        assert_eq!(names.ask("m0", 8, 0), Asked::Waits);
    }
}
