//! What becomes of the cookies that an upstream sets.
//!
//! nginx: `proxy_cookie_domain`, `proxy_cookie_path`, `proxy_cookie_flags`.

use crate::config::model::{CookieFlags, CookieName, CookieRules, ErrorLevel, ProxyRedirect};
use crate::variables::View;

use super::rewrite::moved;

/// An attribute of a cookie: its name, and its value where it has one.
type Attribute = (Vec<u8>, Option<Vec<u8>>);

/// The value of a `Set-Cookie` by the rules; none where nothing of it changes. nginx writes a
/// cookie anew if anything does: one space behind each semicolon, and none before it.
pub(super) fn rewritten(view: &View<'_>, rules: &CookieRules, value: &[u8]) -> Option<Vec<u8>> {
    let mut attributes: Vec<Attribute> = value.split(|byte| *byte == b';').map(attribute).collect();
    // nginx: what begins without a value is no cookie.
    attributes.first()?.1.as_ref()?;
    let mut is_changed = false;
    for (name, value) in &mut attributes {
        let Some(old) = value else { continue };
        let new = if name.eq_ignore_ascii_case(b"domain") {
            domain(view, &rules.domains, old)
        } else if name.eq_ignore_ascii_case(b"path") {
            moved(view, &rules.paths, old)
        } else {
            None
        };
        if new.is_some() {
            is_changed = true;
            *value = new;
        }
    }
    let flags = rules.flags.iter().find(|rule| is_for(view, rule, &attributes));
    if let Some(rule) = flags {
        is_changed = true;
        set_flags(view, rule, &mut attributes);
    }
    is_changed.then(|| joined(&attributes))
}

fn attribute(text: &[u8]) -> Attribute {
    let mut parts = text.splitn(2, |byte| *byte == b'=').map(|part| part.trim_ascii().to_vec());
    (parts.next().unwrap_or_default(), parts.next())
}

fn joined(attributes: &[Attribute]) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, (name, value)) in attributes.iter().enumerate() {
        text.extend_from_slice(if index > 0 { b"; " } else { b"" });
        text.extend_from_slice(name);
        if let Some(value) = value {
            text.push(b'=');
            text.extend_from_slice(value);
        }
    }
    text
}

/// nginx: a dot in front of the domain stays as it is.
fn domain(view: &View<'_>, rules: &[ProxyRedirect], value: &[u8]) -> Option<Vec<u8>> {
    let bare = value.strip_prefix(b".").unwrap_or(value);
    let dot = value.get(..value.len() - bare.len()).unwrap_or_default();
    rules.iter().find_map(|rule| match rule {
        ProxyRedirect::Prefix { from, to } => {
            let is_same = view.text(from).eq_ignore_ascii_case(bare);
            is_same.then(|| [dot, &view.text(to)].concat())
        }
        ProxyRedirect::Pattern { .. } => moved(view, std::slice::from_ref(rule), value),
    })
}

fn is_for(view: &View<'_>, rule: &CookieFlags, attributes: &[Attribute]) -> bool {
    let Some((name, _)) = attributes.first() else { return false };
    match &rule.name {
        CookieName::Is(known) => view.text(known).eq_ignore_ascii_case(name),
        CookieName::Has(pattern) => view.request.values.borrow_mut().matches(pattern, name),
    }
}

/// A flag that is put in or taken out: its name, and its value where it has one.
type Flag = (&'static str, Option<&'static str>, bool);

/// What `proxy_cookie_flags` lists.
const FLAGS: [(&str, Flag); 8] = [
    ("secure", ("Secure", None, true)),
    ("nosecure", ("Secure", None, false)),
    ("httponly", ("HttpOnly", None, true)),
    ("nohttponly", ("HttpOnly", None, false)),
    ("samesite=strict", ("SameSite", Some("Strict"), true)),
    ("samesite=lax", ("SameSite", Some("Lax"), true)),
    ("samesite=none", ("SameSite", Some("None"), true)),
    ("nosamesite", ("SameSite", None, false)),
];

