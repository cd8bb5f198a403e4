//! How bad a line says that it is, where it says so plainly.
//!
//! Owns which words count and where. A word counts near the beginning of a line: in capitals as a
//! word of its own (`ERROR`), or in any case in brackets or behind a name that means it (`[warn]`,
//! `level=info`, `"level":"error"`). A line of text that only speaks of an error has none.

/// A severity of OpenTelemetry's data model: its number, and the word as the line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severity<'a> {
    /// `SeverityNumber`, 1 to 24.
    pub number: u8,
    /// The word in the line, letters of ASCII.
    pub word: &'a [u8],
}

/// Where the word may be at the latest.
const LOOKED_AT_BYTES: usize = 160;

/// Words in capitals, and their numbers (OpenTelemetry, "Logs Data Model", appendix B).
const WORDS: [(&str, u8); 15] = [
    ("INFO", 9),
    ("ERROR", 17),
    ("WARN", 13),
    ("WARNING", 13),
    ("DEBUG", 5),
    ("TRACE", 1),
    ("FATAL", 21),
    ("NOTICE", 10),
    ("CRITICAL", 18),
    ("CRIT", 18),
    ("ALERT", 19),
    ("EMERG", 21),
    ("EMERGENCY", 21),
    ("PANIC", 21),
    ("SEVERE", 17),
];

/// What may stand before a word in any case.
const NAMES: [&str; 8] = [
    "level=",
    "level=\"",
    "\"level\":\"",
    "\"level\": \"",
    "lvl=",
    "severity=",
    "\"severity\":\"",
    "\"severity\": \"",
];

/// Letters and digits of ASCII, looked up, for every byte before a severity is asked.
const IN_WORD: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

/// The severity that a line states.
pub fn of(line: &[u8]) -> Option<Severity<'_>> {
    let end = line.len().min(LOOKED_AT_BYTES);
    let mut at = 0;
    while at < end {
        let len = line[at..].iter().take_while(|byte| IN_WORD[usize::from(**byte)]).count();
        let word = &line[at..at + len];
        if (4..=9).contains(&len)
            && let Some(number) = number_of(word)
            && (is_capital(word) || is_marked(line, at, at + len))
        {
            return Some(Severity { number, word });
        }
        at += len + 1;
    }
    None
}

fn number_of(word: &[u8]) -> Option<u8> {
    // Most words fail here, at the first letter.
    if !matches!(
        word[0] | 0x20,
        b'i' | b'e' | b'w' | b'd' | b't' | b'f' | b'n' | b'c' | b'a' | b'p' | b's'
    ) {
        return None;
    }
    let key = key(word);
    KEYS.iter().find(|(known, _)| *known == key).map(|(_, number)| *number)
}

/// A short word as a number, whatever the case of its letters: digits stay what they are.
const fn key(word: &[u8]) -> u128 {
    let (mut key, mut at) = (0, 0);
    while at < word.len() {
        key = key << 8 | (word[at] | 0x20) as u128;
        at += 1;
    }
    key
}

/// The words and their numbers, for one comparison each.
const KEYS: [(u128, u8); WORDS.len()] = {
    let (mut keys, mut at) = ([(0, 0); WORDS.len()], 0);
    while at < WORDS.len() {
        keys[at] = (key(WORDS[at].0.as_bytes()), WORDS[at].1);
        at += 1;
    }
    keys
};

fn is_capital(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_uppercase)
}

/// Whether what stands around a word says that it is a severity.
fn is_marked(line: &[u8], start: usize, end: usize) -> bool {
    let before = &line[..start];
    let in_brackets = before.ends_with(b"[") && line.get(end) == Some(&b']');
    in_brackets || NAMES.iter().any(|name| before.ends_with(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u8, &str)>) {
        let seen = of(line.as_bytes()).map(|severity| (severity.number, severity.word));
        let expected = expected.map(|(number, word)| (number, word.as_bytes()));
        assert_eq!(seen, expected, "{line}");
    }

    #[test]
    fn plain_words_are_found() {
        check("2026-11-26T06:00:00Z INFO started", Some((9, "INFO")));
        check("ERROR: no order", Some((17, "ERROR")));
        check("2026/11/26 06:00:00 [warn] 7#7: low", Some((13, "warn")));
        check("[ERROR]", Some((17, "ERROR")));
        check("ts=1 level=debug msg=x", Some((5, "debug")));
        check(r#"{"level":"error","msg":"x"}"#, Some((17, "error")));
        check(r#"{"time":1,"severity": "WARNING"}"#, Some((13, "WARNING")));
        check("06:00:00.123 [main] FATAL c.e.Shop - x", Some((21, "FATAL")));
        check("CRITICAL:root:x", Some((18, "CRITICAL")));
        check("ä INFO x", Some((9, "INFO")));
    }

    #[test]
    fn lines_that_only_speak_of_it_have_none() {
        for line in [
            "",
            "an error occurred",
            "Error: no order",
            "[info",
            "ERRORS found",
            "INFORMATION",
            "PREERROR",
            "the level is=info",
            "GET /error 200",
        ] {
            check(line, None);
        }
        check(&format!("{} ERROR", "x".repeat(LOOKED_AT_BYTES)), None);
        check(&format!("{} ERROR", "x".repeat(LOOKED_AT_BYTES - 6)), Some((17, "ERROR")));
    }
}
