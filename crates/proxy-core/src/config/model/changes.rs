//! What a pass makes of a request and its answer beyond their fields.

use super::{Expression, ProxyRedirect, Template};

/// What a pass makes of a request and its answer beyond their fields. Few files write any of it.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// nginx: `proxy_method`.
    pub method: Option<Template>,
    /// nginx: `proxy_set_body`.
    pub body: Option<Template>,
    /// nginx: `proxy_limit_rate`, bytes a second.
    pub rate: Option<Template>,
    /// What becomes of cookies.
    pub cookies: CookieRules,
    /// nginx: `proxy_bind`: the address that it comes from.
    pub bind: Option<Template>,
}

/// What becomes of the answer's cookies.
#[derive(Clone, Debug, Default)]
pub struct CookieRules {
    /// nginx: `proxy_cookie_domain`. A literal is the whole domain, whatever its case.
    pub domains: Vec<ProxyRedirect>,
    /// nginx: `proxy_cookie_path`. A literal is the beginning of the path.
    pub paths: Vec<ProxyRedirect>,
    /// nginx: `proxy_cookie_flags`.
    pub flags: Vec<CookieFlags>,
}

/// nginx: one `proxy_cookie_flags`.
#[derive(Clone, Debug)]
pub struct CookieFlags {
    /// Whose they are.
    pub name: CookieName,
    /// Each is `secure`, `httponly`, `samesite=strict` and so on, once its variables have values.
    pub flags: Vec<Template>,
}

/// Names of cookies.
#[derive(Clone, Debug)]
pub enum CookieName {
    /// This one, whatever its case.
    Is(Template),
    /// All in which this is found.
    Has(Expression),
}

impl Changes {
    /// The texts in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let one = [&self.method, &self.body, &self.rate, &self.bind].into_iter().flatten();
        let cookies = &self.cookies;
        let rewritten = cookies.domains.iter().chain(&cookies.paths);
        let flags = cookies.flags.iter().flat_map(|rule| {
            let name = match &rule.name {
                CookieName::Is(name) => Some(name),
                CookieName::Has(_) => None,
            };
            name.into_iter().chain(&rule.flags)
        });
        one.chain(rewritten.flat_map(ProxyRedirect::templates)).chain(flags)
    }
}
