//! nginx: `least_conn`, `ip_hash`, `hash` and `random` of an `upstream`, and what a group with one
//! of them takes.
//!
//! Owns: what they say. Which server they mean for a request is `upstream::balance`'s.

use nginx_conf::Directive;

use super::Lower;
use crate::config::model::{Method, Upstream};
use crate::upstream::balance::Load;
use crate::upstream::points::{Points, WEIGHTS_MAX};

/// The method of a group as far as it is read.
#[derive(Default)]
pub(super) struct Balance {
    method: Option<Method>,
    is_consistent: bool,
}

impl Balance {
    /// nginx: these choose among ordinary servers alone.
    pub(super) fn takes_backup(&self) -> bool {
        !self.method.as_ref().is_some_and(Method::has_key)
    }

    /// Takes a line up if it is one of these.
    pub(super) fn take(&mut self, lower: &mut Lower<'_>, line: &Directive) {
        let is_no = |index: usize, word: &str| line.arg(index).is_some_and(|arg| arg != word);
        let (method, words) = match line.name.text.as_str() {
            "least_conn" => (Some(Method::LeastConn), [None, None]),
            "ip_hash" => (Some(Method::IpHash), [None, None]),
            "random" => {
                let two = line.arg(0) == Some("two");
                (Some(Method::Random { two }), [Some((0, "two")), Some((1, "least_conn"))])
            }
            "hash" => {
                self.is_consistent = line.args.len() > 1;
                let key = lower.template(line, 0);
                let method = key.map(|key| Method::Hash { key, points: None });
                (method, [None, Some((1, "consistent"))])
            }
            _ => return,
        };
        for (index, word) in words.into_iter().flatten() {
            if is_no(index, word) {
                let arg = line.arg(index).unwrap_or_default();
                let message = format!("invalid parameter \"{arg}\"");
                lower.error_with_help(
                    line.arg_span(index),
                    message,
                    format!("expected \"{word}\""),
                );
            }
        }
        if self.method.is_some() {
            lower.warn(line.name.span, "load balancing method redefined");
        }
        self.method = method.or(self.method.take());
    }

    /// Gives a group its method; its servers are known.
    pub(super) fn finish(self, lower: &mut Lower<'_>, block: &Directive, upstream: &mut Upstream) {
        upstream.method = self.method.unwrap_or_default();
        if let Method::Hash { points, .. } = &mut upstream.method
            && self.is_consistent
        {
            let lines = block.block.iter().flatten().filter(|line| line.name.text == "server");
            let texts = lines.filter_map(|line| line.arg(0));
            let servers = texts.zip(&upstream.servers).enumerate();
            let ordinary = servers.filter(|(_, (_, server))| !server.backup);
            let weights: u64 = ordinary.clone().map(|(_, (_, one))| u64::from(one.weight)).sum();
            if weights > WEIGHTS_MAX {
                let message = format!(
                    "weights of a consistent hash are {weights} together; expected at most \
                     {WEIGHTS_MAX}"
                );
                return lower.error(block.name.span, message);
            }
            let servers = ordinary.map(|(index, (text, one))| (index, text, one.weight));
            *points = Some(Points::new(servers));
        }
        let counts = upstream.method.counts();
        for server in &mut upstream.servers {
            server.load = (counts || server.max_conns > 0).then(Load::default);
        }
    }
}
