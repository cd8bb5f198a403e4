//! Look-ahead in the places where it can be had in linear time: `^/(?!api|admin)`,
//! `^/(?!wiki/).*\.js$`, `/\.(?!well-known).*`.
//!
//! Owns: which texts those are, and how they match. The text is taken apart at its look-aheads,
//! which stand outside of groups and alternatives. What is before them has one length, so that
//! from each place there is one end of it, where they and the rest are looked at. That is done
//! once, behind `^`, or at every place, for as many bytes as it takes to see whether the rest is
//! there: `.*` at its end is nothing to wait for.

use std::borrow::Cow;

use regex_automata::meta::Regex;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input};

use super::dialect::{AtEnd, LOOK_AROUND, translate};

/// Longest rest, in bytes, that is looked at from every place of a subject.
const REST_BYTES_MAX: usize = 256;

/// A text taken apart.
pub(super) struct Text<'t> {
    /// `(?i)` at the beginning holds for all parts.
    options: &'t str,
    before: &'t str,
    /// In order, and whether each must not be there.
    looks: Vec<(&'t str, bool)>,
    behind: &'t str,
}

/// What such a text is compiled to.
#[derive(Debug)]
pub(super) struct Ahead {
    before: Regex,
    looks: Vec<(Regex, bool)>,
    behind: Regex,
    /// It is found at the beginning or nowhere.
    is_first: bool,
}

/// Takes a text apart; none where no look-ahead stands outside of groups. The error is a reason.
pub(super) fn split(text: &str) -> Result<Option<Text<'_>>, String> {
    let Some(start) = outer(text, &|rest| look(rest).is_some()) else { return Ok(None) };
    if outer(text, &|rest| rest.starts_with('|')).is_some() {
        return Err(LOOK_AROUND.to_owned());
    }
    let (head, mut rest) = text.split_at(start);
    let (options, before) = match head.strip_prefix("(?").and_then(|text| text.split_once(')')) {
        Some((letters, _)) if letters.bytes().all(|byte| b"is".contains(&byte)) => {
            head.split_at(letters.len() + 3)
        }
        _ => ("", head),
    };
    let mut looks = Vec::new();
    while let Some((is_not, inner)) = look(rest) {
        let end = outer(inner, &|rest| rest.starts_with(')')).ok_or("unclosed group")?;
        let (inner, behind) = inner.split_at(end);
        looks.push((inner, is_not));
        rest = behind.get(1..).unwrap_or_default();
    }
    Ok(Some(Text { options, before, looks, behind: rest }))
}

/// What follows `(?!` or `(?=`, and whether it is the former.
fn look(text: &str) -> Option<(bool, &str)> {
    let is_not = text.starts_with("(?!");
    text.strip_prefix("(?!").or_else(|| text.strip_prefix("(?=")).map(|inner| (is_not, inner))
}

/// The first place outside of groups and classes that is wanted.
fn outer(text: &str, is_wanted: &dyn Fn(&str) -> bool) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if depth == 0 && is_wanted(rest) {
            return Some(at);
        }
        at += match rest.as_bytes() {
            [b'\\', ..] => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            [b'[', ..] => class_bytes(rest),
            [b'(', ..] => {
                depth += 1;
                1
            }
            [b')', ..] => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    None
}

/// How long a class is. PCRE: a bracket that is its first is itself.
fn class_bytes(text: &str) -> usize {
    let inner = text.get(1..).unwrap_or_default();
    let inner = inner.strip_prefix('^').unwrap_or(inner);
    let inner = inner.strip_prefix(']').unwrap_or(inner);
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => _ = chars.next(),
            '[' if inner.get(at..).is_some_and(|rest| rest.starts_with("[:")) => {
                let named = inner.get(at..).and_then(|rest| rest.find(":]")).unwrap_or(0);
                (0..named).for_each(|_| _ = chars.next());
            }
            ']' => return text.len() - inner.len() + at + 1,
            _ => {}
        }
    }
    text.len()
}

