//! The numbers of a numbered load's requests, in whatever has them: a log, or what a store answers.

use std::collections::BTreeMap;

/// How often each number is there.
pub(crate) type Counts = BTreeMap<u64, u64>;

/// The numbers `?n=…` in a text.
pub(crate) fn numbers(text: &str) -> Counts {
    let mut numbers = Counts::new();
    for rest in text.split("?n=").skip(1) {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if let Ok(number) = rest[..digits].parse() {
            *numbers.entry(number).or_insert(0) += 1;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_line_by_line() {
        let log = "t INFO GET /?n=1 200\nt INFO GET /?n=12\nother\nt INFO GET /?n=1 200\n";
        assert_eq!(numbers(log), BTreeMap::from([(1, 2), (12, 1)]));
        assert!(numbers("GET /?n= 200").is_empty());
    }

    #[test]
    fn numbers_are_found_in_whatever_a_store_answers() {
        let text = "{\"_msg\":\"GET /?n=12 200\"}\n{\"_msg\":\"GET /?n=3 200\"}\nGET /?n= 200";
        assert_eq!(numbers(text).into_keys().collect::<Vec<_>>(), [3, 12]);
    }
}
