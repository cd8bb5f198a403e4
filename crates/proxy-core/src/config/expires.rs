//! Times of nginx's `expires`, of the file and of variables alike.

use nginx_conf::units;

use super::model::Template;

/// nginx: `expires`.
#[derive(Debug)]
pub enum Rule {
    /// It is known.
    Fixed(Expires),
    /// It depends on variables.
    Text {
        /// What is read then.
        text: Template,
        /// nginx: `modified`.
        is_modified: bool,
    },
}

/// Until when an answer may be kept. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expires {
    /// Nothing is said.
    Off,
    /// It may not.
    Epoch,
    /// For ever.
    Max,
    /// So long from now on.
    Access(i64),
    /// So long from when it was last modified.
    Modified(i64),
    /// Until this second of a day.
    Daily(i64),
}

impl Expires {
    /// Reads what `expires` or `expires modified` says. The error is nginx's.
    pub fn parse(text: &[u8], is_modified: bool) -> Result<Expires, &'static str> {
        const INVALID: &str = "invalid value";
        match text {
            b"epoch" if !is_modified => return Ok(Expires::Epoch),
            b"max" if !is_modified => return Ok(Expires::Max),
            b"off" if !is_modified => return Ok(Expires::Off),
            _ => {}
        }
        let text = std::str::from_utf8(text).map_err(|_| INVALID)?;
        let (mark, time) = match text.chars().next() {
            Some(mark @ ('@' | '+' | '-')) => (mark, text.get(1..).unwrap_or_default()),
            _ => ('+', text),
        };
        if mark == '@' && is_modified {
            return Err("daily time cannot be used with \"modified\" parameter");
        }
        let time = units::seconds(time).ok_or(INVALID)?;
        let seconds = i64::try_from(time.as_secs()).map_err(|_| INVALID)?;
        match mark {
            '@' if seconds > 86_400 => Err("daily time value must be less than 24 hours"),
            '@' => Ok(Expires::Daily(seconds)),
            '-' if is_modified => Ok(Expires::Modified(-seconds)),
            '-' => Ok(Expires::Access(-seconds)),
            _ if is_modified => Ok(Expires::Modified(seconds)),
            _ => Ok(Expires::Access(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_marks() {
        let check = |text: &str, is_modified, expected: Result<Expires, &str>| {
            assert_eq!(Expires::parse(text.as_bytes(), is_modified), expected, "{text}");
        };
        check("24h", false, Ok(Expires::Access(86_400)));
        check("-1", false, Ok(Expires::Access(-1)));
        check("1y", false, Ok(Expires::Access(365 * 86_400)));
        check("+1d", true, Ok(Expires::Modified(86_400)));
        check("@15h30m", false, Ok(Expires::Daily(55_800)));
        check("@24h", false, Ok(Expires::Daily(86_400)));
        check("@25h", false, Err("daily time value must be less than 24 hours"));
        check("@1h", true, Err("daily time cannot be used with \"modified\" parameter"));
        for text in ["", "x", "+", "--1", "epoch ", "10ms"] {
            check(text, false, Err("invalid value"));
        }
        check("epoch", true, Err("invalid value"));
        assert_eq!(Expires::parse(b"\xff", false), Err("invalid value"));
    }
}
