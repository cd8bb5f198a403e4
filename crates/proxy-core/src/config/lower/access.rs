//! `allow`, `deny`, `limit_except` and the directives of the real client's address.
//!
//! Owns: what they say. Whether somebody is let in is `Access::lets_in`'s to answer.

use nginx_conf::Directive;

use super::Lower;
use super::rewrite::Inside;
use crate::config::model::{AccessRule, LimitExcept, Whom};
use crate::config::network::Network;

/// nginx: methods that `limit_except` knows.
const METHODS: [&str; 14] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
    "PATCH",
];

/// Addresses that one name of `set_real_ip_from` is taken to have at most.
const ADDRESSES_MAX: usize = 64;

impl Lower<'_> {
    /// nginx: `allow` and `deny` of an address, a network, `all` or `unix:`.
    pub(super) fn access_rule(&mut self, directive: &Directive) -> Option<AccessRule> {
        let text = directive.arg(0)?;
        let whom = match text {
            "all" => Whom::All,
            "unix:" => Whom::Nobody,
            text => Whom::Network(self.network(text, directive.arg_span(0))?),
        };
        Some(AccessRule { whom, is_allowed: directive.name.text == "allow" })
    }

    /// nginx: `set_real_ip_from` of an address, a network, a name or `unix:`.
    pub(super) fn real_ip_from(&mut self, directive: &Directive) -> Vec<Network> {
        let text = directive.arg(0).unwrap_or_default();
        let looks_like_name =
            text.bytes().any(|byte| byte.is_ascii_alphabetic()) && !text.contains([':', '/']);
        if text == "unix:" {
            return Vec::new();
        }
        if !looks_like_name {
            return self.network(text, directive.arg_span(0)).into_iter().collect();
        }
        let found = (self.surroundings.resolve)(text, 0);
        if found.is_empty() {
            let message = format!("host not found in set_real_ip_from \"{text}\"");
            self.error(directive.arg_span(0), message);
        }
        let addresses = found.into_iter().take(ADDRESSES_MAX);
        addresses.map(|address| Network::of(address.ip())).collect()
    }

    /// nginx: `real_ip_header FIELD | proxy_protocol`.
    pub(super) fn real_ip_field(&mut self, directive: &Directive) -> Option<Vec<u8>> {
        let text = directive.arg(0)?;
        Some(text.to_ascii_lowercase().into_bytes())
    }

    /// nginx: `limit_except METHOD… { … }`: a hidden location for all other methods.
    pub(super) fn limit_except(
        &mut self,
        block: &[Directive],
        inside: &mut Inside<'_, '_>,
    ) -> Option<Box<LimitExcept>> {
        let directive = block.iter().find(|line| line.name.text == "limit_except")?;
        let mut methods: Vec<Vec<u8>> = Vec::new();
        for word in &directive.args {
            let method = word.text.to_ascii_uppercase();
            if !METHODS.contains(&method.as_str()) {
                self.error(word.span, format!("invalid method \"{}\"", word.text));
            }
            if method == "GET" {
                methods.push(b"HEAD".to_vec());
            }
            methods.push(method.into_bytes());
        }
        let own = directive.block.as_deref().unwrap_or_default();
        let location = self.hidden(own, inside);
        Some(Box::new(LimitExcept { methods, location }))
    }
}
