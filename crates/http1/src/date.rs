//! Dates of HTTP. The clock is the caller's.

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The last second of the year 9999: the format has four digits for a year.
const UNIX_S_MAX: u64 = 253_402_300_799;

/// Seconds since 1970 in the preferred format of RFC 9110 §5.6.7, as for Date:
/// `Sun, 06 Nov 1994 08:49:37 GMT`. Times after the year 9999 are given as its end.
pub fn imf_fixdate(unix_s: u64) -> [u8; 29] {
    let unix_s = unix_s.min(UNIX_S_MAX);
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
    let weekday = DAYS.get((days % 7) as usize).copied().unwrap_or(b"Thu");
    let month = MONTHS.get(month as usize - 1).copied().unwrap_or(b"Jan");
    put(&mut text, 0, weekday);
    put(&mut text, 5, &digits(day));
    put(&mut text, 8, month);
    put(&mut text, 12, &digits(year / 100));
    put(&mut text, 14, &digits(year % 100));
    put(&mut text, 17, &digits(second / 3600));
    put(&mut text, 20, &digits(second / 60 % 60));
    put(&mut text, 23, &digits(second % 60));
    text
}

/// Seconds since 1970 of a date in one of the three formats of RFC 9110 §5.6.7, as nginx reads
/// them: the day of the week and what follows the time are not looked at.
pub fn parse_date(text: &[u8]) -> Option<i64> {
    let at = text.iter().position(|byte| matches!(byte, b',' | b' '))?;
    let is_asctime = text.get(at) == Some(&b' ');
    let mut rest = text.get(at + 1..)?.trim_ascii_start();
    let (mut day, mut year) = (0, 0);
    let mut mark = b' ';
    if !is_asctime {
        day = number(&mut rest, 2)?;
        mark = *rest.first().filter(|mark| matches!(mark, b' ' | b'-'))?;
        rest = rest.get(1..)?;
    }
    let name = rest.get(..3)?;
    let month = MONTHS.iter().position(|month| month.as_slice() == name)?;
    rest = rest.get(3..)?;
    if is_asctime {
        rest = rest.trim_ascii_start();
        let digits = if rest.get(1).is_some_and(u8::is_ascii_digit) { 2 } else { 1 };
        day = number(&mut rest, digits)?;
    } else {
        skip(&mut rest, mark)?;
        year = match mark {
            b' ' => number(&mut rest, 4)?,
            _ => Some(number(&mut rest, 2)?).map(|y| y + if y < 70 { 2000 } else { 1900 })?,
        };
    }
    skip(&mut rest, b' ')?;
    let hour = number(&mut rest, 2)?;
    skip(&mut rest, b':')?;
    let minute = number(&mut rest, 2)?;
    skip(&mut rest, b':')?;
    let second = number(&mut rest, 2)?;
    if is_asctime {
        skip(&mut rest, b' ')?;
        year = number(&mut rest, 4)?;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 => 28 + i64::from(is_leap),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    let is_good = hour < 24 && minute < 60 && second < 60 && day <= last;
    let time = second + 60 * (minute + 60 * hour);
    is_good.then(|| 86_400 * days_before(year, month as i64, day) + time)
}

/// Days from 1970 to a date of month 0 to 11. The year is counted from March.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// So many digits.
fn number(rest: &mut &[u8], digits: usize) -> Option<i64> {
    let text = rest.get(..digits)?;
    *rest = rest.get(digits..)?;
    text.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

fn skip(rest: &mut &[u8], byte: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[byte])?;
    Some(())
}

/// Year, month from 1 and day from 1 of a count of days since 1970. The year is counted from
/// March, so that the day that comes and goes is its last.
pub fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    debug_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
    (year, month, day)
}

/// The last two decimal digits.
fn digits(number: u64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}

fn put(text: &mut [u8; 29], at: usize, part: &[u8]) {
    if let Some(place) = text.get_mut(at..at + part.len()) {
        place.copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_each_of_its_formats_as_it_is_written() {
        for unix_s in [0, 784_111_777, 951_782_400, 951_868_800, 4_107_542_400, UNIX_S_MAX] {
            assert_eq!(parse_date(&imf_fixdate(unix_s)), i64::try_from(unix_s).ok());
        }
        for (text, expected) in [
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
            ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
            ("Wed Nov 16 08:49:37 1994", Some(784_111_777 + 10 * 86_400)),
            ("x, 06 Nov 1994 08:49:37", Some(784_111_777)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
            ("Thu, 29 Feb 1996 00:00:00 GMT", Some(825_552_000)),
            ("Wed, 29 Feb 1995 00:00:00 GMT", None),
            ("Sun, 31 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:60:37 GMT", None),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06-Nov-1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 94 08:49:37 GMT", None),
            ("Sun, 06 Nox 1994 08:49:37 GMT", None),
            ("yesterday", None),
            ("", None),
            ("Sun,", None),
        ] {
            assert_eq!(parse_date(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn dates_are_right_across_leap_days_and_centuries() {
        let check = |unix_s, expected: &str| {
            assert_eq!(core::str::from_utf8(&imf_fixdate(unix_s)), Ok(expected));
        };
        check(0, "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT");
        check(951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT");
        check(1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT");
        check(1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT");
        check(4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT");
        check(UNIX_S_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
        check(u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
