//! Owns what is said about a row of measured numbers: median, range, and the order in which two
//! programs take turns. Pure; it measures nothing itself.

use crate::Fault;

/// Which of the two programs a measurement is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    /// The program of this kit.
    Ours,
    /// The program it stands in place of.
    Peer,
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

/// What each side gave, round by round, without the first (warm-up) round.
#[derive(Debug)]
pub(crate) struct Pairs<T> {
    /// One value per kept round.
    pub(crate) ours: Vec<T>,
    /// One value per kept round, of the same rounds.
    pub(crate) peer: Vec<T>,
}

impl<T> Pairs<T> {
    /// Spread of one figure of each side: ours, then the peer's.
    pub(crate) fn spreads(&self, figure: impl Fn(&T) -> f64) -> Option<(Spread, Spread)> {
        let of = |runs: &[T]| spread(&runs.iter().map(&figure).collect::<Vec<_>>());
        Some((of(&self.ours)?, of(&self.peer)?))
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

/// Runs both sides `rounds` times plus one warm-up round, whose values are thrown away.
///
/// The side that goes first alternates, so that a machine that warms up or slows down over time
/// favours neither. `run` is told the round, 0 being the warm-up.
///
/// # Errors
/// The first fault of `run` ends it.
pub(crate) fn interleave<T>(
    rounds: u32,
    mut run: impl FnMut(Side, u32) -> Result<T, Fault>,
) -> Result<Pairs<T>, Fault> {
    let mut pairs = Pairs { ours: Vec::new(), peer: Vec::new() };
    for round in 0..=rounds {
        let order = if round.is_multiple_of(2) {
            [Side::Ours, Side::Peer]
        } else {
            [Side::Peer, Side::Ours]
        };
        for side in order {
            let value = run(side, round)?;
            match (round, side) {
                (0, _) => {}
                (_, Side::Ours) => pairs.ours.push(value),
                (_, Side::Peer) => pairs.peer.push(value),
            }
        }
    }
    Ok(pairs)
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
    fn warm_up_round_is_dropped_and_the_first_side_alternates() {
        let mut order = Vec::new();
        let pairs = interleave(2, |side, round| {
            order.push((side, round));
            Ok(round)
        })
        .unwrap();
        assert_eq!((pairs.ours, pairs.peer), (vec![1, 2], vec![1, 2]));
        let firsts: Vec<_> = order.iter().step_by(2).map(|(side, _)| *side).collect();
        assert_eq!(firsts, [Side::Ours, Side::Peer, Side::Ours]);
    }

    #[test]
    fn fault_ends_the_rounds() {
        let mut runs = 0;
        let outcome = interleave(5, |_, _| {
            runs += 1;
            Err::<(), _>(Fault::new("broken"))
        });
        assert!(outcome.is_err());
        assert_eq!(runs, 1);
    }
}
