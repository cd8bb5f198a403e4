//! `valid_referers`.
//!
//! Owns: what the directives of a level list. Whether a referrer is one of them is
//! `variables::referer`'s.

use nginx_conf::Directive;

use super::Lower;
use super::map::Names;
use super::server::longest_first;
use crate::config::model::Referers;

impl Lower<'_> {
    /// nginx: `valid_referers none | blocked | server_names | NAME | ~EXPRESSION …`; all of a level
    /// together.
    pub(super) fn referers(&mut self, directives: &[Directive]) -> Option<Referers> {
        let first = directives.first()?;
        let (mut referers, mut names) = (Referers::default(), Names::default());
        let mut paths: Vec<Vec<u8>> = Vec::new();
        for word in directives.iter().flat_map(|directive| &directive.args) {
            let (text, span) = (word.text.as_str(), word.span);
            match text {
                "none" => referers.none = true,
                "blocked" => referers.blocked = true,
                "server_names" => referers.own_names = true,
                "~" => self.error(span, format!("empty regex in \"{text}\"")),
                _ if text.starts_with('~') => {
                    referers.expressions.extend(self.expression(&text[1..], true, span));
                }
                _ => {
                    let slash = text.find('/').unwrap_or(text.len());
                    let (name, path) = text.split_at(slash);
                    paths.push(path.as_bytes().to_vec());
                    match names.add_host(&name.to_lowercase(), paths.len() - 1) {
                        Ok(true) => {}
                        Ok(false) => self.error(span, format!("conflicting parameter \"{text}\"")),
                        Err(()) => {
                            let message = format!("invalid hostname or wildcard \"{text}\"");
                            self.error(span, message);
                        }
                    }
                }
            }
        }
        let has_names = !paths.is_empty() || referers.own_names;
        if !has_names && referers.expressions.is_empty() && (referers.none || referers.blocked) {
            let message = "the \"none\" or \"blocked\" referers are specified in the \
                           \"valid_referers\" directive without any valid referer";
            self.error(first.name.span, message);
        }
        let path = |index: usize| paths.get(index).cloned().unwrap_or_default();
        let with_path = |(name, index): (Vec<u8>, usize)| (name, path(index));
        referers.exact = names.exact.into_iter().map(with_path).collect();
        referers.suffixes = longest_first(names.suffixes).into_iter().map(with_path).collect();
        referers.prefixes = longest_first(names.prefixes).into_iter().map(with_path).collect();
        Some(referers)
    }
}