impl Text<'_> {
    /// Compiles the parts. The error is a reason.
    pub(super) fn compile(&self, is_caseless: bool, at_end: AtEnd) -> Result<Ahead, String> {
        let is_first = self.before.starts_with('^');
        let made = |text: &str| translate(&format!("{}{text}", self.options), at_end);
        let (before, behind) = (made(self.before)?, made(self.behind)?);
        let (least, most) = super::lengths(&before)?;
        if most != Some(least) {
            return Err(LOOK_AROUND.to_owned());
        }
        let checked = |text: &str, made: &str| {
            let most = || super::lengths(&translate(&decisive(text), at_end)?);
            match is_first || most()?.1.is_some_and(|most| most <= REST_BYTES_MAX) {
                true => super::compile(made, is_caseless),
                false => Err(LOOK_AROUND.to_owned()),
            }
        };
        let looks =
            self.looks.iter().map(|(text, is_not)| Ok((checked(text, &made(text)?)?, *is_not)));
        let looks = looks.collect::<Result<Vec<_>, String>>()?;
        let before = super::compile(&before, is_caseless)?;
        Ok(Ahead { before, looks, behind: checked(self.behind, &behind)?, is_first })
    }
}

/// What of a text decides whether it is found: a search that asks no more ends there.
fn decisive(text: &str) -> Cow<'_, str> {
    const ENDS: [(&str, &str); 4] = [("(.*)", ""), (".*", ""), ("(.+)", "."), (".+", ".")];
    let without = |(end, least): (&str, &str)| {
        let before = text.strip_suffix(end).filter(|before| !before.ends_with('\\'))?;
        let is_whole = outer(text, &|rest| rest == end || rest.starts_with('|'));
        (is_whole == Some(before.len())).then(|| format!("{before}{least}").into())
    };
    ENDS.into_iter().find_map(without).unwrap_or(text.into())
}

impl Ahead {
    /// Its parts in the order of the text.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Regex> {
        let looks = self.looks.iter().map(|(look, _)| look);
        [&self.before].into_iter().chain(looks).chain([&self.behind])
    }

    /// Where what is before the look-aheads begins and ends, if all of it is found.
    pub(super) fn find(&self, subject: &[u8]) -> Option<(usize, usize)> {
        let mut at = 0;
        loop {
            let found = self.before.search(&Input::new(subject).range(at..))?;
            let rest = here(subject, found.end());
            let holds = |(look, is_not): &(Regex, bool)| look.is_match(rest.clone()) != *is_not;
            if self.looks.iter().all(holds) && self.behind.is_match(rest.clone()) {
                return Some((found.start(), found.end()));
            }
            at = found.start() + 1;
            if self.is_first || at > subject.len() {
                return None;
            }
        }
    }

    /// What the groups of a find have captured: those of one part behind those of the part before.
    pub(super) fn capture(
        &self,
        subject: &[u8],
        (start, end): (usize, usize),
        slots: &mut [Option<NonMaxUsize>],
    ) {
        let looks = self.looks.iter().map(|(look, is_not)| (look, end, !is_not));
        let behind = (&self.behind, end, true);
        let mut first = 2;
        for (regex, from, is_there) in
            [(&self.before, start, true)].into_iter().chain(looks).chain([behind])
        {
            let mut own = vec![None; regex.captures_len() * 2];
            if is_there {
                regex.search_slots(&here(subject, from), &mut own);
            }
            let (whole, groups) = own.split_at(2);
            if let Some(places) = slots.get_mut(first..first + groups.len()) {
                places.copy_from_slice(groups);
            }
            first += groups.len();
            // The whole ends where its last part does.
            if let Some(place) = slots.get_mut(1) {
                *place = whole.last().copied().flatten();
            }
        }
        if let Some(place) = slots.first_mut() {
            *place = NonMaxUsize::new(start);
        }
    }
}

/// A search that begins at this place or is none.
fn here(subject: &[u8], at: usize) -> Input<'_> {
    Input::new(subject).range(at..).anchored(Anchored::Yes)
}
