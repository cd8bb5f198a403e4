//! Owns what is said about a row of measured numbers: median, range, and the order in which two
//! programs take turns. Pure; it measures nothing itself.

use std::fmt;

use crate::Fault;

/// Which program a measurement is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// The program of this kit.
    Ours,
    /// The program it stands in place of.
    Peer,
    /// The program of this kit as it was before a change.
    Before,
    /// The program of this kit without what a case is about.
    Plain,
    /// The bare relay, which does a proxy's system calls and nothing else.
    Relay,
}

/// Middle and ends of a row of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Middle value; the mean of the two middle ones for an even count.
    pub(crate) median: f64,
    /// Smallest value.
    pub(crate) least: f64,
    /// Largest value.
    pub(crate) most: f64,
}

impl fmt::Display for Spread {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3} ({:.3} to {:.3})", self.median, self.least, self.most)
    }
}

/// What each side gave, round by round, without the first (warm-up) round.
#[derive(Debug)]
pub(crate) struct Rounds<T> {
    /// One value per kept round; the same number of rounds for each side.
    sides: Vec<(Side, Vec<T>)>,
}

impl<T> Rounds<T> {
    /// No rounds yet.
    pub(crate) fn new(sides: &[Side]) -> Self {
        Self { sides: sides.iter().map(|side| (*side, Vec::new())).collect() }
    }

    /// Adds the rounds of `more`, which are of the same sides in the same order.
    pub(crate) fn append(&mut self, more: Self) {
        for ((_, runs), (_, more)) in self.sides.iter_mut().zip(more.sides) {
            runs.extend(more);
        }
    }

    /// One value per kept round of `side`; none if it took no part.
    pub(crate) fn of(&self, side: Side) -> &[T] {
        self.sides.iter().find(|(of, _)| *of == side).map_or(&[], |(_, runs)| runs)
    }

    /// Spread of one figure of `side`.
    pub(crate) fn spread(&self, side: Side, figure: impl Fn(&T) -> f64) -> Option<Spread> {
        spread(&self.of(side).iter().map(figure).collect::<Vec<_>>())
    }

    /// Spread of one figure of ours divided by that of `side` in the same round. Its median varies
    /// less than the ratio of the medians: what slowed the machine for a while slowed both.
    pub(crate) fn ratios(&self, side: Side, figure: impl Fn(&T) -> f64) -> Option<Spread> {
        let pairs = self.of(Side::Ours).iter().zip(self.of(side));
        spread(&pairs.map(|(ours, other)| figure(ours) / figure(other)).collect::<Vec<_>>())
    }
}

/// Spread of `values`; nothing for an empty row or one with a value that is not a number.
pub(crate) fn spread(values: &[f64]) -> Option<Spread> {
    if values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let median = if sorted.len().is_multiple_of(2) {
        f64::midpoint(*sorted.get(middle - 1)?, *sorted.get(middle)?)
    } else {
        *sorted.get(middle)?
    };
    Some(Spread { median, least, most })
}

/// Smallest value that at least `share` (0 to 1) of `values` do not exceed.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Runs all `sides` `rounds` times plus one warm-up round, whose values are thrown away.
///
/// The side that goes first changes with each round, so that a machine that warms up or slows down
/// over time favours none. `run` is told the round, 0 being the warm-up.
///
/// # Errors
/// The first fault of `run` ends it.
pub(crate) fn interleave<T>(
    sides: &[Side],
    rounds: u32,
    mut run: impl FnMut(Side, u32) -> Result<T, Fault>,
) -> Result<Rounds<T>, Fault> {
    let mut kept = Rounds::new(sides);
    for round in 0..=rounds {
        let first = round as usize % sides.len().max(1);
        for place in (first..sides.len()).chain(0..first) {
            let Some((side, runs)) = kept.sides.get_mut(place) else {
                continue;
            };
            let value = run(*side, round)?;
            if round > 0 {
                runs.push(value);
            }
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], expected: Option<(f64, f64, f64)>) {
        let expected = expected.map(|(median, least, most)| Spread { median, least, most });
        assert_eq!(spread(values), expected);
    }

    #[test]
    fn spread_of_an_odd_count_has_the_middle_value() {
        check(&[3.0, 1.0, 2.0], Some((2.0, 1.0, 3.0)));
    }

    #[test]
    fn spread_of_an_even_count_has_the_mean_of_the_two_middle_values() {
        check(&[4.0, 1.0, 2.0, 3.0], Some((2.5, 1.0, 4.0)));
    }

    #[test]
    fn spread_of_nothing_or_of_no_number_is_nothing() {
        check(&[], None);
        check(&[1.0, f64::NAN], None);
    }

    #[test]
    fn quantile_is_a_value_of_the_row() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.99), Some(99.0));
        assert_eq!(quantile(&values, 0.0), Some(1.0));
        assert_eq!(quantile(&values, 1.0), Some(100.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn warm_up_round_is_dropped_and_the_first_side_changes() {
        let mut order = Vec::new();
        let sides = [Side::Ours, Side::Peer, Side::Relay];
        let rounds = interleave(&sides, 2, |side, round| {
            order.push((side, round));
            Ok(round)
        })
        .unwrap();
        assert_eq!((rounds.of(Side::Ours), rounds.of(Side::Relay)), (&[1, 2][..], &[1, 2][..]));
        assert!(rounds.of(Side::Before).is_empty());
        let firsts: Vec<_> = order.iter().step_by(3).map(|(side, _)| *side).collect();
        assert_eq!(firsts, sides);
        assert_eq!(order.len(), 9);
    }

    #[test]
    fn ratio_is_of_values_of_the_same_round() {
        let rounds = interleave(&[Side::Ours, Side::Peer], 3, |side, round| {
            // The machine is three times as slow in round 2.
            let slowness = if round == 2 { 3.0 } else { 1.0 };
            Ok(if side == Side::Ours { slowness } else { 2.0 * slowness })
        })
        .unwrap();
        let ratios = rounds.ratios(Side::Peer, |value| *value);
        assert_eq!(ratios, Some(Spread { median: 0.5, least: 0.5, most: 0.5 }));
        assert_eq!(rounds.ratios(Side::Relay, |value| *value), None);
    }

    #[test]
    fn fault_ends_the_rounds() {
        let mut runs = 0;
        let outcome = interleave(&[Side::Ours, Side::Peer], 5, |_, _| {
            runs += 1;
            Err::<(), _>(Fault::new("broken"))
        });
        assert!(outcome.is_err());
        assert_eq!(runs, 1);
    }
}
