//! Owns the list of faults: how it is written, and what a fault makes of a source file. It reads no
//! file itself.
//!
//! ```text
//! # Lines between faults that begin so are comments.
//! mutant name-of-the-fault
//! file crates/tail/src/read.rs
//! wrong One sentence: what goes wrong with it.
//! tests log-scraper
//! find
//! text that is in the file exactly once
//! put
//! what stands there instead; nothing takes the text out
//! end
//! ```
//!
//! `file` may be a folder: then the text is in one of its Rust files, exactly once in all of them.
//! `tests` names the package whose tests should find it, `tail` where it is left out. `find` and
//! `put` may come several times, for a fault that needs more than one change.

use std::iter::Peekable;
use std::path::PathBuf;
use std::str::Lines;

/// The package whose tests are run where none is named.
const USUAL_PACKAGE: &str = "tail";

/// One change to the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Text that is there exactly once.
    pub(crate) find: String,
    /// What stands there instead.
    pub(crate) put: String,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mutant {
    /// What it is called; no other has the name.
    pub(crate) name: String,
    /// File or folder that it is planted in, from the repository's root.
    pub(crate) place: PathBuf,
    /// What goes wrong.
    pub(crate) wrong: String,
    /// Package whose tests should find it.
    pub(crate) package: String,
    /// The changes, at least one.
    pub(crate) edits: Vec<Edit>,
}

/// Reads a list.
///
/// # Errors
/// With the name of the fault that is not written as it should be, and what is missing.
pub(crate) fn parse(text: &str) -> Result<Vec<Mutant>, String> {
    let mut lines = text.lines().peekable();
    let mut mutants: Vec<Mutant> = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line
            .strip_prefix("mutant ")
            .ok_or_else(|| format!("{line:?} stands where a fault should begin"))?;
        if mutants.iter().any(|other| other.name == name) {
            return Err(format!("{name} is there twice"));
        }
        mutants.push(parse_one(name, &mut lines).map_err(|what| format!("{name}: {what}"))?);
    }
    Ok(mutants)
}

fn parse_one(name: &str, lines: &mut Peekable<Lines>) -> Result<Mutant, String> {
    let mut field = |key: &str| {
        let line = lines.next_if(|line| line.starts_with(&format!("{key} ")))?;
        Some(line[key.len() + 1..].to_owned())
    };
    let place = field("file").ok_or("no line `file`")?.into();
    let wrong = field("wrong").ok_or("no line `wrong`")?;
    let package = field("tests").unwrap_or_else(|| USUAL_PACKAGE.to_owned());
    let mut edits = Vec::new();
    loop {
        match lines.next() {
            Some("end") if !edits.is_empty() => break,
            Some("find") => {}
            _ => return Err("`find` or `end` is missing".to_owned()),
        }
        let find = text_until(lines, &["put"]);
        if find.is_empty() || lines.next() != Some("put") {
            return Err("nothing to find, or no line `put`".to_owned());
        }
        let put = text_until(lines, &["find", "end"]);
        edits.push(Edit { find, put });
    }
    Ok(Mutant { name: name.to_owned(), place, wrong, package, edits })
}

/// The lines before the first one that is one of `ends`.
fn text_until(lines: &mut Peekable<Lines>, ends: &[&str]) -> String {
    let mut text = Vec::new();
    while let Some(line) = lines.next_if(|line| !ends.contains(line)) {
        text.push(line);
    }
    text.join("\n")
}

impl Edit {
    /// The source with the change, if the text to find is there.
    ///
    /// # Errors
    /// If it is there more than once.
    pub(crate) fn apply(&self, source: &str) -> Result<Option<String>, String> {
        match source.matches(&self.find).count() {
            0 => Ok(None),
            1 => Ok(Some(source.replacen(&self.find, &self.put, 1))),
            count => Err(format!("the text is there {count} times: {:?}", self.find)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# a comment\n\nmutant first\nfile a.rs\nwrong It is.\nfind\n    one\ntwo\n\
                        put\nend\nmutant second\nfile src\nwrong It is too.\ntests other\nfind\nx\n\
                        put\ny\n\nz\nfind\na\nput\nb\nend\n";

    fn edit(find: &str, put: &str) -> Edit {
        Edit { find: find.to_owned(), put: put.to_owned() }
    }

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let [first, second] = parse(LIST).unwrap().try_into().unwrap();
        assert_eq!((first.name.as_str(), first.package.as_str()), ("first", "tail"));
        assert_eq!(first.edits, [edit("    one\ntwo", "")]);
        assert_eq!((second.wrong.as_str(), second.package.as_str()), ("It is too.", "other"));
        assert_eq!(second.edits, [edit("x", "y\n\nz"), edit("a", "b")]);
    }

    #[test]
    fn a_list_that_is_cut_short_or_has_a_name_twice_is_refused() {
        let check = |list: &str, part: &str| {
            let refusal = parse(list).unwrap_err();
            assert!(refusal.contains(part), "{refusal}");
        };
        check("find\n", "where a fault should begin");
        check("mutant a\nwrong x\n", "a: no line `file`");
        check("mutant a\nfile x\n", "a: no line `wrong`");
        check("mutant a\nfile x\nwrong y\nend\n", "`find` or `end` is missing");
        check("mutant a\nfile x\nwrong y\nfind\nput\nend\n", "nothing to find");
        check("mutant a\nfile x\nwrong y\nfind\nz\n", "no line `put`");
        check("mutant a\nfile x\nwrong y\nfind\nz\nput\n", "`find` or `end` is missing");
        check(&LIST.replace("second", "first"), "first is there twice");
    }

    #[test]
    fn a_change_needs_its_text_exactly_once() {
        assert_eq!(edit("b", "B").apply("abc"), Ok(Some("aBc".to_owned())));
        assert_eq!(edit("b", "").apply("abc"), Ok(Some("ac".to_owned())));
        assert_eq!(edit("d", "D").apply("abc"), Ok(None));
        assert!(edit("b", "B").apply("abcb").is_err());
    }
}
