//! The longest of many prefixes that a path begins with.
//!
//! In the order of their bytes all texts between a prefix and a path that begins with it begin with
//! it, too. So the last prefix that is not behind the path is the one that is looked for, or begins
//! with it: the search halves the row, and then goes from one to the longest that it begins with.

/// Prefixes, each with what it leads to.
#[derive(Debug, Default)]
pub struct Prefixes(Vec<Prefix>);

#[derive(Debug)]
struct Prefix {
    text: Vec<u8>,
    value: usize,
    /// The place of the longest other one that it begins with, which is before it.
    within: Option<usize>,
}

impl Prefixes {
    /// Of prefixes that are all different.
    pub fn new(prefixes: Vec<(Vec<u8>, usize)>) -> Prefixes {
        let prefix = |(text, value)| Prefix { text, value, within: None };
        let mut row: Vec<Prefix> = prefixes.into_iter().map(prefix).collect();
        row.sort_unstable_by(|one, other| one.text.cmp(&other.text));
        for place in 1..row.len() {
            let (before, behind) = row.split_at_mut(place);
            if let Some(prefix) = behind.first_mut() {
                prefix.within = longest(before, place.checked_sub(1), &prefix.text);
            }
        }
        Prefixes(row)
    }

    /// What the longest that `path` begins with leads to.
    pub fn longest(&self, path: &[u8]) -> Option<usize> {
        let behind = self.0.partition_point(|prefix| prefix.text.as_slice() <= path);
        let found = longest(&self.0, behind.checked_sub(1), path)?;
        self.0.get(found).map(|prefix| prefix.value)
    }

    /// All of them with what they lead to, in the order of their bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.0.iter().map(|prefix| (prefix.text.as_slice(), prefix.value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The place of the longest that `path` begins with: that at `from`, or one of those within it.
fn longest(row: &[Prefix], mut from: Option<usize>, path: &[u8]) -> Option<usize> {
    while let Some(prefix) = from.and_then(|place| row.get(place)) {
        if path.starts_with(&prefix.text) {
            return from;
        }
        from = prefix.within;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All prefixes, looked through one after the other.
    fn slow<'p>(prefixes: &[&'p [u8]], path: &[u8]) -> Option<&'p [u8]> {
        let known = prefixes.iter().filter(|prefix| path.starts_with(prefix));
        known.max_by_key(|prefix| prefix.len()).copied()
    }

    fn check(prefixes: &[&[u8]], paths: &[&[u8]]) {
        let numbered = prefixes.iter().enumerate();
        let row = numbered.map(|(number, prefix)| (prefix.to_vec(), number)).collect();
        let row = Prefixes::new(row);
        for path in paths.iter().chain(prefixes) {
            let found = row.longest(path).map(|number| prefixes[number]);
            assert_eq!(found, slow(prefixes, path), "{}", String::from_utf8_lossy(path));
        }
    }

    #[test]
    fn the_longest_that_a_path_begins_with_is_found() {
        let paths: [&[u8]; 8] = [b"", b"/", b"/a", b"/ab/c/d", b"/ab!", b"/b", b"/z", b"\xff"];
        check(&[], &paths);
        check(&[b"/"], &paths);
        check(&[b"/", b"/a", b"/ab/", b"/ab/c", b"/ab/cc", b"/b/", b"/aa"], &paths);
        check(&[b"/a", b"/ab"], &paths);
        check(&[b"", b"/ab/c/d/e", b"/ab/c"], &paths);
    }

    #[test]
    fn every_path_of_few_letters_is_found_as_by_looking_through_all() {
        let mut texts: Vec<Vec<u8>> = vec![vec![]];
        for len in 1..=4 {
            let longer: Vec<Vec<u8>> = texts
                .iter()
                .filter(|text| text.len() == len - 1)
                .flat_map(|text| b"/ab".iter().map(move |byte| [&text[..], &[*byte]].concat()))
                .collect();
            texts.extend(longer);
        }
        let paths: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        for step in 1..20 {
            let prefixes: Vec<&[u8]> = paths.iter().skip(step / 3).step_by(step).copied().collect();
            check(&prefixes, &paths);
        }
    }
}
