//! `error_page`.
//!
//! Owns: which statuses have a page. When it is used is `exchange::error_page`'s.

use nginx_conf::{Directive, Span, units};

use super::Lower;
use crate::config::model::{ErrorPage, NewStatus};

impl Lower<'_> {
    /// nginx: `error_page STATUS… [=[STATUS]] URI`, one for each status.
    pub(super) fn error_page(&mut self, directive: &Directive) -> Vec<ErrorPage> {
        let last = directive.args.len().saturating_sub(1);
        let to = self.template(directive, last).unwrap_or_default();
        let mut statuses = directive.args.get(..last).unwrap_or_default();
        let mut new_status = NewStatus::Same;
        if let Some((word, others)) = statuses.split_last()
            && let Some(text) = word.text.strip_prefix('=')
        {
            if others.is_empty() {
                self.error(word.span, format!("invalid value \"{}\"", word.text));
            }
            statuses = others;
            new_status = match text {
                "" => NewStatus::Own,
                text => NewStatus::Other(self.status(text, 200, word.span).unwrap_or(200)),
            };
        }
        let page = |status| ErrorPage { status, new_status, to: to.clone() };
        let mut pages = Vec::new();
        for word in statuses {
            let status = self.status(&word.text, 300, word.span);
            match status {
                Some(499) => self.error(word.span, "invalid value \"499\""),
                Some(600..) => {
                    let message = format!("value \"{}\" must be between 300 and 599", word.text);
                    self.error(word.span, message);
                }
                status => pages.extend(status.map(page)),
            }
        }
        pages
    }

    /// A status that is at least so much. Below 200 there is no final answer (RFC 9110 §15.2).
    fn status(&mut self, text: &str, least: u16, span: Span) -> Option<u16> {
        let number = units::number(text).and_then(|number| u16::try_from(number).ok());
        match number {
            Some(number) if (least..=999).contains(&number) => Some(number),
            Some(_) if least == 300 => {
                self.error(span, format!("value \"{text}\" must be between 300 and 599"));
                None
            }
            _ => {
                self.error(span, format!("invalid value \"{text}\""));
                None
            }
        }
    }
}
