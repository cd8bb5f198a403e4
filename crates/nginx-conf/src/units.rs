//! Values with units: sizes and times, as nginx writes them.
//!
//! Owns: the two grammars (<https://nginx.org/en/docs/syntax.html>). `m` is mega in one and minute
//! in the other, so a caller says which it wants. Values that do not fit are no values.

use std::time::Duration;

/// A size in bytes: digits and at most one of `k`, `m`, `g` in either case, no unit meaning bytes.
///
/// nginx takes `g` only where it reads an offset (`client_max_body_size`); [`size`] is the other.
pub fn offset(text: &str) -> Option<u64> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 1 << 10),
        b'm' | b'M' => (text.get(..text.len() - 1)?, 1 << 20),
        b'g' | b'G' => (text.get(..text.len() - 1)?, 1 << 30),
        _ => (text, 1),
    };
    number(digits)?.checked_mul(factor).filter(|bytes| i64::try_from(*bytes).is_ok())
}

/// A size in bytes without the unit `g`.
pub fn size(text: &str) -> Option<u64> {
    if text.ends_with(['g', 'G']) { None } else { offset(text) }
}

/// A plain decimal number: digits only, no sign.
pub fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A time of milliseconds' precision: `300`, `300s`, `1h30m`, `1h 30m`, `500ms`.
///
/// No unit means seconds and can only come last; units stand once each, largest first; years and months are not taken
/// (nginx reads them only where whole seconds are kept, see [`seconds`]).
pub fn time(text: &str) -> Option<Duration> {
    let millis = sum(text, UNITS.get(2..)?)?;
    // nginx keeps milliseconds of timers in a signed 32-bit value on some systems; so do messages.
    Some(Duration::from_millis(millis)).filter(|time| time.as_secs() <= u64::from(u32::MAX))
}

/// A time of whole seconds: as [`time`] with years and months, without milliseconds.
pub fn seconds(text: &str) -> Option<Duration> {
    let millis = sum(text, UNITS.get(..UNITS.len() - 1)?)?;
    Some(Duration::from_millis(millis)).filter(|time| time.as_secs() <= u64::from(u32::MAX))
}

/// Units from the largest, with their milliseconds.
const UNITS: &[(&str, u64)] = &[
    ("y", 365 * 86_400_000),
    ("M", 30 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Adds up `1h30m`.
fn sum(text: &str, mut units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let value = number(rest.get(..digits)?)?;
        rest = rest.get(digits..)?;
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = rest.get(..letters)?;
        rest = rest.get(letters..)?;
        let millis = if unit.is_empty() {
            // Digits follow digits only over a space, and then nobody knows what is meant.
            if !rest.trim_start_matches(' ').is_empty() {
                return None;
            }
            1000
        } else {
            let at = units.iter().position(|(name, _)| *name == unit)?;
            let millis = units.get(at)?.1;
            units = units.get(at + 1..)?;
            millis
        };
        total = total.checked_add(value.checked_mul(millis)?)?;
        let spaces = rest.bytes().take_while(|byte| *byte == b' ').count();
        rest = rest.get(spaces..)?;
    }
    if text.is_empty() { None } else { Some(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_one_unit_in_either_case() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("8k", Some(8192)),
            ("8K", Some(8192)),
            ("10m", Some(10 << 20)),
            ("2G", Some(2 << 30)),
            ("", None),
            ("k", None),
            ("-1", None),
            ("+1", None),
            ("1kb", None),
            ("1 k", None),
            ("1.5m", None),
            ("9223372036854775807", Some(i64::MAX as u64)),
            ("9223372036854775808", None),
            ("99999999999999999999g", None),
        ] {
            assert_eq!(offset(text), expected, "{text:?}");
        }
        assert_eq!(size("1g"), None);
        assert_eq!(size("1m"), Some(1 << 20));
    }

    #[test]
    fn times_add_up_from_the_largest_unit() {
        for (text, expected) in [
            ("60", Some(60_000)),
            ("60s", Some(60_000)),
            ("500ms", Some(500)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("1d 2h 3m 4s 5ms", Some(93_784_005)),
            ("1m30", Some(90_000)),
            ("0", Some(0)),
            ("2w", Some(14 * 86_400_000)),
            ("", None),
            (" ", None),
            ("s", None),
            ("1y", None),
            ("1M", None),
            ("30m1h", None),
            ("1m1m", None),
            ("1s1", Some(2000)),
            ("5ms5", Some(5005)),
            ("1 h", None),
            ("5 5", None),
            ("-1", None),
            ("1x", None),
            ("999999999999999999999y", None),
            ("9999999999999999", None),
        ] {
            assert_eq!(time(text), expected.map(Duration::from_millis), "{text:?}");
        }
    }

    #[test]
    fn whole_seconds_take_years_and_months_and_no_milliseconds() {
        for (text, expected) in [
            ("1y", Some(365 * 86_400)),
            ("1M", Some(30 * 86_400)),
            ("1h30m", Some(5400)),
            ("10", Some(10)),
            ("10ms", None),
        ] {
            assert_eq!(seconds(text), expected.map(Duration::from_secs), "{text:?}");
        }
    }
}