/// nginx: flags that are there stay as they are (of several SameSite the first one changes), new
/// ones come last, in the order secure, httponly, samesite.
fn set_flags(view: &View<'_>, rule: &CookieFlags, attributes: &mut Vec<Attribute>) {
    let mut asked: [Option<Flag>; 3] = [None; 3];
    for text in &rule.flags {
        let text = view.text(text);
        match FLAGS.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(&text)) {
            Some((_, flag)) => {
                let place = ["Secure", "HttpOnly"].iter().position(|name| *name == flag.0);
                if let Some(asked) = asked.get_mut(place.unwrap_or(2)) {
                    *asked = Some(*flag);
                }
            }
            None if text.is_empty() => {}
            None => {
                let line = format!("invalid proxy_cookie_flags flag \"{}\"", text.escape_ascii());
                view.request.values.borrow_mut().note(ErrorLevel::Error, line);
            }
        }
    }
    for (name, value, is_set) in asked.into_iter().flatten() {
        let is_named = |attribute: &Attribute| attribute.0.eq_ignore_ascii_case(name.as_bytes());
        let flag = || (name.as_bytes().to_vec(), value.map(|value| value.as_bytes().to_vec()));
        if !is_set {
            let mut is_first = true;
            attributes.retain(|one| std::mem::take(&mut is_first) || !is_named(one));
            continue;
        }
        match attributes.iter_mut().skip(1).find(|one| is_named(one)) {
            None => attributes.push(flag()),
            Some(known) if value.is_some() => *known = flag(),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::test_case::{Case, answer};

    fn check(lines: &str, cookie: &str, expected: &str) {
        let case = Case::get(&format!("location / {{ proxy_pass http://a; {lines} }}"), "/?n=z");
        let head = format!("HTTP/1.1 200 OK\r\nSet-Cookie: {cookie}\r\n\r\n");
        let mut answer = answer(&head);
        answer.filter(&case.context(true, false));
        let cookies: Vec<&[u8]> = answer.sent_named(b"set-cookie").collect();
        assert_eq!(cookies, [expected.as_bytes()], "{lines} {cookie}");
    }

    #[test]
    fn a_domain_is_replaced_whole_and_its_dot_stays() {
        let lines = "proxy_cookie_domain localhost example.org; \
                     proxy_cookie_domain ~^www\\.(.+)$ $1; proxy_cookie_domain .dot.org .x.org;";
        for (cookie, expected) in [
            ("a=1; Domain=localhost; x", "a=1; Domain=example.org; x"),
            ("a=1;domain=.LOCALHOST", "a=1; domain=.example.org"),
            ("a=1; domain=www.foo.org", "a=1; domain=foo.org"),
            ("a=1; domain=.www.foo.org", "a=1; domain=.www.foo.org"),
            ("a=1; domain=dot.org", "a=1; domain=x.org"),
            ("a=1; domain=.dot.org", "a=1; domain=.x.org"),
            ("=1; domain=localhost", "=1; domain=example.org"),
            ("a=1;  domain=other", "a=1;  domain=other"),
            (";domain=localhost", ";domain=localhost"),
            ("a; domain=localhost", "a; domain=localhost"),
            ("a=1; domain", "a=1; domain"),
        ] {
            check(lines, cookie, expected);
        }
    }

    #[test]
    fn the_beginning_of_a_path_is_replaced() {
        let lines = "proxy_cookie_path /one /two; proxy_cookie_path ~*^/U/(.+)$ /u-$1;";
        for (cookie, expected) in [
            ("a=1; Path=/one/x", "a=1; Path=/two/x"),
            ("a=1;   path=/one ;;domain=;", "a=1; path=/two; ; domain=; "),
            ("a=1; PATH=/ONE", "a=1; PATH=/ONE"),
            ("a=1; path=/u/x", "a=1; path=/u-x"),
            ("a=1; path=/one=/x; path=/one", "a=1; path=/two=/x; path=/two"),
            ("a=1; path", "a=1; path"),
            ("a = 1; path = /one", "a=1; path=/two"),
        ] {
            check(lines, cookie, expected);
        }
        check("proxy_cookie_path off;", "a=1; path=/one", "a=1; path=/one");
    }

    #[test]
    fn flags_are_put_in_and_taken_out() {
        let lines = "proxy_cookie_flags one secure httponly samesite=strict; \
                     proxy_cookie_flags ~^t nosecure nohttponly nosamesite; \
                     proxy_cookie_flags lax samesite=lax; \
                     proxy_cookie_flags non samesite=none secure; \
                     proxy_cookie_flags $arg_n foo SECURE;";
        for (cookie, expected) in [
            ("one=1", "one=1; Secure; HttpOnly; SameSite=Strict"),
            ("ONE=1", "ONE=1; Secure; HttpOnly; SameSite=Strict"),
            ("one", "one"),
            (
                "one=2; secure; httponly; samesite=lax; x",
                "one=2; secure; httponly; SameSite=Strict; x",
            ),
            ("two=2; Secure; HttpOnly; SameSite=Lax; x", "two=2; x"),
            ("lax=2; samesite", "lax=2; SameSite=Lax"),
            ("lax=2; SameSite=a; samesite=b", "lax=2; SameSite=Lax; samesite=b"),
            ("lax=2; SameSite=foo; a=b", "lax=2; SameSite=Lax; a=b"),
            ("non=;", "non=; ; Secure; SameSite=None"),
            ("z=1", "z=1; Secure"),
            ("secure=1", "secure=1"),
        ] {
            check(lines, cookie, expected);
        }
        check("proxy_cookie_flags secure nosecure;", "secure=1;secure", "secure=1");
    }
}
