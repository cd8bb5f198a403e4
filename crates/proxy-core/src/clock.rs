//! Time as an exchange sees it: one reading for each turn of the event loop, and its written forms.
//!
//! It reads no clock; the shell does, and passes a `Moment` along. Written times are UTC.

/// Milliseconds on the monotonic clock, from an origin of the shell's choice.
pub type Millis = u64;

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Monotonic, for intervals.
    pub ms: Millis,
    /// Wall clock, milliseconds since 1970.
    pub unix_ms: u64,
}

struct Civil {
    year: u64,
    month: usize,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Civil {
    fn from_unix_s(unix_s: u64) -> Civil {
        let (year, month, day) = http1::civil(unix_s / 86_400);
        let time = unix_s % 86_400;
        Civil {
            year,
            month: usize::try_from(month - 1).unwrap_or(0),
            day,
            hour: time / 3_600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }
}

/// Appends a number below 100 with two digits.
fn push_two(number: u64, out: &mut Vec<u8>) {
    debug_assert!(number < 100);
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    out.extend_from_slice(&[digit(number / 10), digit(number)]);
}

fn push_year(year: u64, out: &mut Vec<u8>) {
    push_two(year / 100 % 100, out);
    push_two(year % 100, out);
}

fn push_time_of_day(t: &Civil, out: &mut Vec<u8>) {
    push_two(t.hour, out);
    out.push(b':');
    push_two(t.minute, out);
    out.push(b':');
    push_two(t.second, out);
}

/// nginx: `$time_local`, `28/Sep/1970:12:00:00 +0000`.
pub fn push_time_local(unix_ms: u64, out: &mut Vec<u8>) {
    let t = Civil::from_unix_s(unix_ms / 1_000);
    push_two(t.day, out);
    out.push(b'/');
    out.extend_from_slice(MONTHS.get(t.month).unwrap_or(&"").as_bytes());
    out.push(b'/');
    push_year(t.year, out);
    out.push(b':');
    push_time_of_day(&t, out);
    out.extend_from_slice(b" +0000");
}

/// nginx: `$time_iso8601`, `1970-09-28T12:00:00+00:00`.
pub fn push_time_iso8601(unix_ms: u64, out: &mut Vec<u8>) {
    let t = Civil::from_unix_s(unix_ms / 1_000);
    push_year(t.year, out);
    out.push(b'-');
    push_two(t.month as u64 + 1, out);
    out.push(b'-');
    push_two(t.day, out);
    out.push(b'T');
    push_time_of_day(&t, out);
    out.extend_from_slice(b"+00:00");
}

const DAYS: [&str; 7] =
    ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

/// nginx: `$date_local` and `$date_gmt` with the format of `timefmt`'s default, without the zone:
/// `Thursday, 01-Jan-1970 12:00:00 `.
pub fn push_date(unix_ms: u64, out: &mut Vec<u8>) {
    let t = Civil::from_unix_s(unix_ms / 1_000);
    let day = usize::try_from(unix_ms / 86_400_000 % 7).unwrap_or(0);
    out.extend_from_slice(DAYS.get(day).unwrap_or(&"").as_bytes());
    out.extend_from_slice(b", ");
    push_two(t.day, out);
    out.push(b'-');
    out.extend_from_slice(MONTHS.get(t.month).unwrap_or(&"").as_bytes());
    out.push(b'-');
    push_year(t.year, out);
    out.push(b' ');
    push_time_of_day(&t, out);
    out.push(b' ');
}

/// Seconds with milliseconds, as `$msec` and `$request_time` are written.
pub fn push_seconds(ms: u64, out: &mut Vec<u8>) {
    http1::push_decimal(out, ms / 1_000);
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    out.extend_from_slice(&[b'.', digit(ms / 100), digit(ms / 10), digit(ms)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(push: fn(u64, &mut Vec<u8>), unix_ms: u64, expected: &str) {
        let mut out = Vec::new();
        push(unix_ms, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn times_are_written_as_nginx_writes_them() {
        check(push_time_local, 0, "01/Jan/1970:00:00:00 +0000");
        check(push_time_local, 951_782_400_000, "29/Feb/2000:00:00:00 +0000");
        check(push_time_local, 1_795_467_189_123, "23/Nov/2026:20:53:09 +0000");
        check(push_time_iso8601, 1_735_689_599_000, "2024-12-31T23:59:59+00:00");
        check(push_date, 0, "Thursday, 01-Jan-1970 00:00:00 ");
        check(push_date, 1_795_467_189_123, "Monday, 23-Nov-2026 20:53:09 ");
        check(push_seconds, 1_005, "1.005");
    }
}
