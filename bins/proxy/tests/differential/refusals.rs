//! The list of stated differences: what the proxy does otherwise than nginx, each with its reason.
//! A line is `NAME-PATTERN | WHAT OURS DOES | REASON`; `*` in the pattern stands for anything, `?` for one byte.

/// One of the lists of this folder.
pub struct Refusals {
    file: &'static str,
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    pattern: String,
    ours: String,
    matched: bool,
}

impl Refusals {
    /// Panics where a line has not its three columns.
    pub fn parse(file: &'static str, text: &str) -> Refusals {
        let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let lines = numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|(number, line)| {
            let columns: Vec<&str> = line.splitn(3, " | ").map(str::trim).collect();
            let [pattern, ours, reason] = columns[..] else {
                panic!("{file}:{number}: not NAME-PATTERN | WHAT OURS DOES | REASON: {line}");
            };
            assert!(reason.len() > 10, "{file}:{number}: no reason is given");
            Line { number, pattern: pattern.into(), ours: ours.into(), matched: false }
        });
        Refusals { file, lines: lines.collect() }
    }

    /// Whether it is stated that ours does this with the case of that name.
    pub fn states(&mut self, name: &str, ours: &str) -> bool {
        let mut stated = false;
        for line in &mut self.lines {
            if line.ours == ours && matches(line.pattern.as_bytes(), name.as_bytes()) {
                (line.matched, stated) = (true, true);
            }
        }
        stated
    }

    /// Lines that say nothing true, after all cases were asked for.
    pub fn stale(&self) -> Vec<String> {
        let stale = self.lines.iter().filter(|line| !line.matched);
        stale.map(|l| format!("{}:{}: {} | {}", self.file, l.number, l.pattern, l.ours)).collect()
    }
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([b'*', rest @ ..], _) => {
            matches(rest, name) || (!name.is_empty() && matches(pattern, &name[1..]))
        }
        ([first, pattern @ ..], [byte, name @ ..]) => {
            (first == byte || *first == b'?') && matches(pattern, name)
        }
        ([], []) => true,
        _ => false,
    }
}

#[test]
fn a_pattern_matches_a_name_as_a_whole() {
    let check = |pattern: &str, name: &str, expected| {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
    };
    check("a/b", "a/b", true);
    check("a/b", "a/bc", false);
    check("a/*", "a/", true);
    check("a/*", "a/b/c", true);
    check("*lf*", "mix/bare-lf+x", true);
    check("*lf", "mix/bare-lf+x", false);
    check("*", "", true);
    check("a?", "ab", true);
    check("a?", "a", false);
    check("**a*b", "xaxxb", true);
}

#[test]
fn a_line_that_nothing_matched_is_stale() {
    let mut list =
        Refusals::parse("x", "# note\n\na/* | 400 | because of that\nb | 400 | because of this\n");
    assert!(list.states("a/1", "400"));
    assert!(!list.states("a/1", "200"));
    assert!(!list.states("c", "400"));
    assert_eq!(list.stale(), ["x:4: b | 400"]);
}
