//! The meaning of whole configurations: what each directive becomes, and what is wrong with bad
//! ones. This file holds the checks that the others share.

mod access;
mod bodies;
mod bounds;
mod damage;
mod error_pages;
mod expressions;
mod fastcgi;
mod files;
mod guards;
mod locations;
mod logs;
mod maps;
mod mirrors;
mod resolvers;
mod rewrites;
mod servers;
mod upstreams;

use std::path::Path;

use nginx_conf::table::{self, Class};
use nginx_conf::{Context, Diag, Included, Reading};

use super::lower::{Surroundings, lower_all};
use super::model::{Config, Handler, Location, Part, ProxyPass, ProxyRedirect, Template};
use crate::values::Values;

pub(super) fn surroundings() -> Surroundings<'static> {
    Surroundings {
        folder: Path::new("/etc/nginx"),
        conf_folder: Path::new("/etc/nginx"),
        is_root: true,
        hostname: "pod-1\n",
        resolve: &|_, _| Vec::new(),
    }
}

/// Lowers a whole file: the configuration with the headlines of its warnings, or those of errors.
pub(super) fn lowered(text: &str) -> Result<(Config, Vec<String>), Vec<String>> {
    let headlines = |diags: Vec<Diag>| diags.iter().map(Diag::headline).collect::<Vec<_>>();
    let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
    let mut none = |_: &str, _: &str| Ok(vec![]);
    let reading = nginx_conf::read(main, Context::Main, &mut none);
    let Reading { tree, findings, is_sound } = reading;
    match lower_all(&tree, findings, is_sound, &surroundings()) {
        Ok((config, warnings)) => Ok((config, headlines(warnings))),
        Err(diags) => Err(headlines(diags.into_iter().filter(Diag::is_error).collect())),
    }
}

pub(crate) fn good(text: &str) -> Config {
    lowered(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).0
}

/// A configuration with one server of this content.
pub(super) fn server(content: &str) -> Config {
    good(&format!("http {{ server {{ {content} }} }}"))
}

/// The headlines of what is wrong, without the name of the file.
pub(super) fn check_errors(text: &str, expected: &[&str]) {
    let errors = lowered(text).map(|(_, warnings)| warnings).expect_err(text);
    let errors: Vec<&str> = errors.iter().map(|e| e.strip_prefix("t:").unwrap_or(e)).collect();
    assert_eq!(errors, expected, "{text}");
}

/// The one thing wrong inside a server, without its place.
pub(super) fn check_server_error(content: &str, expected: &str) {
    let text = format!("http {{ server {{ {content} }} }}");
    let errors = lowered(&text).map(|(_, warnings)| warnings).expect_err(content);
    let (_, message) = errors[0].split_once(": ").unwrap_or(("", &errors[0]));
    assert_eq!((message, errors.len()), (expected, 1), "{content}");
}

pub(super) fn check_warnings(text: &str, expected: &[&str]) {
    let (_, warnings) = lowered(text).expect(text);
    let plain: Vec<&str> = warnings.iter().map(|w| w.strip_prefix("t:").unwrap_or(w)).collect();
    assert_eq!(plain, expected, "{text}");
}

pub(super) fn at<'c>(config: &'c Config, path: &str) -> &'c Location {
    let server = &config.servers[0];
    let found = server.location_index(path.as_bytes(), &mut Values::default());
    found.map_or(&server.fallback, |i| &server.locations[i])
}

pub(super) fn pass<'c>(config: &'c Config, path: &str) -> &'c ProxyPass {
    match &at(config, path).handler {
        Handler::Proxy(pass) => pass,
        other => panic!("{path}: {other:?}"),
    }
}

/// The status that a location returns before all else; 404 where it returns none.
pub(super) fn returned(location: &Location) -> u16 {
    location.program.returned(0).map_or(404, |answer| answer.status)
}

/// A template as text, variables by their debug names.
pub(super) fn shown(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        Part::Variable(variable) => format!("<{variable:?}>"),
    };
    template.0.iter().map(part).collect()
}

/// The fields set towards the upstream at a path.
pub(super) fn fields(config: &Config, path: &str) -> Vec<String> {
    let fields = pass(config, path).set_headers.iter();
    fields.map(|f| format!("{}: {}", String::from_utf8_lossy(&f.name), shown(&f.value))).collect()
}

/// The rules for redirects at a path: what is found, and what replaces it.
pub(super) fn redirects(config: &Config, path: &str) -> Vec<(String, String)> {
    let rule = |rule: &ProxyRedirect| match rule {
        ProxyRedirect::Prefix { from, to } => (shown(from), shown(to)),
        ProxyRedirect::Pattern { from, to } => (format!("~{}", from.pattern.text()), shown(to)),
    };
    pass(config, path).redirects.iter().map(rule).collect()
}

pub(super) fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

pub(super) const BLOG: &str = "events {} http { server { listen 80; location / { \
                    proxy_pass http://localhost:5000; } } }";

#[test]
fn every_implemented_directive_is_taken_up_somewhere() {
    let code = [
        include_str!("../lower/mod.rs"),
        include_str!("../lower/access.rs"),
        include_str!("../lower/balance.rs"),
        include_str!("../lower/bodies.rs"),
        include_str!("../lower/changes.rs"),
        include_str!("../lower/charset.rs"),
        include_str!("../lower/error_page.rs"),
        include_str!("../lower/fastcgi.rs"),
        include_str!("../lower/files.rs"),
        include_str!("../lower/guard.rs"),
        include_str!("../lower/location.rs"),
        include_str!("../lower/log.rs"),
        include_str!("../lower/map.rs"),
        include_str!("../lower/own.rs"),
        include_str!("../lower/pass.rs"),
        include_str!("../lower/proxy.rs"),
        include_str!("../lower/referer.rs"),
        include_str!("../lower/rewrite.rs"),
        include_str!("../lower/server.rs"),
        include_str!("../lower/upstream.rs"),
        include_str!("../lower/scope.rs"),
    ]
    .concat();
    for row in table::rows().filter(|row| row.class == Class::Implemented) {
        let is_taken = |name: &str| code.contains(&format!("\"{name}\""));
        // Most of these are taken as the directive of `proxy_pass`.
        let shared = row.name.strip_prefix("fastcgi_").map(|rest| format!("proxy_{rest}"));
        let is_shared = shared.is_some_and(|name| is_taken(&name));
        // `include` is the parser's.
        assert!(row.name == "include" || is_taken(row.name) || is_shared, "{}", row.name);
    }
}
