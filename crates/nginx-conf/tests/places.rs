//! Where a directive may stand: where nginx itself lets it stand, whatever its page says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use nginx_conf::Context;
use nginx_conf::table::{self, Class, Lookup, Row};

/// A file of one line too many, with its context.
const PLACES: [(Context, &str, &str); 9] = [
    (Context::Main, "", "events {} http { server {} }"),
    (Context::Events, "events {", "} http { server {} }"),
    (Context::Http, "events {} http {", "server {} }"),
    (Context::Upstream, "events {} http { upstream u {", "server 127.0.0.1:1; } server {} }"),
    (Context::Server, "events {} http { server {", "} }"),
    (Context::ServerIf, "events {} http { server { if ($host) {", "} } }"),
    (Context::Location, "events {} http { server { location / {", "} } }"),
    (Context::If, "events {} http { server { location / { if ($host) {", "} } } }"),
    (Context::LimitExcept, "events {} http { server { location / { limit_except GET {", "} } } }"),
];
/// What newer nginx lets stand where the peer does not.
const SINCE: [(&str, Context); 2] =
    [("resolver", Context::Upstream), ("resolver_timeout", Context::Upstream)];

#[test]
fn a_directive_may_stand_where_nginx_lets_it_stand() {
    // Not every user has the second folder on the path.
    let is_there = |path: &&str| Command::new(path).arg("-v").output().is_ok();
    let Some(nginx) = ["nginx", "/usr/sbin/nginx"].into_iter().find(is_there) else {
        assert!(std::env::var_os("CI").is_none(), "nginx is not installed, and CI is set");
        // To whoever runs the tests, also where they pass.
        let _ =
            writeln!(std::io::stderr(), "NOT TESTED: nginx is not installed, no place was tried");
        return;
    };
    // What is refused wherever it stands is asked nothing.
    let is_taken = |row: &&Row| !row.is_family() && !matches!(row.class, Class::Refused(_));
    // A name has a row for each kind of context.
    let names: BTreeSet<&str> = table::rows().filter(is_taken).map(|row| row.name).collect();
    let file = std::env::temp_dir().join(format!("nginx-conf-places-{}", std::process::id()));
    let mut found = Vec::new();
    for name in names {
        for (context, before, after) in PLACES {
            fs::write(&file, format!("{before}\n{name} x;\n{after}\n")).unwrap();
            let Some(expected) = may_stand(nginx, &file, name) else { continue };
            let ours = matches!(table::find(name, context), Lookup::Here(_));
            if ours != expected && !(ours && SINCE.contains(&(name, context))) {
                found.push(format!("{name} in {context:?}: nginx says {expected}"));
            }
        }
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(found, Vec::<String>::new());
}

/// `None` where nginx does not know the directive.
fn may_stand(nginx: &str, file: &Path, name: &str) -> Option<bool> {
    let output = Command::new(nginx).arg("-t").arg("-c").arg(file).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    // The place is looked at before the arguments, and before whether it is a block.
    let is_known = !told.contains(&format!("unknown directive \"{name}\""));
    is_known.then(|| !told.contains(&format!("\"{name}\" directive is not allowed here")))
}
